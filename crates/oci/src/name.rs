//! Repository names (distribution spec, "Pulling manifests").

use crate::macros::word;

/// The longest repository name, slashes included.
pub const MAX_LENGTH: usize = 256;

/// A repository name: components of `a-z`, `0-9` joined by `.`, `_`, `__` or dashes, divided by slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(String);

word!(RepositoryName, NameError);

/// Why a text is no repository name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("the repository name is empty: give one such as team/app")]
    Empty,
    /// Longer than 256 characters.
    #[error("the repository name is longer than {MAX_LENGTH} characters: shorten it")]
    TooLong,
    /// Two slashes in a row, or one at an end.
    #[error("the repository name has an empty component: write single slashes, and none at the ends")]
    EmptyComponent,
    /// A character that no name may have.
    #[error(
        "the repository name has a character at position {0} that is not allowed: use a-z, 0-9, dot, dash, underscore and slash"
    )]
    Character(usize),
    /// A separator where a letter or digit must be.
    #[error(
        "a separator at position {0} of the repository name does not stand between letters or digits: write one dot, one or two underscores, or dashes, and only between them"
    )]
    Separator(usize),
}

impl RepositoryName {
    /// Reads a name. Linear, and constant for names that are too long.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match text.len() {
            0 => return Err(NameError::Empty),
            length if length > MAX_LENGTH => return Err(NameError::TooLong),
            _ => {}
        }
        let mut start = 0;
        for component in text.split('/') {
            check_component(component.as_bytes(), start)?;
            start += component.len() + 1;
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_component(bytes: &[u8], start: usize) -> Result<(), NameError> {
    let mut at = 0;
    if bytes.is_empty() {
        return Err(NameError::EmptyComponent);
    }
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).count();
        if run == 0 {
            let separator = matches!(bytes[at], b'.' | b'_' | b'-');
            return Err(if separator { NameError::Separator(start + at) } else { NameError::Character(start + at) });
        }
        at += run;
        if at == bytes.len() {
            return Ok(());
        }
        at += separator(&bytes[at..]).ok_or(NameError::Character(start + at))?;
    }
    Err(NameError::Separator(start + bytes.len() - 1))
}

/// The length of the separator that `rest` begins with: one dot, one or two underscores, any dashes.
fn separator(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'_', b'_', ..] => Some(2),
        [b'.' | b'_', ..] => Some(1),
        [b'-', ..] => Some(rest.iter().take_while(|b| **b == b'-').count()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_grammar_are_accepted() {
        for good in ["a", "0", "a/b/c", "a.b", "a_b", "a__b", "a-b", "a---b", "library/ubuntu", "blobs/uploads/x"] {
            assert_eq!(RepositoryName::parse(good).unwrap().as_str(), good);
        }
        assert!(RepositoryName::parse(&"a".repeat(256)).is_ok());
    }

    #[test]
    fn others_are_refused_by_the_rule_they_break() {
        let long = "a".repeat(257);
        let table = [
            ("", NameError::Empty),
            (long.as_str(), NameError::TooLong),
            ("a//b", NameError::EmptyComponent),
            ("/a", NameError::EmptyComponent),
            ("a/", NameError::EmptyComponent),
            ("..", NameError::Separator(0)),
            ("a/../b", NameError::Separator(2)),
            ("a..b", NameError::Separator(2)),
            ("a___b", NameError::Separator(3)),
            ("a.", NameError::Separator(1)),
            ("-a", NameError::Separator(0)),
            ("A", NameError::Character(0)),
            ("a%2fb", NameError::Character(1)),
            ("a\0", NameError::Character(1)),
            ("é", NameError::Character(0)),
        ];
        for (bad, expected) in table {
            assert_eq!(RepositoryName::parse(bad), Err(expected), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_kept_as_it_is(text in prop_oneof![".{0,300}", "[a-b/._-]{0,12}"]) {
            if let Ok(name) = RepositoryName::parse(&text) {
                prop_assert_eq!(name.as_str(), text);
            }
        }

        #[test]
        fn every_name_of_the_grammar_is_accepted(text in "[a-z0-9]{1,3}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,3}(/[a-z0-9]{1,3}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}){0,3}") {
            let name = RepositoryName::parse(&text).unwrap();
            let json = serde_json::to_string(&name).unwrap();
            prop_assert_eq!(serde_json::from_str::<RepositoryName>(&json).unwrap(), name);
        }
    }

    #[test]
    fn what_is_refused_is_refused_from_json_too() {
        assert!(serde_json::from_str::<RepositoryName>("\"a/../b\"").is_err());
    }

    #[test]
    fn a_megabyte_is_refused_by_its_length_alone() {
        assert_eq!(RepositoryName::parse(&"a-".repeat(1 << 19)), Err(NameError::TooLong));
    }
}
