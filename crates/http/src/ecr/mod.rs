//! The door of ECR (JSON 1.1): one module for each thing that its operations are about. [`unserved`] answers for those whose engines
//! come later.

mod context;
mod faults;
mod images;
mod layers;
mod lifecycle;
mod login;
mod page;
mod policies;
mod pull_through;
mod registry;
mod repositories;
mod scanning;
mod signing;
mod tags;
mod templates;
mod unserved;
mod uploads;

use berth_aws::ecr::ECR;
use berth_aws::protocol::{json, parse_json, render_json};
use berth_domain::{Caller, Domain};
use http::StatusCode;

use crate::aws::Call;
pub(crate) use context::Context;
pub(crate) use faults::Failure;

/// What an operation answers.
type Answer<T> = Result<T, Failure>;

/// From the names of operations to their functions.
macro_rules! dispatch {
    ($operation:ident, $context:ident, $body:ident: $($name:literal => $answer:path),* $(,)?) => {
        match $operation.name {
            $($name => Box::pin(async {
                let asked = parse_json($operation, $body)?;
                Ok(render_json($operation, &$answer($context, asked).await?)?)
            }).await,)*
            other => Err(Failure::NotServed(other.to_owned())),
        }
    };
}

/// Answers one call: the operation that the header `X-Amz-Target` names.
pub(crate) async fn answer(domain: &Domain, caller: &Caller, call: &Call, target: &str) -> Answer<String> {
    let operation = json::operation(&ECR, target)?;
    domain.throttle_call(caller, "ecr", operation.name)?;
    let context = &Context::new(domain, caller, call);
    let body = &call.body;
    if operation.name == "UploadLayerPart" {
        return Ok(render_json(operation, &uploads::part(context, operation).await?)?);
    }
    dispatch! { operation, context, body:
        "BatchCheckLayerAvailability" => layers::check_availability,
        "BatchDeleteImage" => images::batch_delete,
        "BatchGetImage" => images::batch_get,
        "BatchGetRepositoryScanningConfiguration" => scanning::of_repositories,
        "CompleteLayerUpload" => uploads::complete,
        "CreatePullThroughCacheRule" => pull_through::create,
        "CreateRepository" => repositories::create,
        "CreateRepositoryCreationTemplate" => templates::create,
        "DeleteLifecyclePolicy" => lifecycle::delete,
        "DeletePullThroughCacheRule" => pull_through::delete,
        "DeleteRegistryPolicy" => policies::delete_of_registry,
        "DeleteRepository" => repositories::delete,
        "DeleteRepositoryCreationTemplate" => templates::delete,
        "DeleteRepositoryPolicy" => policies::delete_of_repository,
        "DeleteSigningConfiguration" => signing::delete,
        "DeregisterPullTimeUpdateExclusion" => registry::deregister_exclusion,
        "DescribeImageReplicationStatus" => unserved::image_replication_status,
        "DescribeImageScanFindings" => unserved::image_scan_findings,
        "DescribeImageSigningStatus" => unserved::image_signing_status,
        "DescribeImages" => images::describe,
        "DescribePullThroughCacheRules" => pull_through::describe,
        "DescribeRegistry" => registry::describe,
        "DescribeReplicationBackfillResults" => unserved::replication_backfill_results,
        "DescribeRepositories" => repositories::describe,
        "DescribeRepositoryCreationTemplates" => templates::describe,
        "GetAccountSetting" => registry::get_account_setting,
        "GetAuthorizationToken" => login::authorization_token,
        "GetDownloadUrlForLayer" => layers::download_url,
        "GetLifecyclePolicy" => lifecycle::get,
        "GetLifecyclePolicyPreview" => unserved::get_lifecycle_policy_preview,
        "GetRegistryPolicy" => policies::get_of_registry,
        "GetRegistryScanningConfiguration" => scanning::get_of_registry,
        "GetRepositoryPolicy" => policies::get_of_repository,
        "GetSigningConfiguration" => signing::get,
        "InitiateLayerUpload" => uploads::initiate,
        "ListImageReferrers" => images::referrers,
        "ListImages" => images::list,
        "ListPullTimeUpdateExclusions" => registry::list_exclusions,
        "ListReplicationBackfills" => unserved::list_replication_backfills,
        "ListTagsForResource" => tags::list,
        "PutAccountSetting" => registry::put_account_setting,
        "PutImage" => images::put,
        "PutImageScanningConfiguration" => scanning::put_of_repository,
        "PutImageTagMutability" => repositories::put_tag_mutability,
        "PutLifecyclePolicy" => lifecycle::put,
        "PutRegistryPolicy" => policies::put_of_registry,
        "PutRegistryScanningConfiguration" => scanning::put_of_registry,
        "PutReplicationConfiguration" => registry::put_replication,
        "PutSigningConfiguration" => signing::put,
        "RegisterPullTimeUpdateExclusion" => registry::register_exclusion,
        "SetRepositoryPolicy" => policies::set_of_repository,
        "StartImageScan" => unserved::start_image_scan,
        "StartLifecyclePolicyPreview" => unserved::start_lifecycle_policy_preview,
        "StartReplicationBackfill" => unserved::start_replication_backfill,
        "StopReplicationBackfill" => unserved::stop_replication_backfill,
        "TagResource" => tags::tag,
        "UntagResource" => tags::untag,
        "UpdateImageStorageClass" => unserved::update_image_storage_class,
        "UpdatePullThroughCacheRule" => pull_through::update,
        "UpdateRepositoryCreationTemplate" => templates::update,
        "ValidatePullThroughCacheRule" => unserved::validate_pull_through_cache_rule,
    }
}

/// The longest body of an operation, in bytes: a layer part of 20 MiB in base64, a manifest of 4 MiB with every quote escaped.
pub(crate) fn longest_body(target: &str) -> usize {
    match target.rsplit('.').next() {
        Some("UploadLayerPart") => 28 * 1024 * 1024,
        Some("PutImage") => 9 * 1024 * 1024,
        _ => 1024 * 1024,
    }
}

/// The status and the JSON of an answer.
pub(crate) fn respond(domain: &Domain, answered: Answer<String>) -> (StatusCode, String) {
    match answered {
        Ok(body) => (StatusCode::OK, body),
        Err(failure) => faults::render(&failure, domain.settings().registry.account.as_str()),
    }
}
