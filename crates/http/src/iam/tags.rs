//! Tags of users, roles and policies.

use berth_aws::iam::shapes as s;
use berth_domain::identity::Owner;
use berth_domain::identity::tags::Tagged;

use super::marker::{Cut, Paging};
use super::{Answer, Call, view};

pub(super) async fn tag_user(call: &Call<'_>, input: s::TagUserRequest) -> Answer<()> {
    tag(call, user(input.user_name), input.tags).await
}

pub(super) async fn tag_role(call: &Call<'_>, input: s::TagRoleRequest) -> Answer<()> {
    tag(call, role(input.role_name), input.tags).await
}

pub(super) async fn tag_policy(call: &Call<'_>, input: s::TagPolicyRequest) -> Answer<()> {
    tag(call, Tagged::Policy(input.policy_arn), input.tags).await
}

async fn tag(call: &Call<'_>, tagged: Tagged, tags: Vec<s::Tag>) -> Answer<()> {
    Ok(call.domain.tag(call.caller, &tagged, view::pairs(tags)).await?)
}

pub(super) async fn untag_user(call: &Call<'_>, input: s::UntagUserRequest) -> Answer<()> {
    untag(call, user(input.user_name), input.tag_keys).await
}

pub(super) async fn untag_role(call: &Call<'_>, input: s::UntagRoleRequest) -> Answer<()> {
    untag(call, role(input.role_name), input.tag_keys).await
}

pub(super) async fn untag_policy(call: &Call<'_>, input: s::UntagPolicyRequest) -> Answer<()> {
    untag(call, Tagged::Policy(input.policy_arn), input.tag_keys).await
}

async fn untag(call: &Call<'_>, tagged: Tagged, keys: Vec<String>) -> Answer<()> {
    Ok(call.domain.untag(call.caller, &tagged, keys).await?)
}

pub(super) async fn list_user_tags(call: &Call<'_>, input: s::ListUserTagsRequest) -> Answer<s::ListUserTagsResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, user(input.user_name), at).await?;
    Ok(s::ListUserTagsResponse { tags: items, is_truncated, marker })
}

pub(super) async fn list_role_tags(call: &Call<'_>, input: s::ListRoleTagsRequest) -> Answer<s::ListRoleTagsResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, role(input.role_name), at).await?;
    Ok(s::ListRoleTagsResponse { tags: items, is_truncated, marker })
}

pub(super) async fn list_policy_tags(
    call: &Call<'_>,
    input: s::ListPolicyTagsRequest,
) -> Answer<s::ListPolicyTagsResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let Cut { items, is_truncated, marker } = list(call, Tagged::Policy(input.policy_arn), at).await?;
    Ok(s::ListPolicyTagsResponse { tags: items, is_truncated, marker })
}

async fn list(call: &Call<'_>, tagged: Tagged, at: Paging) -> Answer<Cut<s::Tag>> {
    let tags = view::tags(call.domain.tags_of(call.caller, &tagged).await?);
    Ok(at.of_list(tags, |tag| tag.key.clone()))
}

fn user(name: String) -> Tagged {
    Tagged::Principal(Owner::user(name))
}

fn role(name: String) -> Tagged {
    Tagged::Principal(Owner::role(name))
}
