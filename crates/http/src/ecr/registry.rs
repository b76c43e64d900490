//! What holds for a registry as a whole: replication, account settings, and whose pulls do not count.

use berth_aws::ecr::shapes as s;

use super::context::time;
use super::page::Paging;
use super::{Answer, Context};

/// Exclusions of a page where the request does not say how many.
const PAGE: u64 = 100;

/// `DescribeRegistry`.
pub(super) async fn describe(
    cx: &Context<'_>,
    _asked: s::DescribeRegistryRequest,
) -> Answer<s::DescribeRegistryResponse> {
    let domain = cx.registry(None).await?;
    let configuration = domain.describe_registry(cx.caller).await?;
    Ok(s::DescribeRegistryResponse {
        registry_id: Some(Context::account(&domain)),
        replication_configuration: Some(configuration),
    })
}

/// `PutReplicationConfiguration`.
pub(super) async fn put_replication(
    cx: &Context<'_>,
    asked: s::PutReplicationConfigurationRequest,
) -> Answer<s::PutReplicationConfigurationResponse> {
    let domain = cx.registry(None).await?;
    let configuration = domain.put_replication(cx.caller, asked.replication_configuration).await?;
    Ok(s::PutReplicationConfigurationResponse { replication_configuration: Some(configuration) })
}

/// `GetAccountSetting`.
pub(super) async fn get_account_setting(
    cx: &Context<'_>,
    asked: s::GetAccountSettingRequest,
) -> Answer<s::GetAccountSettingResponse> {
    let domain = cx.registry(None).await?;
    let value = domain.get_account_setting(cx.caller, &asked.name).await?;
    Ok(s::GetAccountSettingResponse { name: Some(asked.name), value: Some(value) })
}

/// `PutAccountSetting`.
pub(super) async fn put_account_setting(
    cx: &Context<'_>,
    asked: s::PutAccountSettingRequest,
) -> Answer<s::PutAccountSettingResponse> {
    let domain = cx.registry(None).await?;
    domain.put_account_setting(cx.caller, &asked.name, &asked.value).await?;
    Ok(s::PutAccountSettingResponse { name: Some(asked.name), value: Some(asked.value) })
}

/// `RegisterPullTimeUpdateExclusion`.
pub(super) async fn register_exclusion(
    cx: &Context<'_>,
    asked: s::RegisterPullTimeUpdateExclusionRequest,
) -> Answer<s::RegisterPullTimeUpdateExclusionResponse> {
    let domain = cx.registry(None).await?;
    let at = domain.register_exclusion(cx.caller, &asked.principal_arn).await?;
    Ok(s::RegisterPullTimeUpdateExclusionResponse {
        principal_arn: Some(asked.principal_arn),
        created_at: Some(time(at)),
    })
}

/// `DeregisterPullTimeUpdateExclusion`.
pub(super) async fn deregister_exclusion(
    cx: &Context<'_>,
    asked: s::DeregisterPullTimeUpdateExclusionRequest,
) -> Answer<s::DeregisterPullTimeUpdateExclusionResponse> {
    let domain = cx.registry(None).await?;
    domain.deregister_exclusion(cx.caller, &asked.principal_arn).await?;
    Ok(s::DeregisterPullTimeUpdateExclusionResponse { principal_arn: Some(asked.principal_arn) })
}

/// `ListPullTimeUpdateExclusions`.
pub(super) async fn list_exclusions(
    cx: &Context<'_>,
    asked: s::ListPullTimeUpdateExclusionsRequest,
) -> Answer<s::ListPullTimeUpdateExclusionsResponse> {
    let domain = cx.registry(None).await?;
    let paging = Paging::read("ListPullTimeUpdateExclusions", asked.next_token.as_deref(), asked.max_results, PAGE)?;
    let page = domain.list_exclusions(cx.caller, &paging.last, paging.limit).await?;
    let next_token = paging.next_of(&page.items, page.more, Clone::clone);
    Ok(s::ListPullTimeUpdateExclusionsResponse { pull_time_update_exclusions: Some(page.items), next_token })
}
