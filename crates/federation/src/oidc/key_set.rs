//! The keys of an issuer (RFC 7517, section 5).

use serde_json::Value;

use super::LARGEST_DOCUMENT;
use super::algorithm::Algorithm;
use super::json;
use super::key::Key;

/// Keys that one issuer may have at a time.
const MOST_KEYS: usize = 100;

/// Why a text is no key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// No JSON object with a list of objects `keys`, or one that is too large or names a member twice.
    #[error("the key set cannot be read")]
    Form,
    /// Too many keys.
    #[error("the key set has more than {MOST_KEYS} keys")]
    TooMany,
    /// No key that tokens could be verified with: RSA of 2,048 bits or more, or EC on P-256 or P-384, for signatures.
    #[error("the key set has no key for signatures: RSA of at least 2048 bits, or EC on P-256 or P-384")]
    Useless,
}

/// The keys of an issuer that tokens may be verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// Reads a key set in JSON, of at most 256 KiB and 100 keys. Keys that no token is verified with are left out.
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > LARGEST_DOCUMENT {
            return Err(KeySetError::Form);
        }
        let members = json::object(document).ok_or(KeySetError::Form)?;
        let Some(Value::Array(listed)) = members.get("keys") else { return Err(KeySetError::Form) };
        if listed.len() > MOST_KEYS {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<Key> = listed.iter().filter_map(|key| Key::read(key.as_object()?)).collect();
        if keys.is_empty() { Err(KeySetError::Useless) } else { Ok(Self(keys)) }
    }

    /// The keys that may have signed a token of this algorithm and key id. A token without an id is verified only where there
    /// is one key that it can mean. Where an issuer gave the same id to several, each of them may have.
    pub(super) fn for_token(&self, algorithm: Algorithm, kid: Option<&str>) -> Vec<&Key> {
        let fitting = self.0.iter().filter(|key| key.is_for(algorithm));
        if let Some(kid) = kid {
            return fitting.filter(|key| key.kid.as_deref() == Some(kid)).collect();
        }
        let all: Vec<&Key> = fitting.collect();
        if all.len() == 1 { all } else { Vec::new() }
    }
}
