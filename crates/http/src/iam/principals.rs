//! Users, groups and roles.

use berth_aws::iam::shapes as s;
use berth_domain::identity::Owner;
use berth_domain::identity::principals::{DEFAULT_SESSION, NewPrincipal, NewRole, Principal, PrincipalChange};
use berth_store::identity::{Kind, PrincipalRecord};

use super::marker::{Cut, Paging};
use super::{Answer, Call, view};

const ROOT: &str = "/";

pub(super) async fn create_user(call: &Call<'_>, input: s::CreateUserRequest) -> Answer<s::CreateUserResponse> {
    let made = create(
        call,
        NewPrincipal {
            owner: Owner::user(input.user_name),
            path: input.path.unwrap_or_else(|| ROOT.to_owned()),
            boundary: input.permissions_boundary,
            tags: view::pairs(input.tags.into_iter().flatten()),
            role: None,
        },
    );
    Ok(s::CreateUserResponse { user: Some(view::whole_user(made.await?)) })
}

pub(super) async fn create_group(call: &Call<'_>, input: s::CreateGroupRequest) -> Answer<s::CreateGroupResponse> {
    let made = create(
        call,
        NewPrincipal {
            owner: Owner::group(input.group_name),
            path: input.path.unwrap_or_else(|| ROOT.to_owned()),
            boundary: None,
            tags: Vec::new(),
            role: None,
        },
    );
    Ok(s::CreateGroupResponse { group: view::group(made.await?.record) })
}

pub(super) async fn create_role(call: &Call<'_>, input: s::CreateRoleRequest) -> Answer<s::CreateRoleResponse> {
    super::refuse_parameter("MaxSigninSessionDuration", input.max_signin_session_duration.is_some())?;
    let role = NewRole {
        trust_policy: input.assume_role_policy_document,
        description: input.description,
        max_session: seconds(input.max_session_duration).unwrap_or(DEFAULT_SESSION),
    };
    let made = create(
        call,
        NewPrincipal {
            owner: Owner::role(input.role_name),
            path: input.path.unwrap_or_else(|| ROOT.to_owned()),
            boundary: input.permissions_boundary,
            tags: view::pairs(input.tags.into_iter().flatten()),
            role: Some(role),
        },
    );
    Ok(s::CreateRoleResponse { role: view::whole_role(made.await?) })
}

async fn create(call: &Call<'_>, new: NewPrincipal) -> Answer<Principal> {
    Ok(call.domain.create_principal(call.caller, new).await?)
}

pub(super) async fn get_user(call: &Call<'_>, input: s::GetUserRequest) -> Answer<s::GetUserResponse> {
    let owner = Owner::user(call.user_or_own(input.user_name)?);
    let user = call.domain.get_principal(call.caller, &owner).await?;
    Ok(s::GetUserResponse { user: view::whole_user(user) })
}

pub(super) async fn get_group(call: &Call<'_>, input: s::GetGroupRequest) -> Answer<s::GetGroupResponse> {
    let paging = Paging::read(input.marker.as_deref(), input.max_items)?;
    let group = call.domain.get_principal(call.caller, &Owner::group(&input.group_name)).await?;
    let members = call.domain.members_of(call.caller, &input.group_name, &paging.last, paging.limit).await?;
    let Cut { items, is_truncated, marker } = Paging::page(members, name).map(view::user);
    Ok(s::GetGroupResponse { group: view::group(group.record), users: items, is_truncated, marker })
}

pub(super) async fn get_role(call: &Call<'_>, input: s::GetRoleRequest) -> Answer<s::GetRoleResponse> {
    let role = call.domain.get_principal(call.caller, &Owner::role(input.role_name)).await?;
    Ok(s::GetRoleResponse { role: view::whole_role(role) })
}

pub(super) async fn list_users(call: &Call<'_>, input: s::ListUsersRequest) -> Answer<s::ListUsersResponse> {
    let paging = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, Kind::User, input.path_prefix, paging).await?.map(view::user);
    Ok(s::ListUsersResponse { users: items, is_truncated, marker })
}

pub(super) async fn list_groups(call: &Call<'_>, input: s::ListGroupsRequest) -> Answer<s::ListGroupsResponse> {
    let paging = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } =
        list(call, Kind::Group, input.path_prefix, paging).await?.map(view::group);
    Ok(s::ListGroupsResponse { groups: items, is_truncated, marker })
}

pub(super) async fn list_roles(call: &Call<'_>, input: s::ListRolesRequest) -> Answer<s::ListRolesResponse> {
    let paging = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, Kind::Role, input.path_prefix, paging).await?.map(view::role);
    Ok(s::ListRolesResponse { roles: items, is_truncated, marker })
}

async fn list(call: &Call<'_>, kind: Kind, prefix: Option<String>, at: Paging) -> Answer<Cut<PrincipalRecord>> {
    let prefix = prefix.as_deref().unwrap_or(ROOT);
    let page = call.domain.list_principals(call.caller, kind, prefix, &at.last, at.limit).await?;
    Ok(Paging::page(page, name))
}

/// What stands for one in a marker.
pub(super) fn name(record: &PrincipalRecord) -> String {
    record.name.clone()
}

pub(super) async fn update_user(call: &Call<'_>, input: s::UpdateUserRequest) -> Answer<()> {
    let change = PrincipalChange { name: input.new_user_name, path: input.new_path, ..PrincipalChange::default() };
    update(call, "iam:UpdateUser", &Owner::user(input.user_name), change).await.map(drop)
}

pub(super) async fn update_group(call: &Call<'_>, input: s::UpdateGroupRequest) -> Answer<()> {
    let change = PrincipalChange { name: input.new_group_name, path: input.new_path, ..PrincipalChange::default() };
    update(call, "iam:UpdateGroup", &Owner::group(input.group_name), change).await.map(drop)
}

pub(super) async fn update_role(call: &Call<'_>, input: s::UpdateRoleRequest) -> Answer<s::UpdateRoleResponse> {
    super::refuse_parameter("MaxSigninSessionDuration", input.max_signin_session_duration.is_some())?;
    super::refuse_parameter("ResetMaxSigninSessionDuration", input.reset_max_signin_session_duration == Some(true))?;
    let max_session = seconds(input.max_session_duration);
    let change = PrincipalChange { description: input.description, max_session, ..PrincipalChange::default() };
    update(call, "iam:UpdateRole", &Owner::role(input.role_name), change).await?;
    Ok(s::UpdateRoleResponse {})
}

pub(super) async fn update_role_description(
    call: &Call<'_>,
    input: s::UpdateRoleDescriptionRequest,
) -> Answer<s::UpdateRoleDescriptionResponse> {
    let change = PrincipalChange { description: Some(input.description), ..PrincipalChange::default() };
    let role = update(call, "iam:UpdateRoleDescription", &Owner::role(input.role_name), change).await?;
    Ok(s::UpdateRoleDescriptionResponse { role: Some(view::whole_role(role)) })
}

pub(super) async fn update_assume_role_policy(call: &Call<'_>, input: s::UpdateAssumeRolePolicyRequest) -> Answer<()> {
    let change = PrincipalChange { trust_policy: Some(input.policy_document), ..PrincipalChange::default() };
    update(call, "iam:UpdateAssumeRolePolicy", &Owner::role(input.role_name), change).await.map(drop)
}

async fn update(call: &Call<'_>, action: &'static str, owner: &Owner, change: PrincipalChange) -> Answer<Principal> {
    Ok(call.domain.update_principal(call.caller, action, owner, change).await?)
}

pub(super) async fn delete_user(call: &Call<'_>, input: s::DeleteUserRequest) -> Answer<()> {
    Ok(call.domain.delete_principal(call.caller, &Owner::user(input.user_name)).await?)
}

pub(super) async fn delete_group(call: &Call<'_>, input: s::DeleteGroupRequest) -> Answer<()> {
    Ok(call.domain.delete_principal(call.caller, &Owner::group(input.group_name)).await?)
}

pub(super) async fn delete_role(call: &Call<'_>, input: s::DeleteRoleRequest) -> Answer<()> {
    Ok(call.domain.delete_principal(call.caller, &Owner::role(input.role_name)).await?)
}

fn seconds(given: Option<i32>) -> Option<u64> {
    given.and_then(|seconds| u64::try_from(seconds).ok())
}
