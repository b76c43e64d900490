//! The seam: what can be asked of a source of images.

use async_trait::async_trait;
use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::SourceError;

/// Bytes as they come.
pub type ByteStream = BoxStream<'static, Result<Bytes, SourceError>>;

/// A listing as it is read. An error ends it.
pub type Listing<'a, T> = BoxStream<'a, Result<Entry<T>, SourceError>>;

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry<T> {
    /// Something to be read.
    Is(T),
    /// Something that is there, but cannot be taken: to be told, not to be passed over in silence.
    Unusable {
        /// What the source calls it, fit for a terminal.
        name: String,
        /// Why.
        reason: String,
    },
}

/// An image to begin from: everything else hangs on such ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// A tag; what it points to where the listing says so.
    Tag(Tag, Option<Digest>),
    /// A manifest that has no tag.
    Digest(Digest),
}

/// A manifest as the source has it, checked against the digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceManifest {
    /// The digest of its bytes.
    pub digest: Digest,
    /// What the source says that it is, where it says so.
    pub media_type: Option<String>,
    /// Its bytes, at most 4 MiB.
    pub bytes: Bytes,
}

/// A place that images come from.
#[async_trait]
pub trait Source: Send + Sync {
    /// The repositories.
    fn repositories(&self) -> Listing<'_, RepositoryName>;

    /// The images of a repository: manifests without a tag first, where the source can list those, then tags.
    fn roots<'a>(&'a self, repository: &'a RepositoryName) -> Listing<'a, Root>;

    /// What a tag points to, where that can be told without reading the manifest.
    async fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, SourceError>;

    /// A manifest. What comes under a digest has that digest.
    async fn manifest(&self, repository: &RepositoryName, reference: &Reference)
    -> Result<SourceManifest, SourceError>;

    /// The manifests that are about `subject` and that [`Source::roots`] does not list.
    async fn referrers(&self, repository: &RepositoryName, subject: &Digest) -> Result<Vec<Digest>, SourceError>;

    /// The bytes of a blob from `offset` on, not yet checked. [`crate::BlobReader`] reads them to the end.
    async fn blob(&self, repository: &RepositoryName, digest: &Digest, offset: u64) -> Result<ByteStream, SourceError>;
}
