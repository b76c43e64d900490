//! What is to be signed on push: kept and shown. Nothing is signed yet.

use berth_aws::ecr::shapes as s;

use super::{Answer, Context};

/// `PutSigningConfiguration`.
pub(super) async fn put(
    cx: &Context<'_>,
    asked: s::PutSigningConfigurationRequest,
) -> Answer<s::PutSigningConfigurationResponse> {
    let domain = cx.registry(None).await?;
    let kept = domain.put_signing(cx.caller, asked.signing_configuration).await?;
    Ok(s::PutSigningConfigurationResponse { signing_configuration: Some(kept) })
}

/// `GetSigningConfiguration`.
pub(super) async fn get(
    cx: &Context<'_>,
    _asked: s::GetSigningConfigurationRequest,
) -> Answer<s::GetSigningConfigurationResponse> {
    let domain = cx.registry(None).await?;
    let configuration = domain.get_signing(cx.caller).await?;
    Ok(s::GetSigningConfigurationResponse {
        registry_id: Some(Context::account(&domain)),
        signing_configuration: Some(configuration),
    })
}

/// `DeleteSigningConfiguration`.
pub(super) async fn delete(
    cx: &Context<'_>,
    _asked: s::DeleteSigningConfigurationRequest,
) -> Answer<s::DeleteSigningConfigurationResponse> {
    let domain = cx.registry(None).await?;
    let gone = domain.delete_signing(cx.caller).await?;
    Ok(s::DeleteSigningConfigurationResponse {
        registry_id: Some(Context::account(&domain)),
        signing_configuration: Some(gone),
    })
}
