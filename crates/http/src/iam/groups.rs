//! Who is in which group.

use berth_aws::iam::shapes as s;

use super::marker::{Cut, Paging};
use super::principals::name;
use super::{Answer, Call, view};

pub(super) async fn add_user_to_group(call: &Call<'_>, input: s::AddUserToGroupRequest) -> Answer<()> {
    Ok(call.domain.add_to_group(call.caller, &input.group_name, &input.user_name).await?)
}

pub(super) async fn remove_user_from_group(call: &Call<'_>, input: s::RemoveUserFromGroupRequest) -> Answer<()> {
    Ok(call.domain.remove_from_group(call.caller, &input.group_name, &input.user_name).await?)
}

pub(super) async fn list_groups_for_user(
    call: &Call<'_>,
    input: s::ListGroupsForUserRequest,
) -> Answer<s::ListGroupsForUserResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let page = call.domain.groups_of(call.caller, &input.user_name, &at.last, at.limit).await?;
    let Cut { items, is_truncated, marker } = Paging::page(page, name).map(view::group);
    Ok(s::ListGroupsForUserResponse { groups: items, is_truncated, marker })
}
