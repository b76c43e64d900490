//! The identities of an account, as a file wants them and as they are: one model for both.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::identity::owner::Kind;

/// All that there is, or is to be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Managed policies of the account's own, by name.
    pub policies: BTreeMap<String, Managed>,
    /// Groups, users and roles.
    pub owners: BTreeMap<(Kind, String), Owner>,
}

/// A managed policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Managed {
    pub arn: String,
    /// Where the file says nothing, any path will do.
    pub path: Option<String>,
    pub document: Document,
}

/// A group, user or role. What its kind cannot have is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Owner {
    /// Where the file says nothing, any path will do.
    pub path: Option<String>,
    /// The ARNs of managed policies.
    pub policies: BTreeSet<String>,
    /// Inline policies by name.
    pub inline: BTreeMap<String, Document>,
    /// The ARN of the permissions boundary.
    pub boundary: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// The groups that a user is in.
    pub groups: BTreeSet<String>,
    /// Who may assume a role.
    pub trust: Option<Document>,
    /// In seconds. Where the file says nothing, any will do.
    pub max_session: Option<u32>,
}

impl Owner {
    /// The managed policies that it depends on.
    pub fn references(&self) -> impl Iterator<Item = &String> {
        self.policies.iter().chain(&self.boundary)
    }
}

/// A policy document. Two are the same where they say the same, in whatever layout.
#[derive(Debug, Clone)]
pub struct Document {
    text: String,
    value: Value,
}

impl Document {
    /// A document as it was written.
    pub fn new(text: String) -> Self {
        let value = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone()));
        Self { text, value }
    }

    /// A document that has no text yet.
    pub fn of(value: Value) -> Self {
        Self { text: serde_json::to_string_pretty(&value).unwrap_or_default(), value }
    }

    /// As it is sent.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_compared_by_what_they_say() {
        let one = Document::new("{\"a\": 1, \"b\": [2]}".to_owned());
        assert_eq!(one, Document::of(serde_json::json!({ "b": [2], "a": 1 })));
        assert_ne!(one, Document::new("{\"a\":1,\"b\":[3]}".to_owned()));
        assert_eq!(one.text(), "{\"a\": 1, \"b\": [2]}");
    }
}
