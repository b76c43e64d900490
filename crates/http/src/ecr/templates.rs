//! Repository creation templates.

use berth_aws::ecr::shapes as s;

use super::page::Paging;
use super::{Answer, Context};

/// Templates of a page where the request does not say how many.
const PAGE: u64 = 100;

/// `CreateRepositoryCreationTemplate`.
pub(super) async fn create(
    cx: &Context<'_>,
    asked: s::CreateRepositoryCreationTemplateRequest,
) -> Answer<s::CreateRepositoryCreationTemplateResponse> {
    let domain = cx.registry(None).await?;
    let made = domain.create_template(cx.caller, asked).await?;
    Ok(s::CreateRepositoryCreationTemplateResponse {
        registry_id: Some(Context::account(&domain)),
        repository_creation_template: Some(made),
    })
}

/// `UpdateRepositoryCreationTemplate`.
pub(super) async fn update(
    cx: &Context<'_>,
    asked: s::UpdateRepositoryCreationTemplateRequest,
) -> Answer<s::UpdateRepositoryCreationTemplateResponse> {
    let domain = cx.registry(None).await?;
    let changed = domain.update_template(cx.caller, asked).await?;
    Ok(s::UpdateRepositoryCreationTemplateResponse {
        registry_id: Some(Context::account(&domain)),
        repository_creation_template: Some(changed),
    })
}

/// `DeleteRepositoryCreationTemplate`.
pub(super) async fn delete(
    cx: &Context<'_>,
    asked: s::DeleteRepositoryCreationTemplateRequest,
) -> Answer<s::DeleteRepositoryCreationTemplateResponse> {
    let domain = cx.registry(None).await?;
    let gone = domain.delete_template(cx.caller, &asked.prefix).await?;
    Ok(s::DeleteRepositoryCreationTemplateResponse {
        registry_id: Some(Context::account(&domain)),
        repository_creation_template: Some(gone),
    })
}

/// `DescribeRepositoryCreationTemplates`.
pub(super) async fn describe(
    cx: &Context<'_>,
    asked: s::DescribeRepositoryCreationTemplatesRequest,
) -> Answer<s::DescribeRepositoryCreationTemplatesResponse> {
    const OPERATION: &str = "DescribeRepositoryCreationTemplates";
    let domain = cx.registry(None).await?;
    let (found, next_token) = if let Some(prefixes) = &asked.prefixes {
        Paging::refuse_with("prefixes", asked.next_token.as_deref(), asked.max_results)?;
        (domain.describe_templates(cx.caller, prefixes).await?, None)
    } else {
        let paging = Paging::read(OPERATION, asked.next_token.as_deref(), asked.max_results, PAGE)?;
        let page = domain.describe_templates_behind(cx.caller, &paging.last, paging.limit).await?;
        let next = paging.next_of(&page.items, page.more, |found| found.prefix.clone().unwrap_or_default());
        (page.items, next)
    };
    Ok(s::DescribeRepositoryCreationTemplatesResponse {
        registry_id: Some(Context::account(&domain)),
        repository_creation_templates: Some(found),
        next_token,
    })
}
