//! Repositories: making, describing and deleting them, and whether their tags may move.

use berth_aws::arn;
use berth_aws::ecr::mutability::TagMutability;
use berth_aws::ecr::shapes as s;
use berth_domain::Domain;
use berth_domain::repositories::{NewRepository, RepositoryDescription};
use berth_oci::name::RepositoryName;

use super::context::{repository, time};
use super::page::Paging;
use super::{Answer, Context, Failure};

/// Repositories of a page where the request does not say how many.
const PAGE: u64 = 100;

/// `CreateRepository`.
pub(super) async fn create(cx: &Context<'_>, asked: s::CreateRepositoryRequest) -> Answer<s::CreateRepositoryResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let filters = asked.image_tag_mutability_exclusion_filters.as_deref();
    let new = NewRepository {
        name: repository(&asked.repository_name)?,
        mutability: mutability(asked.image_tag_mutability.as_deref(), filters)?,
        scan_on_push: asked.image_scanning_configuration.and_then(|scanning| scanning.scan_on_push).unwrap_or(false),
        encryption: asked.encryption_configuration,
        tags: asked.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
    };
    let made = domain.create_repository(cx.caller, new).await?;
    Ok(s::CreateRepositoryResponse { repository: Some(shown(cx, &domain, made)) })
}

/// `DescribeRepositories`.
pub(super) async fn describe(
    cx: &Context<'_>,
    asked: s::DescribeRepositoriesRequest,
) -> Answer<s::DescribeRepositoriesResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let (found, next_token) = if let Some(names) = &asked.repository_names {
        Paging::refuse_with("repositoryNames", asked.next_token.as_deref(), asked.max_results)?;
        let names = names.iter().map(|name| repository(name)).collect::<Answer<Vec<RepositoryName>>>()?;
        (domain.describe_repositories(cx.caller, &names).await?, None)
    } else {
        let paging = Paging::read("DescribeRepositories", asked.next_token.as_deref(), asked.max_results, PAGE)?;
        let page = domain.describe_repositories_behind(cx.caller, &paging.last, paging.limit).await?;
        let next = paging.next_of(&page.items, page.more, |found| found.name.to_string());
        (page.items, next)
    };
    let repositories = found.into_iter().map(|found| shown(cx, &domain, found)).collect();
    Ok(s::DescribeRepositoriesResponse { repositories: Some(repositories), next_token })
}

/// `DeleteRepository`.
pub(super) async fn delete(cx: &Context<'_>, asked: s::DeleteRepositoryRequest) -> Answer<s::DeleteRepositoryResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let gone = domain.delete_repository(cx.caller, &name, asked.force.unwrap_or(false)).await?;
    Ok(s::DeleteRepositoryResponse { repository: Some(shown(cx, &domain, gone)) })
}

/// `PutImageTagMutability`.
pub(super) async fn put_tag_mutability(
    cx: &Context<'_>,
    asked: s::PutImageTagMutabilityRequest,
) -> Answer<s::PutImageTagMutabilityResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    let filters = asked.image_tag_mutability_exclusion_filters;
    let mutability = mutability(Some(&asked.image_tag_mutability), filters.as_deref())?;
    domain.put_tag_mutability(cx.caller, &name, mutability).await?;
    Ok(s::PutImageTagMutabilityResponse {
        registry_id: Some(Context::account(&domain)),
        repository_name: Some(asked.repository_name),
        image_tag_mutability: Some(asked.image_tag_mutability),
        image_tag_mutability_exclusion_filters: filters,
    })
}

fn mutability(mode: Option<&str>, filters: Option<&[s::ImageTagMutabilityExclusionFilter]>) -> Answer<TagMutability> {
    TagMutability::from_shapes(mode, filters).map_err(|invalid| Failure::from(berth_domain::EcrError::from(invalid)))
}

/// A repository as answers show it.
fn shown(cx: &Context<'_>, domain: &Domain, found: RepositoryDescription) -> s::Repository {
    let registry = &domain.settings().registry;
    let host = crate::registry::host_of(domain, &cx.call.parts);
    let filters: Vec<_> = found
        .mutability
        .filters()
        .map(|filter| s::ImageTagMutabilityExclusionFilter {
            filter_type: "WILDCARD".to_owned(),
            filter: filter.to_owned(),
        })
        .collect();
    s::Repository {
        repository_arn: Some(arn::repository(&registry.region, &registry.account, found.name.as_str())),
        registry_id: Some(Context::account(domain)),
        repository_uri: Some(format!("{host}/{}", found.name)),
        repository_name: Some(found.name.to_string()),
        created_at: Some(time(found.created_at)),
        image_tag_mutability: Some(found.mutability.mode_str().to_owned()),
        image_tag_mutability_exclusion_filters: Some(filters).filter(|filters| !filters.is_empty()),
        image_scanning_configuration: Some(s::ImageScanningConfiguration { scan_on_push: Some(found.scan_on_push) }),
        encryption_configuration: Some(s::EncryptionConfiguration { encryption_type: found.encryption, kms_key: None }),
    }
}
