//! What clients without credentials are asked for.

use serde_json::Value;

use crate::config::Kind;

/// What clients without credentials are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// Tokens where anybody may pull something, else a password.
    Auto,
    /// A name and a password.
    Basic,
    /// A token.
    Bearer,
}

const WORDS: [(&str, Challenge); 3] =
    [("auto", Challenge::Auto), ("basic", Challenge::Basic), ("bearer", Challenge::Bearer)];

impl Kind for Challenge {
    fn expected() -> String {
        "auto, basic or bearer".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        WORDS.iter().find(|(word, _)| *word == text).map(|(_, challenge)| *challenge)
    }

    fn show(&self) -> Value {
        WORDS.iter().find(|(_, challenge)| challenge == self).map_or(Value::Null, |(word, _)| Value::from(*word))
    }
}
