//! Pull-through cache rules: kept and shown. Nothing is fetched by them yet.

use berth_aws::ecr::shapes as s;

use super::page::Paging;
use super::{Answer, Context};

/// Rules of a page where the request does not say how many.
const PAGE: u64 = 100;

/// `CreatePullThroughCacheRule`.
pub(super) async fn create(
    cx: &Context<'_>,
    asked: s::CreatePullThroughCacheRuleRequest,
) -> Answer<s::CreatePullThroughCacheRuleResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let made = domain.create_pull_through_rule(cx.caller, asked).await?;
    Ok(s::CreatePullThroughCacheRuleResponse {
        ecr_repository_prefix: made.ecr_repository_prefix,
        upstream_registry_url: made.upstream_registry_url,
        created_at: made.created_at,
        registry_id: made.registry_id,
        upstream_registry: made.upstream_registry,
        credential_arn: made.credential_arn,
        custom_role_arn: made.custom_role_arn,
        upstream_repository_prefix: made.upstream_repository_prefix,
    })
}

/// `UpdatePullThroughCacheRule`.
pub(super) async fn update(
    cx: &Context<'_>,
    asked: s::UpdatePullThroughCacheRuleRequest,
) -> Answer<s::UpdatePullThroughCacheRuleResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let changed = domain.update_pull_through_rule(cx.caller, asked).await?;
    Ok(s::UpdatePullThroughCacheRuleResponse {
        ecr_repository_prefix: changed.ecr_repository_prefix,
        registry_id: changed.registry_id,
        updated_at: changed.updated_at,
        credential_arn: changed.credential_arn,
        custom_role_arn: changed.custom_role_arn,
        upstream_repository_prefix: changed.upstream_repository_prefix,
    })
}

/// `DeletePullThroughCacheRule`.
pub(super) async fn delete(
    cx: &Context<'_>,
    asked: s::DeletePullThroughCacheRuleRequest,
) -> Answer<s::DeletePullThroughCacheRuleResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let gone = domain.delete_pull_through_rule(cx.caller, &asked.ecr_repository_prefix).await?;
    Ok(s::DeletePullThroughCacheRuleResponse {
        ecr_repository_prefix: gone.ecr_repository_prefix,
        upstream_registry_url: gone.upstream_registry_url,
        created_at: gone.created_at,
        registry_id: gone.registry_id,
        credential_arn: gone.credential_arn,
        custom_role_arn: gone.custom_role_arn,
        upstream_repository_prefix: gone.upstream_repository_prefix,
    })
}

/// `DescribePullThroughCacheRules`.
pub(super) async fn describe(
    cx: &Context<'_>,
    asked: s::DescribePullThroughCacheRulesRequest,
) -> Answer<s::DescribePullThroughCacheRulesResponse> {
    const OPERATION: &str = "DescribePullThroughCacheRules";
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let (found, next_token) = if let Some(prefixes) = &asked.ecr_repository_prefixes {
        Paging::refuse_with("ecrRepositoryPrefixes", asked.next_token.as_deref(), asked.max_results)?;
        (domain.describe_pull_through_rules(cx.caller, prefixes).await?, None)
    } else {
        let paging = Paging::read(OPERATION, asked.next_token.as_deref(), asked.max_results, PAGE)?;
        let page = domain.describe_pull_through_rules_behind(cx.caller, &paging.last, paging.limit).await?;
        let key = |found: &s::PullThroughCacheRule| found.ecr_repository_prefix.clone().unwrap_or_default();
        let next = paging.next_of(&page.items, page.more, key);
        (page.items, next)
    };
    Ok(s::DescribePullThroughCacheRulesResponse { pull_through_cache_rules: Some(found), next_token })
}
