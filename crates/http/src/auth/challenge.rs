//! What the `WWW-Authenticate` header of a refusal asks for (RFC 9110, 11.6.1).

use berth_domain::Domain;
use http::request::Parts;

use super::TokenEndpoint;
use crate::server::requested_base;

/// Asked for where nothing is open to everybody; the words are those of ECR.
pub(crate) const BASIC: &str = "Basic realm=\"berth\",service=\"ecr.amazonaws.com\"";

/// The challenge that answers a request. A Bearer one needs an address that the client can reach: the public URL, what a
/// trusted proxy says, or what the client itself called the registry. Where there is none, Basic it is.
pub(crate) fn challenge(domain: &Domain, parts: &Parts) -> String {
    if domain.settings().anonymous_pull.is_empty() {
        return BASIC.to_owned();
    }
    match requested_base(parts) {
        Some(base) => format!("Bearer realm=\"{base}{}\",service=\"berth\"", TokenEndpoint::PATH),
        None => BASIC.to_owned(),
    }
}
