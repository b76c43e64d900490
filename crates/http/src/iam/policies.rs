//! Managed policies and their versions.

use berth_aws::iam::shapes as s;
use berth_domain::identity::IdentityError;
use berth_domain::identity::policies::{ManagedPolicyView, NewPolicy, PolicyScope, list_mark};

use super::marker::{Cut, Paging};
use super::{Answer, Call, view};

pub(super) async fn create_policy(call: &Call<'_>, input: s::CreatePolicyRequest) -> Answer<s::CreatePolicyResponse> {
    let new = NewPolicy {
        name: input.policy_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        description: input.description,
        document: input.policy_document,
        tags: view::pairs(input.tags.into_iter().flatten()),
    };
    let made = call.domain.create_policy(call.caller, new).await?;
    Ok(s::CreatePolicyResponse { policy: Some(view::whole_policy(made)) })
}

pub(super) async fn get_policy(call: &Call<'_>, input: s::GetPolicyRequest) -> Answer<s::GetPolicyResponse> {
    let found = call.domain.get_policy(call.caller, &input.policy_arn).await?;
    Ok(s::GetPolicyResponse { policy: Some(view::whole_policy(found)) })
}

/// Filters apply to a page that was cut before, so it may have fewer items than were asked for, as IAM's may.
pub(super) async fn list_policies(call: &Call<'_>, input: s::ListPoliciesRequest) -> Answer<s::ListPoliciesResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let scope = match input.scope.as_deref() {
        Some("Local") => PolicyScope::Local,
        Some("AWS") => PolicyScope::Managed,
        _ => PolicyScope::All,
    };
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let page = call.domain.list_policies(call.caller, scope, prefix, &at.last, at.limit).await?;
    let Cut { mut items, is_truncated, marker } = Paging::page(page, list_mark);
    let only_attached = input.only_attached == Some(true);
    items.retain(|policy| is_wanted(policy, only_attached, input.policy_usage_filter.as_deref()));
    let policies = items.into_iter().map(view::policy).collect();
    Ok(s::ListPoliciesResponse { policies: Some(policies), is_truncated, marker })
}

fn is_wanted(policy: &ManagedPolicyView, only_attached: bool, usage: Option<&str>) -> bool {
    let is_used = match usage {
        Some("PermissionsPolicy") => policy.attachments > 0,
        Some("PermissionsBoundary") => policy.bounds > 0,
        _ => true,
    };
    is_used && (!only_attached || policy.attachments > 0)
}

pub(super) async fn delete_policy(call: &Call<'_>, input: s::DeletePolicyRequest) -> Answer<()> {
    Ok(call.domain.delete_policy(call.caller, &input.policy_arn).await?)
}

pub(super) async fn create_policy_version(
    call: &Call<'_>,
    input: s::CreatePolicyVersionRequest,
) -> Answer<s::CreatePolicyVersionResponse> {
    let set_default = input.set_as_default.unwrap_or(false);
    let (arn, document) = (&input.policy_arn, &input.policy_document);
    let made = call.domain.create_policy_version(call.caller, arn, document, set_default).await?;
    Ok(s::CreatePolicyVersionResponse { policy_version: Some(view::version(&made)) })
}

pub(super) async fn get_policy_version(
    call: &Call<'_>,
    input: s::GetPolicyVersionRequest,
) -> Answer<s::GetPolicyVersionResponse> {
    let version = number(&input.version_id)?;
    let found = call.domain.get_policy_version(call.caller, &input.policy_arn, version).await?;
    Ok(s::GetPolicyVersionResponse { policy_version: Some(view::whole_version(&found)) })
}

pub(super) async fn list_policy_versions(
    call: &Call<'_>,
    input: s::ListPolicyVersionsRequest,
) -> Answer<s::ListPolicyVersionsResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let versions = call.domain.list_policy_versions(call.caller, &input.policy_arn).await?;
    // The newest is the first.
    let cut = at.of_list(versions, |(version, _)| format!("{:020}", u64::MAX - version.version));
    let Cut { items, is_truncated, marker } = cut.map(|version| view::version(&version));
    Ok(s::ListPolicyVersionsResponse { versions: Some(items), is_truncated, marker })
}

pub(super) async fn set_default_policy_version(
    call: &Call<'_>,
    input: s::SetDefaultPolicyVersionRequest,
) -> Answer<()> {
    let version = number(&input.version_id)?;
    Ok(call.domain.set_default_policy_version(call.caller, &input.policy_arn, version).await?)
}

pub(super) async fn delete_policy_version(call: &Call<'_>, input: s::DeletePolicyVersionRequest) -> Answer<()> {
    let version = number(&input.version_id)?;
    Ok(call.domain.delete_policy_version(call.caller, &input.policy_arn, version).await?)
}

/// The number of a version id. Ids of other forms are of no version that there is.
fn number(id: &str) -> Answer<u64> {
    let digits = id.strip_prefix('v').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse::<u32>().ok()).map(u64::from);
    Ok(number.ok_or_else(|| IdentityError::NoSuch { kind: "policy version", name: id.to_owned() })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_by_numbers() {
        assert_eq!((number("v1").unwrap(), number("v4294967295").unwrap()), (1, 4_294_967_295));
        for bad in ["", "1", "v", "v-1", "v+1", "v1.a", "v99999999999999999999", "v1 "] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }
}
