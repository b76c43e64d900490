//! The discovery document of an issuer (OpenID Connect Discovery 1.0, section 4).

use serde_json::Value;
use url::Url;

use super::json;
use super::{Issuer, LARGEST_DOCUMENT};

/// Why a discovery document leads to no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// No JSON object, or one that is too large or names a member twice.
    #[error("the discovery document cannot be read")]
    Form,
    /// It is that of another issuer.
    #[error("the discovery document names another issuer")]
    Issuer,
    /// `jwks_uri` is missing, or no address that keys may be fetched from.
    #[error("the discovery document names no https address of keys")]
    Keys,
}

/// Where the keys of an issuer are: `jwks_uri` of its discovery document, an `https` address without user or fragment. The
/// document must name the issuer itself, character for character.
pub fn jwks_uri(issuer: &Issuer, document: &[u8]) -> Result<String, DiscoveryError> {
    if document.len() > LARGEST_DOCUMENT {
        return Err(DiscoveryError::Form);
    }
    let members = json::object(document).ok_or(DiscoveryError::Form)?;
    if members.get("issuer").and_then(Value::as_str) != Some(issuer.as_str()) {
        return Err(DiscoveryError::Issuer);
    }
    let address = members.get("jwks_uri").and_then(Value::as_str).ok_or(DiscoveryError::Keys)?;
    let url = Url::parse(address).map_err(|_| DiscoveryError::Keys)?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if url.scheme() == "https" && url.has_host() && is_plain { Ok(url.into()) } else { Err(DiscoveryError::Keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_where_the_issuer_itself_says() {
        let issuer = Issuer::parse("https://a.example").unwrap();
        let table = [
            (r#"{"issuer":"https://a.example","jwks_uri":"https://k.example/j?x=1"}"#, Ok("https://k.example/j?x=1")),
            (r#"{"issuer":"https://a.example/","jwks_uri":"https://k.example/"}"#, Err(DiscoveryError::Issuer)),
            (r#"{"issuer":"https://b.example","jwks_uri":"https://k.example/"}"#, Err(DiscoveryError::Issuer)),
            (r#"{"jwks_uri":"https://k.example/"}"#, Err(DiscoveryError::Issuer)),
            (r#"{"issuer":["https://a.example"],"jwks_uri":"https://k.example/"}"#, Err(DiscoveryError::Issuer)),
            (r#"{"issuer":"https://a.example"}"#, Err(DiscoveryError::Keys)),
            (r#"{"issuer":"https://a.example","jwks_uri":"http://a.example/j"}"#, Err(DiscoveryError::Keys)),
            (r#"{"issuer":"https://a.example","jwks_uri":"file:///etc/passwd"}"#, Err(DiscoveryError::Keys)),
            (r#"{"issuer":"https://a.example","jwks_uri":"/j"}"#, Err(DiscoveryError::Keys)),
            (r#"{"issuer":"https://a.example","jwks_uri":"https://u:p@a.example/"}"#, Err(DiscoveryError::Keys)),
            (r#"{"issuer":"https://a.example","jwks_uri":"https://a.example/#x"}"#, Err(DiscoveryError::Keys)),
            (
                r#"{"issuer":"https://b.example","issuer":"https://a.example","jwks_uri":"https://a.example/"}"#,
                Err(DiscoveryError::Form),
            ),
            ("<html>", Err(DiscoveryError::Form)),
        ];
        for (document, expected) in table {
            assert_eq!(jwks_uri(&issuer, document.as_bytes()), expected.map(str::to_owned), "{document}");
        }
        assert_eq!(jwks_uri(&issuer, &vec![b' '; LARGEST_DOCUMENT + 1]), Err(DiscoveryError::Form));
    }
}
