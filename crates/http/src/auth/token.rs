//! The Bearer scheme (RFC 6750) and the endpoint that hands out its tokens (Docker's "Token Authentication Specification").

use std::sync::Arc;

use berth_domain::tokens::{TOKEN_LIFE, Token};
use berth_domain::{Domain, Error};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::json;

use super::{Presented, presented};
use crate::oci::Refusal;
use crate::server::{RequestBody, ResponseBody, RouteLabel};

/// Longer headers hold no token of ours.
const MAX_TOKEN_BYTES: usize = 1024;

/// The token of an `Authorization` header; `None` where the scheme is another.
pub fn parse_bearer(value: &[u8]) -> Option<&str> {
    let (scheme, token) = value.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") || token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    std::str::from_utf8(token.trim_ascii()).ok()
}

/// Where clients change their credentials, or none, for a token. Scopes are not looked at: what a caller may do is judged
/// when it asks.
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
    pub async fn answer(&self, request: &Request<RequestBody>) -> Response<ResponseBody> {
        let mut response = match *request.method() {
            Method::GET => self
                .issue(request.headers())
                .await
                .map_or_else(|error| Refusal::from(error).render(), |token| render(&token)),
            _ => not_allowed(),
        };
        response.extensions_mut().insert(RouteLabel("token"));
        response
    }

    async fn issue(&self, headers: &HeaderMap) -> Result<Token, Error> {
        match presented(headers)? {
            Presented::Basic(credentials) => {
                self.domain.token_for(&credentials.user, credentials.password.as_bytes()).await
            }
            Presented::Nothing if !self.domain.settings().anonymous_pull.is_empty() => {
                Ok(self.domain.anonymous_token())
            }
            Presented::Nothing => Err(Error::Unauthenticated),
            Presented::Bearer(_) => Err(Error::WrongCredentials),
        }
    }
}

fn render(token: &Token) -> Response<ResponseBody> {
    let body = json!({ "token": token.reveal(), "access_token": token.reveal(), "expires_in": TOKEN_LIFE.as_secs() });
    let mut response = Response::new(ResponseBody::full(body.to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}

/// Clients that would rather POST (OAuth 2) take this as the sign to GET.
fn not_allowed() -> Response<ResponseBody> {
    let message = "tokens are had by GET, with Basic credentials";
    let code = berth_oci::error::ErrorCode::Unsupported;
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, code, message).header(ALLOW, "GET").render()
}

#[cfg(test)]
mod tests {
    use super::parse_bearer;

    #[test]
    fn a_bearer_token_is_read() {
        assert_eq!(parse_bearer(b"Bearer a.b"), Some("a.b"));
        assert_eq!(parse_bearer(b"bEARER   a "), Some("a"));
        for other in [b"".as_slice(), b"Bearer", b"Basic YTpi", b"Bearer \xff", &[b'a'; 2000]] {
            assert_eq!(parse_bearer(other), None);
        }
    }
}
