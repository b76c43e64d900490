//! What stands here in a build without the feature `saml`.

use super::{Claims, Expected, MetadataError, ResponseError};

/// The metadata of an identity provider: in this build there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    never: std::convert::Infallible,
}

impl Metadata {
    /// Refuses every document with [`MetadataError::NotBuilt`].
    pub fn read(_text: &str) -> Result<Self, MetadataError> {
        Err(MetadataError::NotBuilt)
    }

    /// The name of the identity provider.
    pub fn entity_id(&self) -> &str {
        match self.never {}
    }

    /// When the document ends, in seconds since 1970.
    pub fn valid_until(&self) -> Option<i64> {
        match self.never {}
    }
}

/// Refuses every response with [`ResponseError::NotBuilt`].
pub fn verify(_response: &str, _expected: &Expected<'_>) -> Result<Claims, ResponseError> {
    Err(ResponseError::NotBuilt)
}
