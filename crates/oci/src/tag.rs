//! Tags (distribution spec, "Pulling manifests").

use crate::macros::word;

/// The longest tag.
pub const MAX_LENGTH: usize = 128;

/// A tag: a letter, digit or underscore, then up to 127 of those, dots and dashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

word!(Tag, TagError);

/// Why a text is no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Nothing at all.
    #[error("the tag is empty: give one such as latest")]
    Empty,
    /// Longer than 128 characters.
    #[error("the tag is longer than {MAX_LENGTH} characters: shorten it")]
    TooLong,
    /// A character that a tag may not have there.
    #[error(
        "the tag has a character at position {0} that is not allowed: use letters, digits, underscore, and behind the first also dot and dash"
    )]
    Character(usize),
}

impl Tag {
    /// Reads a tag.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        match text.len() {
            0 => return Err(TagError::Empty),
            length if length > MAX_LENGTH => return Err(TagError::TooLong),
            _ => {}
        }
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let allowed = |(at, b): (usize, u8)| word(b) || (at > 0 && matches!(b, b'.' | b'-'));
        match text.bytes().enumerate().position(|at| !allowed(at)) {
            Some(at) => Err(TagError::Character(at)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_refused_or_kept_as_it_is(text in prop_oneof![".{0,140}", "[A-Za-z0-9_][A-Za-z0-9._-]{0,140}"]) {
            let tag = Tag::parse(&text);
            prop_assert_eq!(tag.is_ok(), in_grammar(&text));
            if let Ok(tag) = tag {
                prop_assert_eq!(tag.to_string(), text);
            }
        }
    }

    /// The specification's expression, said differently.
    fn in_grammar(text: &str) -> bool {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        !text.starts_with(['.', '-']) && (1..=128).contains(&text.chars().count()) && text.chars().all(allowed)
    }

    #[test]
    fn tags_of_the_grammar_are_accepted_and_others_refused() {
        for good in ["a", "_", "1.2.3", "v1-rc.1", "A_b", &"x".repeat(128)] {
            assert_eq!(Tag::parse(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(129);
        let table = [
            ("", TagError::Empty),
            (long.as_str(), TagError::TooLong),
            (".a", TagError::Character(0)),
            ("-a", TagError::Character(0)),
            ("../x", TagError::Character(0)),
            ("a/b", TagError::Character(1)),
            ("a\r\n", TagError::Character(1)),
            ("é", TagError::Character(0)),
        ];
        for (bad, expected) in table {
            assert_eq!(Tag::parse(bad), Err(expected), "{bad}");
        }
    }
}
