//! What a verified token says: the values of condition keys, session tags, and who is behind it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::verify::texts;
use super::{Issuer, TokenError};

const TAGS: &str = "https://aws.amazon.com/tags";
const FLAT_TAG: &str = "https://aws.amazon.com/tags/principal_tags/";
const FLAT_TRANSITIVE: &str = "https://aws.amazon.com/tags/transitive_tag_keys";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";
/// Tags of a session, and characters of a key, a value and a source identity (STS `AssumeRole`).
const MOST_TAGS: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;
const LONGEST_IDENTITY: usize = 64;
/// Values of one condition key.
const MOST_VALUES: usize = 1000;

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: 1 to 255 characters.
    pub subject: String,
    /// The client id that the token is for; the first where it is for several of the provider's.
    pub audience: String,
    /// Condition keys in lower case, `HOST/PATH:claim`, with their values: texts, numbers, booleans and lists of texts. `aud`
    /// has the client ids that count; `oaud` has `aud` as the token says it where that is `azp`.
    pub keys: Vec<(String, Vec<String>)>,
    /// Session tags.
    pub tags: Vec<(String, String)>,
    /// Keys of those that go on to the next role.
    pub transitive: Vec<String>,
    /// Who is behind it.
    pub source_identity: Option<String>,
    /// `exp`, in seconds since 1970.
    pub expires_at: i64,
}

/// Reads the claims of a token whose signature, audience and times were found good.
pub(super) fn read(
    claims: &Map<String, Value>,
    issuer: &Issuer,
    subject: String,
    audience: Vec<String>,
    expires_at: i64,
) -> Result<Claims, TokenError> {
    let (tags, transitive) = tags(claims)?;
    Ok(Claims {
        subject,
        keys: keys(claims, issuer, &audience)?,
        audience: audience.into_iter().next().unwrap_or_default(),
        tags,
        transitive,
        source_identity: source_identity(claims)?,
        expires_at,
    })
}

fn keys(
    claims: &Map<String, Value>,
    issuer: &Issuer,
    audience: &[String],
) -> Result<Vec<(String, Vec<String>)>, TokenError> {
    let mut names = BTreeSet::new();
    let mut keys = Vec::new();
    for (name, value) in claims {
        // Condition keys are one whatever their case: two claims would be one key.
        if !names.insert(name.to_lowercase()) {
            return Err(TokenError::Claim(name.clone()));
        }
        let values = if name == "aud" { Some(audience.to_vec()) } else { values(value) };
        keys.extend(values.map(|values| (key(issuer, name), values)));
    }
    if claims.contains_key("azp") && !names.contains("oaud") {
        keys.extend(texts(claims.get("aud")).map(|named| (key(issuer, "oaud"), named)));
    }
    Ok(keys)
}

fn key(issuer: &Issuer, claim: &str) -> String {
    format!("{}:{claim}", issuer.without_scheme()).to_lowercase()
}

/// The values that conditions compare; none for what they cannot.
fn values(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Number(number) => Some(vec![number.to_string()]),
        Value::Bool(is_so) => Some(vec![is_so.to_string()]),
        value => texts(Some(value)).filter(|values| values.len() <= MOST_VALUES),
    }
}

type Tags = (Vec<(String, String)>, Vec<String>);

/// Session tags in both of the forms that AWS takes, nested and flat.
fn tags(claims: &Map<String, Value>) -> Result<Tags, TokenError> {
    let (mut tags, mut transitive) = (Vec::new(), Vec::new());
    if let Some(nested) = claims.get(TAGS) {
        let members = nested.as_object().ok_or_else(|| unusable(TAGS))?;
        if let Some(given) = members.get("principal_tags") {
            for (key, value) in given.as_object().ok_or_else(|| unusable(TAGS))? {
                tags.push((key.clone(), one(value).ok_or_else(|| unusable(TAGS))?));
            }
        }
        if let Some(keys) = members.get("transitive_tag_keys") {
            transitive.extend(texts(Some(keys)).ok_or_else(|| unusable(TAGS))?);
        }
    }
    for (name, value) in claims {
        if let Some(key) = name.strip_prefix(FLAT_TAG) {
            tags.push((key.to_owned(), one(value).ok_or_else(|| unusable(name))?));
        }
    }
    if let Some(keys) = claims.get(FLAT_TRANSITIVE) {
        transitive.extend(texts(Some(keys)).ok_or_else(|| unusable(FLAT_TRANSITIVE))?);
    }
    let is_good = |(key, value): &(String, String)| is_tag(key, 1, LONGEST_KEY) && is_tag(value, 0, LONGEST_VALUE);
    let is_possible = tags.len() <= MOST_TAGS && transitive.len() <= MOST_TAGS && tags.iter().all(is_good);
    if is_possible { Ok((tags, transitive)) } else { Err(unusable(TAGS)) }
}

/// A text, or a list of exactly one.
fn one(value: &Value) -> Option<String> {
    let mut texts = texts(Some(value))?.into_iter();
    texts.next().filter(|_| texts.next().is_none())
}

fn is_tag(text: &str, shortest: usize, longest: usize) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    (shortest..=longest).contains(&text.chars().count()) && text.chars().all(is_plain)
}

fn source_identity(claims: &Map<String, Value>) -> Result<Option<String>, TokenError> {
    let Some(value) = claims.get(SOURCE_IDENTITY) else { return Ok(None) };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let named = value.as_str().filter(|who| (2..=LONGEST_IDENTITY).contains(&who.len()) && who.chars().all(is_plain));
    named.map(|who| Some(who.to_owned())).ok_or_else(|| unusable(SOURCE_IDENTITY))
}

fn unusable(claim: &str) -> TokenError {
    TokenError::Claim(claim.to_owned())
}
