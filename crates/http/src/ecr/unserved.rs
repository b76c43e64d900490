//! Operations whose engines come later. Whoever may use them is told so; the table of operations in the documentation says the same.

use berth_aws::ecr::shapes as s;
use berth_domain::Action;

use super::context::repository;
use super::{Answer, Context};

/// From an operation on a repository to its refusal.
macro_rules! on_repository {
    ($($(#[$doc:meta])* $name:ident: $request:ident => $response:ident, $action:ident;)*) => {
        $($(#[$doc])* pub(super) async fn $name(cx: &Context<'_>, asked: s::$request) -> Answer<s::$response> {
            let domain = cx.registry(asked.registry_id.as_deref()).await?;
            let name = repository(&asked.repository_name)?;
            Ok(domain.unserved_on_repository(cx.caller, Action::$action, &name).await?)
        })*
    };
}

/// The same on the registry.
macro_rules! on_registry {
    ($($(#[$doc:meta])* $name:ident: $request:ident => $response:ident, $action:literal;)*) => {
        $($(#[$doc])* pub(super) async fn $name(cx: &Context<'_>, asked: s::$request) -> Answer<s::$response> {
            let domain = cx.registry(asked.registry_id.as_deref()).await?;
            Ok(domain.unserved_on_registry(cx.caller, $action).await?)
        })*
    };
}

on_repository! {
    /// `DescribeImageReplicationStatus`: replication.
    image_replication_status: DescribeImageReplicationStatusRequest => DescribeImageReplicationStatusResponse,
        DescribeImageReplicationStatus;
    /// `DescribeImageScanFindings`: scanning.
    image_scan_findings: DescribeImageScanFindingsRequest => DescribeImageScanFindingsResponse,
        DescribeImageScanFindings;
    /// `StartImageScan`: scanning.
    start_image_scan: StartImageScanRequest => StartImageScanResponse, StartImageScan;
    /// `DescribeImageSigningStatus`: signing.
    image_signing_status: DescribeImageSigningStatusRequest => DescribeImageSigningStatusResponse,
        DescribeImageSigningStatus;
    /// `StartLifecyclePolicyPreview`: evaluation of lifecycle policies.
    start_lifecycle_policy_preview: StartLifecyclePolicyPreviewRequest => StartLifecyclePolicyPreviewResponse,
        StartLifecyclePolicyPreview;
    /// `GetLifecyclePolicyPreview`: evaluation of lifecycle policies.
    get_lifecycle_policy_preview: GetLifecyclePolicyPreviewRequest => GetLifecyclePolicyPreviewResponse,
        GetLifecyclePolicyPreview;
    /// `UpdateImageStorageClass`: the archive.
    update_image_storage_class: UpdateImageStorageClassRequest => UpdateImageStorageClassResponse,
        UpdateImageStorageClass;
}

on_registry! {
    /// `StartReplicationBackfill`: replication.
    start_replication_backfill: StartReplicationBackfillRequest => StartReplicationBackfillResponse,
        "ecr:StartReplicationBackfill";
    /// `StopReplicationBackfill`: replication.
    stop_replication_backfill: StopReplicationBackfillRequest => StopReplicationBackfillResponse,
        "ecr:StopReplicationBackfill";
    /// `ListReplicationBackfills`: replication.
    list_replication_backfills: ListReplicationBackfillsRequest => ListReplicationBackfillsResponse,
        "ecr:ListReplicationBackfills";
    /// `DescribeReplicationBackfillResults`: replication.
    replication_backfill_results: DescribeReplicationBackfillResultsRequest => DescribeReplicationBackfillResultsResponse,
        "ecr:DescribeReplicationBackfillResults";
    /// `ValidatePullThroughCacheRule`: fetches from upstream registries.
    validate_pull_through_cache_rule: ValidatePullThroughCacheRuleRequest => ValidatePullThroughCacheRuleResponse,
        "ecr:ValidatePullThroughCacheRule";
}
