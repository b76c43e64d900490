//! Account ids and regions.

use std::fmt;

/// An account id: exactly twelve decimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(String);

/// A region name such as `us-east-1`: 1 to 32 of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(String);

/// Why a text is no account id or region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// Not twelve decimal digits.
    #[error("an account id is exactly 12 decimal digits, for example 000000000000")]
    Account,
    /// Not a region name.
    #[error("a region is 1 to 32 lower-case letters, digits and dashes, for example us-east-1")]
    Region,
}

impl AccountId {
    /// Reads an account id.
    pub fn parse(text: &str) -> Result<Self, WordError> {
        let valid = text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        valid.then(|| Self(text.to_owned())).ok_or(WordError::Account)
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Region {
    /// Reads a region name.
    pub fn parse(text: &str) -> Result<Self, WordError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let valid = (1..=32).contains(&text.len()) && text.bytes().all(plain);
        valid.then(|| Self(text.to_owned())).ok_or(WordError::Region)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_is_twelve_digits() {
        assert!(AccountId::parse("012345678901").is_ok());
        for bad in ["", "1", "0123456789012", "01234567890a", "٠١٢٣٤٥٦٧٨٩٠١"] {
            assert_eq!(AccountId::parse(bad), Err(WordError::Account), "{bad}");
        }
    }

    #[test]
    fn a_region_is_a_short_lower_case_word() {
        assert!(Region::parse("eu-central-1").is_ok());
        for bad in ["", "EU", "a/b", "a:b", &"a".repeat(33)] {
            assert_eq!(Region::parse(bad), Err(WordError::Region), "{bad}");
        }
    }
}
