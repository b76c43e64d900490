//! Lifecycle policies: kept and shown. Nothing carries them out yet.

use berth_aws::ecr::shapes as s;

use super::context::{repository, time};
use super::{Answer, Context};

/// `PutLifecyclePolicy`.
pub(super) async fn put(
    cx: &Context<'_>,
    asked: s::PutLifecyclePolicyRequest,
) -> Answer<s::PutLifecyclePolicyResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let name = repository(&asked.repository_name)?;
    domain.put_lifecycle_policy(cx.caller, &name, &asked.lifecycle_policy_text).await?;
    Ok(s::PutLifecyclePolicyResponse {
        registry_id: Some(Context::account(&domain)),
        repository_name: Some(asked.repository_name),
        lifecycle_policy_text: Some(asked.lifecycle_policy_text),
    })
}

/// `GetLifecyclePolicy`.
pub(super) async fn get(
    cx: &Context<'_>,
    asked: s::GetLifecyclePolicyRequest,
) -> Answer<s::GetLifecyclePolicyResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let found = domain.get_lifecycle_policy(cx.caller, &repository(&asked.repository_name)?).await?;
    Ok(s::GetLifecyclePolicyResponse {
        registry_id: Some(Context::account(&domain)),
        repository_name: Some(asked.repository_name),
        lifecycle_policy_text: Some(found.document),
        last_evaluated_at: found.last_evaluated_at.map(time),
    })
}

/// `DeleteLifecyclePolicy`.
pub(super) async fn delete(
    cx: &Context<'_>,
    asked: s::DeleteLifecyclePolicyRequest,
) -> Answer<s::DeleteLifecyclePolicyResponse> {
    let domain = cx.registry(asked.registry_id.as_deref()).await?;
    let gone = domain.delete_lifecycle_policy(cx.caller, &repository(&asked.repository_name)?).await?;
    Ok(s::DeleteLifecyclePolicyResponse {
        registry_id: Some(Context::account(&domain)),
        repository_name: Some(asked.repository_name),
        lifecycle_policy_text: Some(gone.document),
        last_evaluated_at: gone.last_evaluated_at.map(time),
    })
}
