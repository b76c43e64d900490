//! What came of an import.

use berth_oci::digest::Digest;
use berth_oci::tag::Tag;
use berth_transfer::SourceError;

use crate::ecr_error::EcrError;
use crate::error::Error;

/// More than this that was left out is counted, but not listed one by one.
const SHOWN: usize = 10_000;

/// Something of the source that did not come.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// Its repository, as the source calls it.
    pub repository: String,
    /// The manifest; none where a whole repository or a tag's name is meant.
    pub digest: Option<Digest>,
    /// The tag, where there is no manifest to name.
    pub tag: Option<String>,
    /// Why.
    pub reason: String,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Imported {
    /// Repositories that were gone through.
    pub repositories: u64,
    /// Manifests that came: images, indexes, artifacts.
    pub images: u64,
    /// Manifests that were there already.
    pub images_there: u64,
    /// Tags that were made or moved.
    pub tags: u64,
    /// Blobs that were read.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that the registry had already.
    pub blobs_there: u64,
    /// How much was left out.
    pub left_out_total: u64,
    /// The first of what was left out.
    pub left_out: Vec<LeftOut>,
}

impl Imported {
    pub(super) fn leave_out(&mut self, left_out: LeftOut) {
        self.left_out_total += 1;
        if self.left_out.len() < SHOWN {
            self.left_out.push(left_out);
        }
    }
}

impl LeftOut {
    pub(super) fn tag(repository: &str, tag: &Tag, reason: String) -> Self {
        Self { repository: repository.to_owned(), digest: None, tag: Some(tag.to_string()), reason }
    }
}

/// Why an import ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Somebody stopped it.
    #[error("the import was stopped")]
    Stopped,
    /// No repository of the source has such a name.
    #[error("no repository of the source matches {0}")]
    NothingMatches(String),
    /// The source gives nothing more.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The registry takes nothing more.
    #[error(transparent)]
    Registry(#[from] Error),
}

/// Sorts an error of the registry: the reason why one image cannot come, or the end of the import.
pub(super) fn reason(error: Error) -> Result<String, ImportError> {
    match error {
        Error::ReferencesMissing(missing) | Error::Ecr(EcrError::ChildrenMissing(missing)) => {
            let first = missing.first().map(ToString::to_string).unwrap_or_default();
            Ok(format!("it refers to content that did not come: {first}, {} in all", missing.len()))
        }
        Error::DigestMismatch { expected, actual } => {
            Ok(format!("the source's content has digest {actual}, not {expected}"))
        }
        Error::ManifestInvalid(_)
        | Error::SizeMismatch { .. }
        | Error::LayerTooLarge { .. }
        | Error::QuotaExceeded { .. }
        | Error::Ecr(EcrError::LimitExceeded { .. } | EcrError::TagImmutable { .. })
        | Error::RepositoryUnknown(_)
        | Error::Damaged(_)
        // Something was deleted or expired under our hands.
        | Error::BlobUnknown(_)
        | Error::ManifestUnknown(_)
        | Error::UploadUnknown => Ok(error.to_string()),
        other => Err(other.into()),
    }
}
