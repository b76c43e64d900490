//! Images: pushing, resolving, describing and deleting manifests and their tags.

mod batch;
mod delete;
mod describe;
mod ids;
mod limits;
mod list;
mod push;
mod put;
mod remove;

use berth_oci::digest::Digest;
use berth_oci::media_type::MediaType;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
pub use berth_store::images::TagStatus;
use berth_store::manifests::{self, FoundManifest, ManifestRecord};
use berth_store::tags::Change;
use bytes::Bytes;

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::repositories::existing;

pub use self::batch::PulledImage;
pub use self::describe::ImageDescription;
pub use self::ids::{ImageFailure, ImageId};
pub(crate) use self::limits::Room;
pub use self::list::ImageKey;
pub(crate) use self::push::INLINE_BYTES;
pub use self::push::{Push, Pushed};
pub use self::put::PutImage;

/// A manifest that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// How many bytes.
    pub size: u64,
}

impl From<ManifestRecord> for Found {
    fn from(record: ManifestRecord) -> Self {
        Self { digest: record.digest, media_type: record.media_type, size: record.size }
    }
}

impl Domain {
    /// The manifest that a tag or digest names.
    pub async fn resolve(&self, caller: &Caller, name: &RepositoryName, reference: &Reference) -> Result<Found, Error> {
        self.allow(caller, Action::BatchGetImage, name).await?;
        let FoundManifest { record, .. } = self.look_up_manifest(name, reference).await?;
        Ok(record.into())
    }

    /// The bytes of the manifest that a tag or digest names, checked against its digest.
    pub async fn get_manifest(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(Found, Bytes), Error> {
        self.allow(caller, Action::BatchGetImage, name).await?;
        let (record, bytes) = self.manifest_bytes(name, reference).await?;
        self.note_pull(caller, record.id);
        Ok((record.into(), bytes))
    }

    /// The same for work of the registry's own, which is no pull.
    pub(crate) async fn read_manifest(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(Found, Bytes), Error> {
        self.allow(caller, Action::BatchGetImage, name).await?;
        let (record, bytes) = self.manifest_bytes(name, reference).await?;
        Ok((record.into(), bytes))
    }

    async fn manifest_bytes(
        &self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(ManifestRecord, Bytes), Error> {
        let FoundManifest { record, blob } = self.look_up_manifest(name, reference).await?;
        let blob = blob.ok_or_else(|| Error::Damaged(record.digest.clone()))?;
        let bytes = self.content(&blob).await?;
        Ok((record, bytes))
    }

    async fn look_up_manifest(&self, name: &RepositoryName, reference: &Reference) -> Result<FoundManifest, Error> {
        let (settings, name, reference) = (self.settings.clone(), name.clone(), reference.clone());
        let read = self.database.read(move |txn| {
            if let Some(found) = manifests::look_up(txn, &settings.registry, &name, &reference)? {
                return Ok(found);
            }
            existing(txn, &settings, &name)?;
            Err(Error::ManifestUnknown(text(&reference)))
        });
        let mut found = read.await?;
        if let Some(blob) = found.blob.as_mut().filter(|blob| blob.is_doubtful || blob.size != found.record.size) {
            found.record.size = self.true_size(blob).await?;
            blob.size = found.record.size;
        }
        Ok(found)
    }

    fn change(&self, caller: &Caller) -> Change {
        Change { by: caller.principal().to_owned(), at: self.clock.now() }
    }
}

fn text(reference: &Reference) -> String {
    match reference {
        Reference::Tag(tag) => tag.to_string(),
        Reference::Digest(digest) => digest.to_string(),
    }
}

fn tag_of(reference: &Reference) -> Option<Tag> {
    match reference {
        Reference::Tag(tag) => Some(tag.clone()),
        Reference::Digest(_) => None,
    }
}
