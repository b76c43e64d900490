//! Manifests: image manifests, indexes and artifact manifests of OCI and Docker.
//!
//! The bytes are read once, strictly, to learn what they refer to; what is stored and served are the bytes themselves.

mod descriptor;
mod fields;
mod json;
mod read;

use std::collections::BTreeMap;

use crate::digest::DigestError;
use crate::media_type::MediaType;
pub use descriptor::{Descriptor, Platform};

/// The largest manifest (distribution spec, "Pushing Manifests").
pub const MAX_MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// What a manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A config and layers.
    Image,
    /// A list of manifests.
    Index,
    /// An OCI artifact manifest: blobs without a config.
    Artifact,
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub kind: Kind,
    /// Its media type.
    pub media_type: MediaType,
    /// Its artifact type as the referrers API shows it: its own, else its config's media type.
    pub artifact_type: Option<String>,
    /// Its config.
    pub config: Option<Descriptor>,
    /// Its layers or blobs.
    pub layers: Vec<Descriptor>,
    /// The manifests that it lists.
    pub manifests: Vec<Descriptor>,
    /// What it is about.
    pub subject: Option<Descriptor>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Why bytes are no manifest that can be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Larger than 4 MiB.
    #[error("a manifest may have at most {MAX_MANIFEST_BYTES} bytes: move what is large into a layer")]
    TooLarge,
    /// Not one JSON value, or nested too deeply.
    #[error("the manifest is not valid JSON: {0}")]
    NotJson(String),
    /// A key twice in one object: readers would not agree on its value.
    #[error("the manifest has the key {0:?} twice in one object")]
    DuplicateKey(String),
    /// Both layers and manifests: readers would not agree on what it is.
    #[error("the manifest has {0}: it is either an image with a config and layers, or an index with manifests")]
    Ambiguous(&'static str),
    /// The request and the manifest name different types.
    #[error("the request says {content_type}, the manifest says {media_type}: send the manifest's own type")]
    MediaTypeMismatch {
        /// What the `Content-Type` header says.
        content_type: String,
        /// What the manifest says.
        media_type: String,
    },
    /// A type that is no manifest.
    #[error("{0} is no manifest type that this registry stores: use an OCI or Docker schema 2 image manifest or index")]
    UnsupportedMediaType(String),
    /// Docker schema 1.
    #[error(
        "Docker manifests of schema 1 are not stored: push the image again with a client from 2017 or later, which sends schema 2 or OCI"
    )]
    Schema1,
    /// A size that none can be.
    #[error("{0} must be a whole number of bytes from 0 to 2^63-1")]
    SizeInvalid(String),
    /// A digest that is none.
    #[error("{field}: {reason}")]
    DigestInvalid {
        /// Where it stands.
        field: String,
        /// What is wrong with it.
        reason: DigestError,
    },
    /// Something else is not as it must be.
    #[error("{field} {reason}")]
    Invalid {
        /// Where it stands.
        field: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Manifest {
    /// Reads a manifest that was sent as `content_type`.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_MANIFEST_BYTES {
            return Err(ManifestError::TooLarge);
        }
        read::manifest(&json::parse(bytes, &read::SHAPE)?, content_type)
    }

    /// The config and the layers (the blobs of an artifact) that must be in the repository. Foreign layers need not be.
    pub fn blob_references(&self) -> impl Iterator<Item = &Descriptor> {
        let kept = |blob: &&Descriptor| !blob.media_type.is_foreign_layer();
        self.config.iter().chain(self.layers.iter()).filter(kept)
    }

    /// The manifests that must be in the repository.
    pub fn child_references(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests.iter()
    }
}

fn invalid(field: &str, reason: &'static str) -> ManifestError {
    ManifestError::Invalid { field: field.to_owned(), reason }
}

/// The beginning of what a client sent, short enough for a message.
fn clip(text: &str) -> String {
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests;
