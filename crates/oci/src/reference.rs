//! What names a manifest: a tag or a digest.

use std::fmt;

use crate::digest::{Digest, DigestError};
use crate::tag::{Tag, TagError};

/// A tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A tag, which may move.
    Tag(Tag),
    /// A digest, which names one content for ever.
    Digest(Digest),
}

/// Why a text is no reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It has no colon and is no tag.
    #[error(transparent)]
    Tag(TagError),
    /// It has a colon and is no digest.
    #[error(transparent)]
    Digest(DigestError),
}

impl Reference {
    /// Reads a reference: with a colon a digest, else a tag.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') {
            return Digest::parse(text).map(Self::Digest).map_err(ReferenceError::Digest);
        }
        Tag::parse(text).map(Self::Tag).map_err(ReferenceError::Tag)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl std::str::FromStr for Reference {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;

    #[test]
    fn a_colon_makes_a_digest() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        assert_eq!(Reference::parse(&digest.to_string()), Ok(Reference::Digest(digest)));
        assert_eq!(Reference::parse("v1").unwrap().to_string(), "v1");
        let table = [
            ("sha256:short", ReferenceError::Digest(DigestError::Malformed)),
            ("sha1:abc", ReferenceError::Digest(DigestError::UnsupportedAlgorithm)),
            ("", ReferenceError::Tag(TagError::Empty)),
            ("../x", ReferenceError::Tag(TagError::Character(0))),
        ];
        for (bad, expected) in table {
            assert_eq!(Reference::parse(bad), Err(expected), "{bad}");
        }
    }
}
