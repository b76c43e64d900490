//! A token as it arrives: read strictly, and not believed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::LONGEST_TOKEN;
use super::algorithm::Algorithm;
use super::json;

/// Where tokens would bring keys of their own. Those are never looked at, and such a token is refused (RFC 8725, section 2.8).
const OWN_KEYS: [&str; 4] = ["jwk", "jku", "x5u", "x5c"];

/// Why a token opens nothing. Texts hold nothing of the token but its issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not three parts of base64url with JSON, or too long.
    #[error("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")]
    Form,
    /// An algorithm that tokens may not have.
    #[error("The token is signed by an algorithm that is not accepted: RS256, RS384, RS512, ES256 and ES384 are")]
    Algorithm,
    /// A header that nobody may send: `crit`, another `typ`, keys of its own.
    #[error("The header of the token has {0}, which is not accepted")]
    Header(&'static str),
    /// A claim that must be there is not, or is no value of its kind.
    #[error("Missing a required claim: {0}")]
    Missing(&'static str),
    /// Another issuer than the provider's.
    #[error("The issuer of the token is not that of the provider")]
    Issuer,
    /// Not for one of the provider's client ids.
    #[error("Incorrect token audience")]
    Audience,
    /// No key of the issuer has this id and algorithm.
    #[error("Couldn't retrieve verification key from your identity provider")]
    UnknownKey,
    /// The signature is not by that key.
    #[error("The signature of the token is wrong")]
    Signature,
    /// Good once. Seconds since 1970.
    #[error("Token expired: current date/time {now} must be before the expiration date/time {expired}")]
    Expired {
        /// When it was judged.
        now: i64,
        /// `exp`.
        expired: i64,
    },
    /// Not good yet, or issued in the future.
    #[error("The token is not valid yet")]
    NotYet,
    /// `exp` is before `iat`, or too far behind it.
    #[error("The token is good for too long: from iat to exp there may be 24 hours")]
    TooLong,
    /// Tags or a source identity that cannot be read, or two claims that differ in their case only.
    #[error("The token's claim {0} cannot be used")]
    Claim(String),
}

/// A token, read and not yet believed.
pub struct Token<'t> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    pub(super) claims: Map<String, Value>,
    /// Header and payload as they are signed.
    pub(super) signed: &'t str,
    pub(super) signature: Vec<u8>,
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl<'t> Token<'t> {
    /// Reads a token of at most 20,000 characters in the compact form of RFC 7515 (section 7.1). Nothing of it is believed.
    pub fn read(text: &'t str) -> Result<Self, TokenError> {
        if text.len() > LONGEST_TOKEN {
            return Err(TokenError::Form);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::Form);
        };
        let signed = text.get(..header.len() + 1 + payload.len()).ok_or(TokenError::Form)?;
        let header = json::object(&decode(header)?).ok_or(TokenError::Form)?;
        let (algorithm, kid) = read_header(&header)?;
        let claims = json::object(&decode(payload)?).ok_or(TokenError::Form)?;
        Ok(Self { algorithm, kid, claims, signed, signature: decode(signature)? })
    }

    /// The issuer that the token claims to be of: good for finding the provider that would know, and for nothing else.
    pub fn claimed_issuer(&self) -> Result<&str, TokenError> {
        self.claims.get("iss").and_then(Value::as_str).ok_or(TokenError::Missing("iss"))
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Form)
}

/// The algorithm and the key id.
fn read_header(header: &Map<String, Value>) -> Result<(Algorithm, Option<String>), TokenError> {
    let algorithm = header.get("alg").and_then(Value::as_str).ok_or(TokenError::Form)?;
    let algorithm = Algorithm::parse(algorithm).ok_or(TokenError::Algorithm)?;
    if header.contains_key("crit") {
        // Nothing that could be critical is understood here (RFC 7515, section 4.1.11).
        return Err(TokenError::Header("crit"));
    }
    if let Some(own) = OWN_KEYS.into_iter().find(|name| header.contains_key(*name)) {
        return Err(TokenError::Header(own));
    }
    // A token that says that it is for something else is (RFC 8725, section 3.11).
    if header.get("typ").is_some_and(|typ| !typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"))) {
        return Err(TokenError::Header("typ"));
    }
    match header.get("kid") {
        None => Ok((algorithm, None)),
        Some(Value::String(kid)) => Ok((algorithm, Some(kid.clone()))),
        Some(_) => Err(TokenError::Header("kid")),
    }
}
