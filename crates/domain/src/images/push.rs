//! Pushing a manifest: the one way by which manifests come in, whichever door they come through.

use std::sync::Arc;

use berth_aws::ecr::mutability::TagMutability;
use berth_oci::digest::{Algorithm, Digest};
use berth_oci::endpoint::UploadId;
use berth_oci::manifest::Manifest;
use berth_oci::media_type::MediaType;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_store::blobs::{self, Location};
use berth_store::clock::sixteen;
use berth_store::manifests::{self, ManifestReference, NewManifest, ReferenceKind};
use berth_store::repositories::{self, RepositoryId};
use berth_store::tags::{self, Change};
use berth_store::uploads::{self, UploadRecord};
use berth_store::{BlobKey, StoreError, Transaction};
use bytes::Bytes;

use super::tag_of;
use crate::Domain;
use crate::caller::{Action, Caller};
use crate::ecr_error::EcrError;
use crate::error::Error;
use crate::settings::Settings;
use crate::target::{IfMissing, target};

/// Manifests up to this size live in their row; larger ones at a key of the blob store.
pub(crate) const INLINE_BYTES: usize = 64 * 1024;

/// A manifest to be pushed.
#[derive(Debug, Clone)]
pub struct Push {
    /// The tag or digest that it is pushed by.
    pub reference: Reference,
    /// Further tags for it.
    pub tags: Vec<Tag>,
    /// What the client says it is.
    pub content_type: Option<String>,
    /// Its bytes, kept as they are.
    pub bytes: Bytes,
}

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The manifest's digest.
    pub digest: Digest,
    /// What it is.
    pub media_type: MediaType,
    /// What it is about, which the referrers API now shows it under.
    pub subject: Option<Digest>,
}

/// A manifest that was read and whose digest is right, on its way in.
pub(super) struct Incoming<'a> {
    pub(super) name: &'a RepositoryName,
    pub(super) bytes: &'a Bytes,
    pub(super) manifest: Manifest,
    pub(super) digest: Digest,
    pub(super) tags: Vec<Tag>,
    pub(super) door: Door,
}

/// What doors do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// That of OCI: pushing again is no error, and a push may make its repository.
    Oci,
    /// That of ECR.
    Ecr,
    /// The operator's, who brings back what was lost: no limit stands against that.
    Operator,
}

/// Where a manifest's bytes are before its row is written.
struct Stored {
    location: Location,
    /// What owns their key until then.
    lease: Option<UploadRecord>,
}

impl Domain {
    /// Stores a manifest and points its tags to it, all or nothing.
    pub async fn push_manifest(&self, caller: &Caller, name: &RepositoryName, push: Push) -> Result<Pushed, Error> {
        self.push_through(Door::Oci, caller, name, push).await
    }

    /// The same for a manifest that was lost, which no limit keeps out.
    pub(crate) async fn bring_back_manifest(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        push: Push,
    ) -> Result<Pushed, Error> {
        self.push_through(Door::Operator, caller, name, push).await
    }

    async fn push_through(
        &self,
        door: Door,
        caller: &Caller,
        name: &RepositoryName,
        push: Push,
    ) -> Result<Pushed, Error> {
        self.allow(caller, Action::PutImage, name).await?;
        self.ensure_writable().await?;
        let manifest = Manifest::parse(&push.bytes, push.content_type.as_deref())?;
        let digest = checked_digest(&push)?;
        let tags = tag_of(&push.reference).into_iter().chain(push.tags).collect();
        self.receive_manifest(caller, Incoming { name, bytes: &push.bytes, manifest, digest, tags, door }).await
    }

    /// Bytes first, then the one transaction that makes them an image.
    pub(super) async fn receive_manifest(&self, caller: &Caller, incoming: Incoming<'_>) -> Result<Pushed, Error> {
        if incoming.door.has_limits() {
            self.ensure_room(incoming.name, &incoming.digest).await?;
        }
        let stored = self.store_manifest(caller, &incoming).await?;
        let recorded = self.record_manifest(caller, &incoming, &stored).await;
        match (&recorded, &stored.lease) {
            (Ok(unneeded), _) => self.forget_key(unneeded.clone()).await,
            // Where the commit's reply was lost, the lease went with it, and the key is the manifest's.
            (Err(_), Some(lease)) => self.discard(lease, false).await?,
            (Err(_), None) => {}
        }
        let Incoming { manifest, digest, .. } = incoming;
        let (media_type, subject) = (manifest.media_type, manifest.subject.map(|subject| subject.digest));
        recorded.map(|_| Pushed { digest, media_type, subject })
    }

    /// A key belongs to a lease until it belongs to the manifest: a collection elsewhere never meets it without a row,
    /// however long this node is held up.
    async fn store_manifest(&self, caller: &Caller, incoming: &Incoming<'_>) -> Result<Stored, Error> {
        let Incoming { name, bytes, digest, door, .. } = incoming;
        if bytes.len() <= INLINE_BYTES {
            return Ok(Stored { location: Location::Inline(bytes.to_vec()), lease: None });
        }
        let id = UploadId::from_random(sixteen(self.random.as_ref()));
        let key = BlobKey::fresh(self.random.as_ref());
        let lease = self.open_lease(caller, (name, door.if_missing()), &id, key, digest.algorithm()).await?;
        match self.write_manifest(&lease.key, bytes, digest).await {
            Ok(key) => Ok(Stored { location: Location::Key(key), lease: Some(lease) }),
            Err(error) => {
                self.discard(&lease, false).await?;
                Err(error)
            }
        }
    }

    async fn write_manifest(&self, key: &BlobKey, bytes: &Bytes, digest: &Digest) -> Result<BlobKey, Error> {
        let mut writer = self.blobs.create(key, digest.algorithm()).await?;
        writer.append(bytes.clone()).await?;
        Ok(writer.commit(digest).await?.key)
    }

    async fn record_manifest(
        &self,
        caller: &Caller,
        incoming: &Incoming<'_>,
        stored: &Stored,
    ) -> Result<Option<BlobKey>, Error> {
        let (settings, name, door) = (self.settings.clone(), incoming.name.clone(), incoming.door);
        let (location, lease) = (stored.location.clone(), stored.lease.as_ref().map(|lease| lease.id.clone()));
        let (change, room, tags) = (self.change(caller), Arc::clone(&self.room), incoming.tags.clone());
        let pusher = self.pusher(caller, &name).await?;
        let new = describe(incoming);
        let most_images = if door.has_limits() { settings.images_per_repository } else { 0 };
        self.database
            .write(move |txn| {
                if let Some(lease) = &lease
                    && !uploads::delete(txn, lease)?
                {
                    return Err(StoreError::Unavailable("storing the manifest took too long".to_owned()).into());
                }
                let repository = target(txn, &settings, (&name, door.if_missing()), &pusher, change.at)?;
                let place = Place { settings: &settings, name: &name, repository };
                let known = manifests::find(txn, repository, &new.digest)?.map(|known| known.id);
                if door == Door::Ecr && known.is_some() {
                    place.refuse_again(txn, &new.digest, &tags)?;
                }
                check_references(txn, repository, &new.references, &settings)?;
                let (blob_id, unneeded) = blobs::record(txn, &new.digest, &location, new.size, change.at)?;
                let id = if let Some(id) = known {
                    id
                } else {
                    room.take(txn, repository, most_images)?;
                    let new = NewManifest { blob_id, ..new.clone() };
                    manifests::insert(txn, repository, &new, &change.by, change.at)?
                };
                place.point(txn, &tags, (id, &new.digest), known.is_none(), &change)?;
                Ok(unneeded)
            })
            .await
    }
}

impl Door {
    const fn if_missing(self) -> IfMissing {
        match self {
            Self::Oci | Self::Operator => IfMissing::Make,
            Self::Ecr => IfMissing::Refuse,
        }
    }

    const fn has_limits(self) -> bool {
        !matches!(self, Self::Operator)
    }
}

/// Where a manifest goes, and what counts there.
struct Place<'a> {
    settings: &'a Settings,
    name: &'a RepositoryName,
    repository: RepositoryId,
}

impl Place<'_> {
    /// ECR tells whoever pushes an image again that it is there. Bytes that were damaged may come again.
    fn refuse_again(&self, txn: &mut dyn Transaction, digest: &Digest, tags: &[Tag]) -> Result<(), Error> {
        for tag in tags {
            if tags::find(txn, self.repository, tag.as_str())?.as_ref() != Some(digest) {
                return Ok(());
            }
        }
        if blobs::find(txn, digest)?.is_none_or(|blob| blob.quarantined) {
            return Ok(());
        }
        let tag = tags.first().map_or_else(|| "null".to_owned(), ToString::to_string);
        let account = self.settings.registry.account.to_string();
        Err(EcrError::ImageExists { digest: digest.clone(), tag, name: self.name.clone(), account }.into())
    }

    /// Points tags that do not point there already.
    fn point(
        &self,
        txn: &mut dyn Transaction,
        tags: &[Tag],
        (id, digest): (i64, &Digest),
        is_new: bool,
        change: &Change,
    ) -> Result<(), Error> {
        let mut pointed = 0;
        for tag in tags {
            let previous = tags::find(txn, self.repository, tag.as_str())?;
            if previous.as_ref() == Some(digest) {
                continue;
            }
            if previous.is_some() {
                self.ensure_mutable(txn, tag)?;
            }
            tags::point(txn, self.repository, tag, (id, digest), previous.as_ref(), change)?;
            pointed += 1;
        }
        super::limits::ensure_tags_within(txn, id, (pointed, is_new), self.settings.tags_per_image)
    }

    fn ensure_mutable(&self, txn: &mut dyn Transaction, tag: &Tag) -> Result<(), Error> {
        let (mode, filters) = repositories::mutability(txn, self.repository)?;
        let mutability = TagMutability::from_stored(&mode, &filters).ok_or_else(|| StoreError::Corrupt {
            entity: "repositories",
            reason: format!("{mode} with {filters} is no tag mutability"),
        })?;
        if mutability.is_immutable(tag.as_str()) {
            return Err(EcrError::TagImmutable { tag: tag.to_string(), name: self.name.clone() }.into());
        }
        Ok(())
    }
}

fn checked_digest(push: &Push) -> Result<Digest, Error> {
    let Reference::Digest(expected) = &push.reference else {
        return Ok(Digest::of(Algorithm::Sha256, &push.bytes));
    };
    let actual = Digest::of(expected.algorithm(), &push.bytes);
    if actual == *expected {
        return Ok(actual);
    }
    Err(Error::DigestMismatch { expected: expected.clone(), actual })
}

fn describe(incoming: &Incoming<'_>) -> NewManifest {
    let manifest = &incoming.manifest;
    let blobs = manifest.blob_references().map(|blob| (ReferenceKind::Blob, blob));
    let children = manifest.child_references().map(|child| (ReferenceKind::Child, child));
    let references = blobs
        .chain(children)
        .map(|(kind, to)| ManifestReference { kind, digest: to.digest.clone(), size: to.size })
        .collect();
    NewManifest {
        digest: incoming.digest.clone(),
        blob_id: 0,
        media_type: manifest.media_type.clone(),
        artifact_type: manifest.artifact_type.clone(),
        subject: manifest.subject.as_ref().map(|subject| subject.digest.clone()),
        annotations: manifest.annotations.clone(),
        size: incoming.bytes.len() as u64,
        references,
    }
}

/// Everything that a manifest refers to is in its repository, with the size that it says. A missing subject is fine.
fn check_references(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    references: &[ManifestReference],
    settings: &Settings,
) -> Result<(), Error> {
    let (mut missing, mut misses_blobs) = (Vec::new(), false);
    for reference in references {
        let size = match reference.kind {
            ReferenceKind::Blob => blobs::linked_size(txn, repository, &reference.digest)?,
            ReferenceKind::Child => manifests::size(txn, repository, &reference.digest)?,
        };
        match size {
            Some(actual) if actual != reference.size => {
                let (digest, declared) = (reference.digest.clone(), reference.size);
                return Err(Error::SizeMismatch { digest, declared, actual });
            }
            Some(_) => {}
            None if settings.allow_sparse_indexes => {}
            None => {
                misses_blobs |= reference.kind == ReferenceKind::Blob;
                missing.push(reference.digest.clone());
            }
        }
    }
    match (missing.is_empty(), misses_blobs) {
        (true, _) => Ok(()),
        (false, true) => Err(Error::ReferencesMissing(missing)),
        (false, false) => Err(EcrError::ChildrenMissing(missing).into()),
    }
}
