//! Policies that belong to one user, group or role.

use berth_aws::iam::shapes as s;
use berth_domain::identity::Owner;

use super::marker::{Cut, Paging};
use super::{Answer, Call, view};

pub(super) async fn put_user_policy(call: &Call<'_>, input: s::PutUserPolicyRequest) -> Answer<()> {
    put(call, Owner::user(input.user_name), &input.policy_name, &input.policy_document).await
}

pub(super) async fn put_group_policy(call: &Call<'_>, input: s::PutGroupPolicyRequest) -> Answer<()> {
    put(call, Owner::group(input.group_name), &input.policy_name, &input.policy_document).await
}

pub(super) async fn put_role_policy(call: &Call<'_>, input: s::PutRolePolicyRequest) -> Answer<()> {
    put(call, Owner::role(input.role_name), &input.policy_name, &input.policy_document).await
}

async fn put(call: &Call<'_>, owner: Owner, name: &str, document: &str) -> Answer<()> {
    Ok(call.domain.put_inline_policy(call.caller, &owner, name, document).await?)
}

pub(super) async fn get_user_policy(
    call: &Call<'_>,
    input: s::GetUserPolicyRequest,
) -> Answer<s::GetUserPolicyResponse> {
    let (user_name, policy_name) = (input.user_name, input.policy_name);
    let policy_document = get(call, Owner::user(&user_name), &policy_name).await?;
    Ok(s::GetUserPolicyResponse { user_name, policy_name, policy_document })
}

pub(super) async fn get_group_policy(
    call: &Call<'_>,
    input: s::GetGroupPolicyRequest,
) -> Answer<s::GetGroupPolicyResponse> {
    let (group_name, policy_name) = (input.group_name, input.policy_name);
    let policy_document = get(call, Owner::group(&group_name), &policy_name).await?;
    Ok(s::GetGroupPolicyResponse { group_name, policy_name, policy_document })
}

pub(super) async fn get_role_policy(
    call: &Call<'_>,
    input: s::GetRolePolicyRequest,
) -> Answer<s::GetRolePolicyResponse> {
    let (role_name, policy_name) = (input.role_name, input.policy_name);
    let policy_document = get(call, Owner::role(&role_name), &policy_name).await?;
    Ok(s::GetRolePolicyResponse { role_name, policy_name, policy_document })
}

async fn get(call: &Call<'_>, owner: Owner, name: &str) -> Answer<String> {
    Ok(view::document(&call.domain.get_inline_policy(call.caller, &owner, name).await?))
}

pub(super) async fn list_user_policies(
    call: &Call<'_>,
    input: s::ListUserPoliciesRequest,
) -> Answer<s::ListUserPoliciesResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, Owner::user(input.user_name), at).await?;
    Ok(s::ListUserPoliciesResponse { policy_names: items, is_truncated, marker })
}

pub(super) async fn list_group_policies(
    call: &Call<'_>,
    input: s::ListGroupPoliciesRequest,
) -> Answer<s::ListGroupPoliciesResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, Owner::group(input.group_name), at).await?;
    Ok(s::ListGroupPoliciesResponse { policy_names: items, is_truncated, marker })
}

pub(super) async fn list_role_policies(
    call: &Call<'_>,
    input: s::ListRolePoliciesRequest,
) -> Answer<s::ListRolePoliciesResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, Owner::role(input.role_name), at).await?;
    Ok(s::ListRolePoliciesResponse { policy_names: items, is_truncated, marker })
}

async fn list(call: &Call<'_>, owner: Owner, at: Paging) -> Answer<Cut<String>> {
    let names = call.domain.list_inline_policies(call.caller, &owner).await?;
    Ok(at.of_list(names, Clone::clone))
}

pub(super) async fn delete_user_policy(call: &Call<'_>, input: s::DeleteUserPolicyRequest) -> Answer<()> {
    delete(call, Owner::user(input.user_name), &input.policy_name).await
}

pub(super) async fn delete_group_policy(call: &Call<'_>, input: s::DeleteGroupPolicyRequest) -> Answer<()> {
    delete(call, Owner::group(input.group_name), &input.policy_name).await
}

pub(super) async fn delete_role_policy(call: &Call<'_>, input: s::DeleteRolePolicyRequest) -> Answer<()> {
    delete(call, Owner::role(input.role_name), &input.policy_name).await
}

async fn delete(call: &Call<'_>, owner: Owner, name: &str) -> Answer<()> {
    Ok(call.domain.delete_inline_policy(call.caller, &owner, name).await?)
}
