//! Access keys: the pair that a principal logs in and signs requests with.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const ID_LENGTH: usize = 20;
const SECRET_LENGTH: usize = 40;
const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The public half of an access key: `AKIA` and 16 more of `A-Z`, `2-7` for the keys that Berth makes; any 20 upper-case
/// letters and digits where an operator brings one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessKeyId(String);

/// The secret half: 40 characters of the base64 alphabet. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct SecretAccessKey(Zeroizing<String>);

/// Why a text is no half of an access key. The text itself is never repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessKeyError {
    /// Not 20 upper-case letters and digits.
    #[error("an access key id is 20 upper-case letters and digits")]
    Id,
    /// Not 40 characters of the base64 alphabet.
    #[error("a secret access key is 40 characters of A-Z, a-z, 0-9, + and /")]
    Secret,
}

impl AccessKeyId {
    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, AccessKeyError> {
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let valid = text.len() == ID_LENGTH && text.bytes().all(plain);
        valid.then(|| Self(text.to_owned())).ok_or(AccessKeyError::Id)
    }

    /// Makes a long-term key's id from 16 random bytes.
    pub fn from_random(random: [u8; 16]) -> Self {
        let tail = random.iter().map(|b| char::from(ID_ALPHABET[usize::from(b % 32)]));
        Self("AKIA".chars().chain(tail).collect())
    }

    /// Makes the id of temporary credentials, `ASIA` and 16 more, from 16 random bytes.
    pub fn temporary_from_random(random: [u8; 16]) -> Self {
        Self(format!("ASIA{}", &Self::from_random(random).0[4..]))
    }

    /// The 20 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SecretAccessKey {
    /// Reads a secret.
    pub fn parse(text: &str) -> Result<Self, AccessKeyError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
        let valid = text.len() == SECRET_LENGTH && text.bytes().all(plain);
        valid.then(|| Self(Zeroizing::new(text.to_owned()))).ok_or(AccessKeyError::Secret)
    }

    /// Makes a secret from 40 random bytes: 240 bits of it count.
    pub fn from_random(random: [u8; 40]) -> Self {
        let text = random.iter().map(|b| char::from(SECRET_ALPHABET[usize::from(b % 64)])).collect();
        Self(Zeroizing::new(text))
    }

    /// The secret itself, for sealing it and for showing it once to who asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares with what a caller sent, in time that does not tell where they differ.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(candidate).into()
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SecretAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretAccessKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_keys_have_the_form_that_parse_accepts() {
        let id = AccessKeyId::from_random([7; 16]);
        assert_eq!(AccessKeyId::parse(id.as_str()), Ok(id));
        assert_eq!(AccessKeyId::temporary_from_random([0; 16]).as_str(), "ASIAAAAAAAAAAAAAAAAA");
        let secret = SecretAccessKey::from_random([200; 40]);
        assert!(SecretAccessKey::parse(secret.reveal()).is_ok());
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in ["", "AKIA", "akiaaaaaaaaaaaaaaaaa", "AKIAAAAAAAAAAAAAAAA:", "AKIAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(AccessKeyId::parse(bad), Err(AccessKeyError::Id), "{bad}");
        }
        for bad in [String::new(), "a".repeat(39), "a".repeat(41), " ".repeat(40)] {
            assert!(SecretAccessKey::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_compared_and_never_printed() {
        let secret = SecretAccessKey::from_random([1; 40]);
        assert!(secret.matches(secret.reveal().as_bytes()));
        assert!(!secret.matches(b"other") && !secret.matches(b""));
        assert!(!format!("{secret:?}").contains(secret.reveal()));
    }
}
