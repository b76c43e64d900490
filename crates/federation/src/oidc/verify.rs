//! Whether a token is true: who signed it, for whom, and when.

use serde_json::{Map, Value};

use super::claims::{self, Claims};
use super::{Issuer, KeySet, LEEWAY, LONGEST_LIFE, Token, TokenError};

/// The longest subject, in characters (STS `AssumeRoleWithWebIdentity`, `SubjectFromWebIdentityToken`).
const LONGEST_SUBJECT: usize = 255;

impl Token<'_> {
    /// Whether a key set has a key that may have signed the token.
    pub fn has_key_in(&self, keys: &KeySet) -> bool {
        !keys.for_token(self.algorithm, self.kid.as_deref()).is_empty()
    }

    /// What the token says, if it is true: signed by a key of the issuer, which is named exactly as the provider has it, for
    /// one of `client_ids`, and good at `now`, in seconds since 1970, with a minute's leeway.
    pub fn verify(
        &self,
        issuer: &Issuer,
        keys: &KeySet,
        client_ids: &[String],
        now: i64,
    ) -> Result<Claims, TokenError> {
        if self.claimed_issuer()? != issuer.as_str() {
            return Err(TokenError::Issuer);
        }
        let candidates = keys.for_token(self.algorithm, self.kid.as_deref());
        if candidates.is_empty() {
            return Err(TokenError::UnknownKey);
        }
        if !candidates.iter().any(|key| key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature)) {
            return Err(TokenError::Signature);
        }
        let audience = audience(&self.claims, client_ids)?;
        let expires_at = check_times(&self.claims, now)?;
        let subject = subject(&self.claims)?;
        claims::read(&self.claims, issuer, subject, audience, expires_at)
    }
}

fn subject(claims: &Map<String, Value>) -> Result<String, TokenError> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or(TokenError::Missing("sub"))?;
    let length = subject.chars().count();
    if (1..=LONGEST_SUBJECT).contains(&length) {
        Ok(subject.to_owned())
    } else {
        Err(TokenError::Claim("sub".to_owned()))
    }
}

/// The audiences that count. Where a token says who was authorised to ask for it (`azp`), that one does, as for AWS; else those
/// of `aud` that are client ids of the provider.
fn audience(claims: &Map<String, Value>, client_ids: &[String]) -> Result<Vec<String>, TokenError> {
    let named = texts(claims.get("aud")).filter(|named| !named.is_empty()).ok_or(TokenError::Missing("aud"))?;
    let named = match claims.get("azp") {
        None => named,
        Some(Value::String(authorised)) => vec![authorised.clone()],
        Some(_) => return Err(TokenError::Claim("azp".to_owned())),
    };
    let known: Vec<String> = named.into_iter().filter(|name| client_ids.contains(name)).collect();
    if known.is_empty() { Err(TokenError::Audience) } else { Ok(known) }
}

/// A text, or a list of nothing but texts.
pub(super) fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    match value? {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(list) => list.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// The moment of a claim, in seconds since 1970; parts of a second are cut off (RFC 7519, section 2, `NumericDate`).
fn moment(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, TokenError> {
    const END_OF_TIME: f64 = 1e12;
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let seconds = number.as_f64().filter(|seconds| seconds.abs() < END_OF_TIME);
            #[allow(clippy::cast_possible_truncation, reason = "it is known to be in the range")]
            seconds.map(|seconds| Some(seconds.floor() as i64)).ok_or_else(|| TokenError::Claim(name.to_owned()))
        }
        Some(_) => Err(TokenError::Claim(name.to_owned())),
    }
}

/// Checks `exp`, `iat` and `nbf`; the first of them, in seconds.
fn check_times(claims: &Map<String, Value>, now: i64) -> Result<i64, TokenError> {
    let expires = moment(claims, "exp")?.ok_or(TokenError::Missing("exp"))?;
    let issued = moment(claims, "iat")?.ok_or(TokenError::Missing("iat"))?;
    let begins = moment(claims, "nbf")?;
    if expires + LEEWAY <= now {
        return Err(TokenError::Expired { now, expired: expires });
    }
    if issued > now + LEEWAY || begins.is_some_and(|begins| begins > now + LEEWAY) {
        return Err(TokenError::NotYet);
    }
    if expires <= issued || expires - issued > LONGEST_LIFE {
        return Err(TokenError::TooLong);
    }
    Ok(expires)
}
