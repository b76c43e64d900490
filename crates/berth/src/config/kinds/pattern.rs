//! Patterns of repository names.

use serde_json::Value;

use crate::config::setting::Kind;

/// Longest pattern, in bytes: a repository name has at most 256.
const LONGEST: usize = 512;

/// A pattern of repository names; `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Kind for Pattern {
    fn expected() -> String {
        "a pattern of repository names such as library/*".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/*".contains(&b);
        let valid = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(plain);
        valid.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> Value {
        Value::from(self.0.as_str())
    }
}
