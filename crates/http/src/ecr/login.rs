//! Tokens that docker logs in with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_aws::ecr::shapes::{self as ecr, operations};
use berth_aws::protocol::{Sensitive, Timestamp, parse_json, render_json};
use berth_domain::login::TOKEN_USER;
use berth_domain::{Caller, Domain};

use super::Failure;
use crate::aws::Call;
use crate::server::requested_base;

/// `GetAuthorizationToken`: one token, good for every registry that the caller may use. With `registryIds`, of which each must
/// be this registry's account, an entry for each.
pub(super) fn authorization_token(domain: &Domain, caller: &Caller, call: &Call) -> Result<String, Failure> {
    let operation = &operations::GET_AUTHORIZATION_TOKEN;
    let asked: ecr::GetAuthorizationTokenRequest = parse_json(operation, &call.body)?;
    let token = domain.get_authorization_token(caller)?;
    let own = domain.settings().registry.account.as_str();
    let registries = asked.registry_ids.unwrap_or_else(|| vec![own.to_owned()]);
    if let Some(other) = registries.iter().find(|id| *id != own) {
        let message = format!("Invalid parameter at 'registryIds': there is no registry {other} here, only {own}");
        return Err(Failure::InvalidParameter(message));
    }
    let entry = || ecr::AuthorizationData {
        authorization_token: Some(Sensitive::new(STANDARD.encode(format!("{TOKEN_USER}:{}", token.password.reveal())))),
        expires_at: Some(Timestamp(token.expires_at.as_millis())),
        proxy_endpoint: requested_base(&call.parts),
    };
    let data = registries.iter().map(|_| entry()).collect();
    Ok(render_json(operation, &ecr::GetAuthorizationTokenResponse { authorization_data: Some(data) })?)
}
