//! Images: pushing, resolving and deleting manifests and their tags.

use berth_oci::digest::{Algorithm, Digest};
use berth_oci::endpoint::UploadId;
use berth_oci::manifest::Manifest;
use berth_oci::media_type::MediaType;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_store::blobs::{self, Location};
use berth_store::clock::sixteen;
use berth_store::garbage;
use berth_store::manifests::{self, FoundManifest, ManifestRecord, ManifestReference, NewManifest, ReferenceKind};
use berth_store::repositories::RepositoryId;
use berth_store::tags::{self, Change};
use berth_store::uploads::{self, UploadRecord};
use berth_store::{BlobKey, StoreError, Transaction};
use bytes::Bytes;

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::repositories::{existing, for_push};
use crate::settings::Settings;

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
    /// What it is about, which the referrers API now shows it under.
    pub subject: Option<Digest>,
}

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

/// Where a manifest's bytes are before its row is written.
struct Stored {
    location: Location,
    /// What owns their key until then.
    lease: Option<UploadRecord>,
}

impl Domain {
    /// The manifest that a tag or digest names.
    pub async fn resolve(&self, caller: &Caller, name: &RepositoryName, reference: &Reference) -> Result<Found, Error> {
        self.allow(caller, Action::BatchGetImage, name).await?;
        let FoundManifest { record, .. } = self.look_up_manifest(name, reference).await?;
        Ok(Found { digest: record.digest, media_type: record.media_type, size: record.size })
    }

    /// The bytes of the manifest that a tag or digest names, checked against its digest.
    pub async fn get_manifest(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(Found, Bytes), Error> {
        self.allow(caller, Action::BatchGetImage, name).await?;
        let FoundManifest { record, blob } = self.look_up_manifest(name, reference).await?;
        let blob = blob.ok_or_else(|| Error::Damaged(record.digest.clone()))?;
        let bytes = self.content(&blob).await?;
        Ok((Found { digest: record.digest, media_type: record.media_type, size: record.size }, bytes))
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
        read.await
    }

    /// Stores a manifest and points its tags to it, all or nothing.
    pub async fn push_manifest(&self, caller: &Caller, name: &RepositoryName, push: Push) -> Result<Pushed, Error> {
        self.allow(caller, Action::PutImage, name).await?;
        self.ensure_writable().await?;
        let manifest = Manifest::parse(&push.bytes, push.content_type.as_deref())?;
        let digest = checked_digest(&push)?;
        let stored = self.store_manifest(caller, name, &push.bytes, &digest).await?;
        let recorded = self.record_manifest(caller, name, &push, &manifest, &digest, &stored).await;
        match (&recorded, &stored.lease) {
            (Ok(unneeded), _) => self.forget_key(unneeded.clone()).await,
            // Where the commit's reply was lost, the lease went with it, and the key is the manifest's.
            (Err(_), Some(lease)) => self.discard(lease, false).await?,
            (Err(_), None) => {}
        }
        recorded.map(|_| Pushed { digest, subject: manifest.subject.map(|subject| subject.digest) })
    }

    /// A key belongs to a lease until it belongs to the manifest: a collection elsewhere never meets it without a row,
    /// however long this node is held up.
    async fn store_manifest(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        bytes: &Bytes,
        digest: &Digest,
    ) -> Result<Stored, Error> {
        if bytes.len() <= INLINE_BYTES {
            return Ok(Stored { location: Location::Inline(bytes.to_vec()), lease: None });
        }
        let id = UploadId::from_random(sixteen(self.random.as_ref()));
        let key = BlobKey::fresh(self.random.as_ref());
        let lease = self.open_lease(caller, name, &id, key, digest.algorithm()).await?;
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
        name: &RepositoryName,
        push: &Push,
        manifest: &Manifest,
        digest: &Digest,
        stored: &Stored,
    ) -> Result<Option<BlobKey>, Error> {
        let (settings, name) = (self.settings.clone(), name.clone());
        let (location, lease) = (stored.location.clone(), stored.lease.as_ref().map(|lease| lease.id.clone()));
        let change = self.change(caller);
        let new = describe(manifest, digest, push.bytes.len() as u64);
        let tags = tags_of(push);
        self.database
            .write(move |txn| {
                if let Some(lease) = &lease
                    && !uploads::delete(txn, lease)?
                {
                    return Err(StoreError::Unavailable("storing the manifest took too long".to_owned()).into());
                }
                let repository = for_push(txn, &settings, &name, &change.by, change.at)?;
                check_references(txn, repository, &new.references, &settings)?;
                let (blob_id, unneeded) = blobs::record(txn, &new.digest, &location, new.size, change.at)?;
                let new = NewManifest { blob_id, ..new.clone() };
                let id = manifests::insert(txn, repository, &new, &change.by, change.at)?;
                for tag in &tags {
                    tags::point(txn, repository, tag, id, &new.digest, &change)?;
                }
                Ok(unneeded)
            })
            .await
    }

    /// Takes a tag away, or a manifest with all its tags where a digest names it.
    pub async fn delete_manifest(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(), Error> {
        self.allow(caller, Action::BatchDeleteImage, name).await?;
        self.ensure_not_read_only()?;
        let (settings, name, reference) = (self.settings.clone(), name.clone(), reference.clone());
        let change = self.change(caller);
        self.database
            .write(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                match &reference {
                    Reference::Tag(tag) => untag(txn, repository, tag, &change),
                    Reference::Digest(_) => delete(txn, repository, &reference, &change),
                }
            })
            .await
    }

    fn change(&self, caller: &Caller) -> Change {
        Change { by: caller.principal().to_owned(), at: self.clock.now() }
    }
}

fn find(txn: &mut dyn Transaction, repository: RepositoryId, reference: &Reference) -> Result<ManifestRecord, Error> {
    let found = match reference {
        Reference::Tag(tag) => manifests::find_by_tag(txn, repository, tag.as_str())?,
        Reference::Digest(digest) => manifests::find(txn, repository, digest)?,
    };
    found.ok_or_else(|| Error::ManifestUnknown(text(reference)))
}

fn text(reference: &Reference) -> String {
    match reference {
        Reference::Tag(tag) => tag.to_string(),
        Reference::Digest(digest) => digest.to_string(),
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

fn tags_of(push: &Push) -> Vec<Tag> {
    let own = match &push.reference {
        Reference::Tag(tag) => Some(tag.clone()),
        Reference::Digest(_) => None,
    };
    own.into_iter().chain(push.tags.iter().cloned()).collect()
}

fn describe(manifest: &Manifest, digest: &Digest, size: u64) -> NewManifest {
    let blobs = manifest.blob_references().map(|blob| (ReferenceKind::Blob, blob));
    let children = manifest.child_references().map(|child| (ReferenceKind::Child, child));
    let references = blobs
        .chain(children)
        .map(|(kind, to)| ManifestReference { kind, digest: to.digest.clone(), size: to.size })
        .collect();
    NewManifest {
        digest: digest.clone(),
        blob_id: 0,
        media_type: manifest.media_type.clone(),
        artifact_type: manifest.artifact_type.clone(),
        subject: manifest.subject.as_ref().map(|subject| subject.digest.clone()),
        annotations: manifest.annotations.clone(),
        size,
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
    let mut missing = Vec::new();
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
            None => missing.push(reference.digest.clone()),
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::ReferencesMissing(missing)) }
}

fn untag(txn: &mut dyn Transaction, repository: RepositoryId, tag: &Tag, change: &Change) -> Result<(), Error> {
    if tags::remove(txn, repository, tag.as_str(), change)? {
        return Ok(());
    }
    Err(Error::ManifestUnknown(tag.to_string()))
}

fn delete(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    reference: &Reference,
    change: &Change,
) -> Result<(), Error> {
    let manifest = find(txn, repository, reference)?;
    let digest = manifest.digest.clone();
    if let Some(used_by) = manifests::referring(txn, repository, ReferenceKind::Child, &digest)?
        && used_by != digest
    {
        return Err(Error::ManifestInUse { digest, used_by });
    }
    tags::remove_all_of(txn, repository, &manifest, change)?;
    garbage::begin_grace_of_manifest(txn, repository, &manifest, change.at)?;
    Ok(manifests::delete(txn, &manifest)?)
}
