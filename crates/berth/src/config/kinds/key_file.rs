//! The keys of an issuer of tokens in a file.

use std::path::PathBuf;

use serde_json::Value;

use crate::config::setting::Kind;

/// An issuer, and the file with its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// The issuer, `https://HOST/PATH`.
    pub issuer: String,
    /// The file.
    pub path: PathBuf,
}

impl Kind for KeyFile {
    fn expected() -> String {
        "an issuer with a file, such as https://issuer.example.org=/etc/berth/keys.json".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let (issuer, path) = text.split_once('=')?;
        let is_plain =
            issuer.strip_prefix("https://").is_some_and(|host| !host.is_empty() && !host.contains(['?', '#', '@']));
        (is_plain && !path.is_empty()).then(|| Self { issuer: issuer.to_owned(), path: PathBuf::from(path) })
    }

    fn show(&self) -> Value {
        Value::from(format!("{}={}", self.issuer, self.path.display()))
    }
}
