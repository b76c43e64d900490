//! The Bearer scheme (RFC 6750) and the endpoint that hands out its tokens (Docker's "Token Authentication Specification").

use std::sync::Arc;

use berth_domain::access::scopes;
use berth_domain::passes::{BEARER_LIFE, PassText};
use berth_domain::{Domain, Error};
use berth_oci::error::ErrorCode;
use berth_oci::query::Query;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::challenge::SERVICE;
use super::{Presented, presented};
use crate::oci::Refusal;
use crate::server::{RequestBody, ResponseBody, RouteLabel};

/// Longer headers hold no token of ours.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The token of an `Authorization` header; `None` where the scheme is another.
pub fn parse_bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = value.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    std::str::from_utf8(token.trim_ascii()).ok()
}

/// Where clients change their credentials, or none, for a token that opens what they ask for and may do.
pub struct TokenEndpoint {
    domain: Arc<Domain>,
}

impl TokenEndpoint {
    /// The path of the endpoint.
    pub const PATH: &str = "/token";

    /// The endpoint of a registry.
    pub fn new(domain: Arc<Domain>) -> Self {
        Self { domain }
    }

    /// Answers a request for a token.
    pub async fn answer(&self, request: Request<RequestBody>) -> Response<ResponseBody> {
        let (parts, _) = request.into_parts();
        let mut response = match parts.method {
            Method::GET => self.issue(&parts).await.map_or_else(Refusal::render, |token| render(&token)),
            _ => not_allowed(),
        };
        response.extensions_mut().insert(RouteLabel("token"));
        response
    }

    async fn issue(&self, parts: &Parts) -> Result<PassText, Refusal> {
        let query = Query::parse(parts.uri.query().unwrap_or_default())
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::Unsupported, error.to_string()))?;
        if let Some(other) = query.first("service").filter(|service| *service != SERVICE) {
            let message = format!("this registry gives tokens for the service {SERVICE}, not for {other:?}");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::Unsupported, message));
        }
        let caller = match presented(&parts.headers)? {
            Presented::Bearer(_) => return Err(Error::WrongCredentials.into()),
            Presented::Nothing if !self.domain.settings().hands_out_tokens => return Err(Error::Unauthenticated.into()),
            Presented::Nothing | Presented::Basic(_) => super::caller(&self.domain, parts).await?,
        };
        self.domain.throttle_call(&caller, "ecr", "GetAuthorizationToken")?;
        let asked = scopes::asked(query.all("scope"));
        let registry = crate::registry::for_oci(&self.domain, &caller, parts).await?;
        Ok(registry.issue_bearer(&caller, asked).await?)
    }
}

fn render(token: &PassText) -> Response<ResponseBody> {
    let body = json!({ "token": token.reveal(), "access_token": token.reveal(), "expires_in": BEARER_LIFE.as_secs() });
    let mut response = Response::new(ResponseBody::full(body.to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}

/// Clients that would rather POST (OAuth 2) take this as the sign to GET.
fn not_allowed() -> Response<ResponseBody> {
    let message = "tokens are had by GET, with Basic credentials";
    let code = ErrorCode::Unsupported;
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, code, message).header(ALLOW, "GET").render()
}

#[cfg(test)]
mod tests {
    use super::parse_bearer;

    #[test]
    fn a_bearer_token_is_read() {
        assert_eq!(parse_bearer(b"Bearer a.b"), Some("a.b"));
        assert_eq!(parse_bearer(b"bEARER   a "), Some("a"));
        for other in [b"".as_slice(), b"Bearer", b"Basic YTpi", b"Bearer \xff", &vec![b'a'; 20_000]] {
            assert_eq!(parse_bearer(other), None);
        }
    }
}
