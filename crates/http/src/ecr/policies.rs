//! Policies of repositories and of the registry.

use berth_aws::ecr::shapes as s;

use super::context::repository;
use super::{Answer, Context};

/// `SetRepositoryPolicy`.
pub(super) async fn set_of_repository(
    cx: &Context<'_>,
    asked: s::SetRepositoryPolicyRequest,
) -> Answer<s::SetRepositoryPolicyResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    domain.set_repository_policy(cx.caller, &name, &asked.policy_text, asked.force.unwrap_or(false)).await?;
    Ok(s::SetRepositoryPolicyResponse {
        registry_id: Some(Context::account(&domain)),
        repository_name: Some(asked.repository_name),
        policy_text: Some(asked.policy_text),
    })
}

/// `GetRepositoryPolicy`.
pub(super) async fn get_of_repository(
    cx: &Context<'_>,
    asked: s::GetRepositoryPolicyRequest,
) -> Answer<s::GetRepositoryPolicyResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let text = domain.get_repository_policy(cx.caller, &repository(&asked.repository_name)?).await?;
    Ok(s::GetRepositoryPolicyResponse {
        registry_id: Some(Context::account(&domain)),
        repository_name: Some(asked.repository_name),
        policy_text: Some(text),
    })
}

/// `DeleteRepositoryPolicy`.
pub(super) async fn delete_of_repository(
    cx: &Context<'_>,
    asked: s::DeleteRepositoryPolicyRequest,
) -> Answer<s::DeleteRepositoryPolicyResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let text = domain.delete_repository_policy(cx.caller, &repository(&asked.repository_name)?).await?;
    Ok(s::DeleteRepositoryPolicyResponse {
        registry_id: Some(Context::account(&domain)),
        repository_name: Some(asked.repository_name),
        policy_text: Some(text),
    })
}

/// `PutRegistryPolicy`.
pub(super) async fn put_of_registry(
    cx: &Context<'_>,
    asked: s::PutRegistryPolicyRequest,
) -> Answer<s::PutRegistryPolicyResponse> {
    let domain = cx.registry(None).await?;
    domain.set_registry_policy(cx.caller, asked.policy_text.clone()).await?;
    Ok(s::PutRegistryPolicyResponse {
        registry_id: Some(Context::account(&domain)),
        policy_text: Some(asked.policy_text),
    })
}

/// `GetRegistryPolicy`.
pub(super) async fn get_of_registry(
    cx: &Context<'_>,
    _asked: s::GetRegistryPolicyRequest,
) -> Answer<s::GetRegistryPolicyResponse> {
    let domain = cx.registry(None).await?;
    let text = domain.get_registry_policy(cx.caller).await?;
    Ok(s::GetRegistryPolicyResponse { registry_id: Some(Context::account(&domain)), policy_text: Some(text) })
}

/// `DeleteRegistryPolicy`.
pub(super) async fn delete_of_registry(
    cx: &Context<'_>,
    _asked: s::DeleteRegistryPolicyRequest,
) -> Answer<s::DeleteRegistryPolicyResponse> {
    let domain = cx.registry(None).await?;
    let text = domain.delete_registry_policy(cx.caller).await?;
    Ok(s::DeleteRegistryPolicyResponse { registry_id: Some(Context::account(&domain)), policy_text: Some(text) })
}
