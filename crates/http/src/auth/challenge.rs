//! What the `WWW-Authenticate` header of a refusal asks for (RFC 9110, 11.6.1).

use berth_domain::Domain;
use berth_oci::endpoint::Endpoint;
use http::Method;
use http::request::Parts;

use super::TokenEndpoint;
use crate::registry;

/// What tokens are for.
pub(crate) const SERVICE: &str = "berth";

/// Asked for where nothing is open to everybody; the words are those of ECR.
pub(crate) const BASIC: &str = "Basic realm=\"berth\",service=\"ecr.amazonaws.com\"";

/// The challenge that answers a request: one, never two. A Bearer one needs an address that the client can reach: the public
/// URL or the registry's host, what a trusted proxy says, or what the client itself called the server. Where there is none, Basic it is.
/// `is_too_small` says that a token came that opens something else.
pub(crate) fn challenge(domain: &Domain, parts: &Parts, is_too_small: bool) -> String {
    if !domain.settings().hands_out_tokens {
        return BASIC.to_owned();
    }
    let Some(base) = registry::base_of_request(domain, parts) else { return BASIC.to_owned() };
    let scope = scope(parts).map(|scope| format!(",scope=\"{scope}\"")).unwrap_or_default();
    let error = if is_too_small { ",error=\"insufficient_scope\"" } else { "" };
    format!("Bearer realm=\"{base}{}\",service=\"{SERVICE}\"{scope}{error}", TokenEndpoint::PATH)
}

/// The scope of a token that would open what a request asks for.
fn scope(parts: &Parts) -> Option<String> {
    let endpoint = Endpoint::parse(parts.uri.path()).ok()?;
    if matches!(endpoint, Endpoint::Catalog) {
        return Some("registry:catalog:*".to_owned());
    }
    let actions = match parts.method {
        Method::GET | Method::HEAD if !matches!(endpoint, Endpoint::Upload { .. }) => "pull",
        Method::DELETE if !matches!(endpoint, Endpoint::Upload { .. }) => "delete",
        _ => "pull,push",
    };
    Some(format!("repository:{}:{actions}", endpoint.repository()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_names_the_scope_of_its_request() {
        let table = [
            (Method::GET, "/v2/a/b/manifests/x", Some("repository:a/b:pull")),
            (Method::PUT, "/v2/a/manifests/x", Some("repository:a:pull,push")),
            (Method::POST, "/v2/a/blobs/uploads/", Some("repository:a:pull,push")),
            (Method::DELETE, "/v2/a/manifests/x", Some("repository:a:delete")),
            (Method::GET, "/v2/_catalog", Some("registry:catalog:*")),
            (Method::GET, "/v2/", None),
            (Method::GET, "/v2/A/manifests/x", None),
        ];
        for (method, path, expected) in table {
            let (parts, ()) = http::Request::builder().method(&method).uri(path).body(()).unwrap().into_parts();
            assert_eq!(scope(&parts).as_deref(), expected, "{method} {path}");
        }
    }
}
