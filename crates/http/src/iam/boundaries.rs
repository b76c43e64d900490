//! Permissions boundaries of users and roles.

use berth_aws::iam::shapes as s;
use berth_domain::identity::Owner;

use super::{Answer, Call};

pub(super) async fn put_user_permissions_boundary(
    call: &Call<'_>,
    input: s::PutUserPermissionsBoundaryRequest,
) -> Answer<()> {
    set(call, Owner::user(input.user_name), Some(input.permissions_boundary)).await
}

pub(super) async fn put_role_permissions_boundary(
    call: &Call<'_>,
    input: s::PutRolePermissionsBoundaryRequest,
) -> Answer<()> {
    set(call, Owner::role(input.role_name), Some(input.permissions_boundary)).await
}

pub(super) async fn delete_user_permissions_boundary(
    call: &Call<'_>,
    input: s::DeleteUserPermissionsBoundaryRequest,
) -> Answer<()> {
    set(call, Owner::user(input.user_name), None).await
}

pub(super) async fn delete_role_permissions_boundary(
    call: &Call<'_>,
    input: s::DeleteRolePermissionsBoundaryRequest,
) -> Answer<()> {
    set(call, Owner::role(input.role_name), None).await
}

async fn set(call: &Call<'_>, owner: Owner, boundary: Option<String>) -> Answer<()> {
    Ok(call.domain.set_boundary(call.caller, &owner, boundary).await?)
}
