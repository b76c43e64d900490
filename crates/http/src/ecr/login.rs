//! Tokens that docker logs in with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_aws::ecr::shapes as s;
use berth_aws::protocol::Sensitive;
use berth_domain::login::TOKEN_USER;

use super::context::time;
use super::{Answer, Context};

/// `GetAuthorizationToken`: one token, good for every registry that the caller may use. With `registryIds` an entry for each.
pub(super) async fn authorization_token(
    cx: &Context<'_>,
    asked: s::GetAuthorizationTokenRequest,
) -> Answer<s::GetAuthorizationTokenResponse> {
    let own = cx.registry(None).await?;
    let token = own.get_authorization_token(cx.caller)?;
    let mut registries = Vec::new();
    for id in asked.registry_ids.unwrap_or_default() {
        registries.push(cx.registry(Some(&id)).await?);
    }
    if registries.is_empty() {
        registries.push(own);
    }
    let entry = |endpoint| s::AuthorizationData {
        authorization_token: Some(Sensitive::new(STANDARD.encode(format!("{TOKEN_USER}:{}", token.password.reveal())))),
        expires_at: Some(time(token.expires_at)),
        proxy_endpoint: endpoint,
    };
    let data = registries.iter().map(|domain| entry(crate::registry::base_url(domain, &cx.call.parts))).collect();
    Ok(s::GetAuthorizationTokenResponse { authorization_data: Some(data) })
}
