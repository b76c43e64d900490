//! Tags of resources. Repositories are the only ones.

use std::borrow::Cow;

use berth_aws::arn;
use berth_aws::ecr::shapes as s;
use berth_domain::Domain;
use berth_oci::name::RepositoryName;

use super::context::invalid;
use super::{Answer, Context};

/// `TagResource`.
pub(super) async fn tag(cx: &Context<'_>, asked: s::TagResourceRequest) -> Answer<s::TagResourceResponse> {
    let (domain, name) = resource(cx, &asked.resource_arn).await?;
    let tags = asked.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    domain.tag_repository(cx.caller, &name, tags).await?;
    Ok(s::TagResourceResponse {})
}

/// `UntagResource`.
pub(super) async fn untag(cx: &Context<'_>, asked: s::UntagResourceRequest) -> Answer<s::UntagResourceResponse> {
    let (domain, name) = resource(cx, &asked.resource_arn).await?;
    domain.untag_repository(cx.caller, &name, asked.tag_keys).await?;
    Ok(s::UntagResourceResponse {})
}

/// `ListTagsForResource`.
pub(super) async fn list(
    cx: &Context<'_>,
    asked: s::ListTagsForResourceRequest,
) -> Answer<s::ListTagsForResourceResponse> {
    let (domain, name) = resource(cx, &asked.resource_arn).await?;
    let tags = domain.tags_of_repository(cx.caller, &name).await?;
    let tags = tags.into_iter().map(|(key, value)| s::Tag { key, value }).collect();
    Ok(s::ListTagsForResourceResponse { tags: Some(tags) })
}

/// The repository of an ARN: `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`.
async fn resource<'a>(cx: &Context<'a>, text: &str) -> Answer<(Cow<'a, Domain>, RepositoryName)> {
    let wrong =
        || invalid("resourceArn", "must be the ARN of a repository: arn:aws:ecr:REGION:ACCOUNT:repository/NAME");
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", _, "ecr", _, account, resource] = parts[..] else { return Err(wrong()) };
    let name = resource.strip_prefix("repository/").and_then(|name| RepositoryName::parse(name).ok());
    let name = name.ok_or_else(wrong)?;
    let domain = cx.registry(Some(account)).await?;
    let registry = &domain.settings().registry;
    // The one way to write it; another region or partition is another resource, which is not here.
    if arn::repository(&registry.region, &registry.account, name.as_str()) != text {
        return Err(invalid("resourceArn", format_args!("no resource of region {} of this registry", registry.region)));
    }
    Ok((domain, name))
}
