//! The archive seam: where backups lie, as objects under names that say what they are.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

/// The bytes of an object as they come.
pub type Content<'c> = BoxStream<'c, std::io::Result<Bytes>>;

/// Why an archive could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// There is no such object.
    #[error("{0} is not in the archive")]
    NotFound(String),
    /// What was to be written broke off or was refused by whoever gave it; nothing is under the name.
    #[error("{name} was not written: {source}")]
    Content {
        /// The object.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// The archive, or its server, failed.
    #[error("the archive failed while {action}: {reason}")]
    Failed {
        /// What it was doing.
        action: String,
        /// What it said.
        reason: String,
    },
}

/// An object of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its name.
    pub name: String,
    /// How many bytes reading it gives.
    pub size: u64,
}

/// A place that backups are kept in. Names are made of letters, digits, `-`, `.` and `/`.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Writes an object, durably and whole: it is there with all of `content`, or as it was before.
    async fn put(&self, name: &str, content: Content<'_>) -> Result<(), ArchiveError>;
    /// An object's bytes. Reading them fails where they are not the ones that were written, as far as the archive can tell.
    async fn get(&self, name: &str) -> Result<Content<'static>, ArchiveError>;
    /// The objects whose names begin with `folder` and a slash, in no order.
    fn list(&self, folder: &str) -> BoxStream<'static, Result<Archived, ArchiveError>>;
    /// Deletes an object. Deleting what is not there is no error.
    async fn delete(&self, name: &str) -> Result<(), ArchiveError>;
    /// Removes what is left of objects whose writer died. Nothing may be written meanwhile.
    async fn sweep(&self) -> Result<(), ArchiveError>;
}
