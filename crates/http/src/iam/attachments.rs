//! Which managed policies users, groups and roles have.

use berth_aws::iam::shapes as s;
use berth_domain::identity::Owner;
use berth_store::identity::{Kind, PrincipalRecord};

use super::marker::{Cut, Paging};
use super::{Answer, Call, view};

pub(super) async fn attach_user_policy(call: &Call<'_>, input: s::AttachUserPolicyRequest) -> Answer<()> {
    Ok(call.domain.attach_policy(call.caller, &Owner::user(input.user_name), &input.policy_arn).await?)
}

pub(super) async fn attach_group_policy(call: &Call<'_>, input: s::AttachGroupPolicyRequest) -> Answer<()> {
    Ok(call.domain.attach_policy(call.caller, &Owner::group(input.group_name), &input.policy_arn).await?)
}

pub(super) async fn attach_role_policy(call: &Call<'_>, input: s::AttachRolePolicyRequest) -> Answer<()> {
    Ok(call.domain.attach_policy(call.caller, &Owner::role(input.role_name), &input.policy_arn).await?)
}

pub(super) async fn detach_user_policy(call: &Call<'_>, input: s::DetachUserPolicyRequest) -> Answer<()> {
    Ok(call.domain.detach_policy(call.caller, &Owner::user(input.user_name), &input.policy_arn).await?)
}

pub(super) async fn detach_group_policy(call: &Call<'_>, input: s::DetachGroupPolicyRequest) -> Answer<()> {
    Ok(call.domain.detach_policy(call.caller, &Owner::group(input.group_name), &input.policy_arn).await?)
}

pub(super) async fn detach_role_policy(call: &Call<'_>, input: s::DetachRolePolicyRequest) -> Answer<()> {
    Ok(call.domain.detach_policy(call.caller, &Owner::role(input.role_name), &input.policy_arn).await?)
}

pub(super) async fn list_attached_user_policies(
    call: &Call<'_>,
    input: s::ListAttachedUserPoliciesRequest,
) -> Answer<s::ListAttachedUserPoliciesResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, Owner::user(input.user_name), input.path_prefix, at).await?;
    Ok(s::ListAttachedUserPoliciesResponse { attached_policies: Some(items), is_truncated, marker })
}

pub(super) async fn list_attached_group_policies(
    call: &Call<'_>,
    input: s::ListAttachedGroupPoliciesRequest,
) -> Answer<s::ListAttachedGroupPoliciesResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, Owner::group(input.group_name), input.path_prefix, at).await?;
    Ok(s::ListAttachedGroupPoliciesResponse { attached_policies: Some(items), is_truncated, marker })
}

pub(super) async fn list_attached_role_policies(
    call: &Call<'_>,
    input: s::ListAttachedRolePoliciesRequest,
) -> Answer<s::ListAttachedRolePoliciesResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, Owner::role(input.role_name), input.path_prefix, at).await?;
    Ok(s::ListAttachedRolePoliciesResponse { attached_policies: Some(items), is_truncated, marker })
}

async fn list(call: &Call<'_>, owner: Owner, prefix: Option<String>, at: Paging) -> Answer<Cut<s::AttachedPolicy>> {
    let mut arns = call.domain.attached_policies(call.caller, &owner).await?;
    arns.retain(|arn| view::path_of(arn).starts_with(prefix.as_deref().unwrap_or("/")));
    Ok(at.of_list(arns, Clone::clone).map(view::attached))
}

pub(super) async fn list_entities_for_policy(
    call: &Call<'_>,
    input: s::ListEntitiesForPolicyRequest,
) -> Answer<s::ListEntitiesForPolicyResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let found = call.domain.entities_of(call.caller, &input.policy_arn).await?;
    let (attached, bounded) = match input.policy_usage_filter.as_deref() {
        Some("PermissionsPolicy") => (found.attached, Vec::new()),
        Some("PermissionsBoundary") => (Vec::new(), found.bounded),
        _ => (found.attached, found.bounded),
    };
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let mut entities = [attached, bounded].concat();
    // Who is in both is listed once.
    entities.sort_by_cached_key(key);
    entities.dedup_by(|one, other| one.unique_id == other.unique_id);
    entities.retain(|entity| is_wanted(entity, input.entity_filter.as_deref(), prefix));
    let Cut { items, is_truncated, marker } = at.of_list(entities, key);
    Ok(s::ListEntitiesForPolicyResponse { is_truncated, marker, ..sorted(items) })
}

fn is_wanted(entity: &PrincipalRecord, filter: Option<&str>, prefix: &str) -> bool {
    let word = match entity.kind {
        Kind::User => "User",
        Kind::Group => "Group",
        Kind::Role => "Role",
    };
    filter.is_none_or(|filter| filter == word) && entity.path.starts_with(prefix)
}

fn key(entity: &PrincipalRecord) -> String {
    format!("{}/{}", entity.kind.as_str(), entity.name.to_lowercase())
}

fn sorted(entities: Vec<PrincipalRecord>) -> s::ListEntitiesForPolicyResponse {
    let (mut users, mut groups, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    for PrincipalRecord { kind, name, unique_id, .. } in entities {
        let (name, id) = (Some(name), Some(unique_id));
        match kind {
            Kind::User => users.push(s::PolicyUser { user_name: name, user_id: id }),
            Kind::Group => groups.push(s::PolicyGroup { group_name: name, group_id: id }),
            Kind::Role => roles.push(s::PolicyRole { role_name: name, role_id: id }),
        }
    }
    s::ListEntitiesForPolicyResponse {
        policy_users: Some(users),
        policy_groups: Some(groups),
        policy_roles: Some(roles),
        ..s::ListEntitiesForPolicyResponse::default()
    }
}
