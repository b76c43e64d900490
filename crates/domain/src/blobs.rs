//! Blobs: reading and deleting them through a repository.

use berth_oci::digest::{Digest, Hasher};
use berth_oci::name::RepositoryName;
use berth_store::blob_store::chunks;
use berth_store::blobs::{self, BlobRecord, FoundBlob, Location};
use berth_store::garbage;
use berth_store::manifests::{self, ReferenceKind};
use berth_store::{BlobKey, BlobRead, BlobStoreError, Timestamp};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;

use crate::Domain;
use crate::access::scopes;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::repositories::existing;

/// Blobs up to this size are read whole and hashed before a byte of them goes out: configs, signatures, notes. The price is
/// some ten microseconds.
const CHECKED_BYTES: u64 = 64 * 1024;

/// A blob that a caller may read.
#[derive(Debug, Clone)]
pub struct BlobHandle(FoundBlob);

/// The bytes of a blob, or a part of them.
pub enum Content {
    /// All of them, checked against the digest.
    Bytes(Bytes),
    /// To be sent from the store as they are.
    Stored(BlobRead),
}

impl BlobHandle {
    /// How many bytes the blob has.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// Its digest.
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }
}

impl Domain {
    /// A blob of a repository for a HEAD: a promise that it stays until a manifest can name it. One that is quarantined is
    /// not there for this question, so that a client that pushes uploads it again, which repairs it.
    pub async fn check_blob(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<BlobHandle, Error> {
        self.allow(caller, Action::BatchCheckLayerAvailability, name).await?;
        let (found, promised) = self.find_blob(name, digest).await.map_err(|error| match error {
            Error::Damaged(digest) => Error::BlobUnknown(digest),
            other => other,
        })?;
        let is_promised = self.promise(name, digest, promised).await?;
        if is_promised { Ok(found) } else { Err(Error::BlobUnknown(digest.clone())) }
    }

    /// Where a client can read a blob by itself, if the store gives such addresses. Small ones are checked here instead.
    pub async fn blob_address(&self, blob: &BlobHandle) -> Result<Option<String>, Error> {
        match &blob.0.key {
            Some(key) if !blob.0.quarantined && !is_small(&blob.0) => Ok(self.blobs.address(key).await?),
            _ => Ok(None),
        }
    }

    /// A blob of a repository for a GET.
    pub async fn get_blob(&self, caller: &Caller, name: &RepositoryName, digest: &Digest) -> Result<BlobHandle, Error> {
        self.allow(caller, Action::GetDownloadUrlForLayer, name).await?;
        scopes::ensure_opens(caller, &self.settings.registry, name, digest)?;
        self.find_blob(name, digest).await.map(|(found, _)| found)
    }

    /// A blob, and when its link was last promised.
    pub(crate) async fn find_blob(
        &self,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<(BlobHandle, Timestamp), Error> {
        let (settings, name, digest) = (self.settings.clone(), name.clone(), digest.clone());
        let read = self.database.read(move |txn| {
            if let Some(found) = blobs::look_up(txn, &settings.registry, &name, &digest)? {
                return Ok(found);
            }
            existing(txn, &settings, &name)?;
            Err(Error::BlobUnknown(digest.clone()))
        });
        let (mut found, promised) = read.await?;
        if found.quarantined {
            return Err(Error::Damaged(found.digest));
        }
        if found.is_doubtful {
            found.size = self.true_size(&found).await?;
        }
        Ok((BlobHandle(found), promised))
    }

    /// How many bytes a small blob has whose row may be wrong: those that have its digest. A `HEAD` tells the size, and nothing
    /// guards it there.
    pub(crate) async fn true_size(&self, blob: &FoundBlob) -> Result<u64, Error> {
        Ok(self.content(blob).await?.len() as u64)
    }

    /// `length` bytes of a blob from `offset`. Those of a small one are checked against its digest.
    pub async fn read_blob(&self, blob: &BlobHandle, offset: u64, length: u64) -> Result<Content, Error> {
        match &blob.0.key {
            Some(key) if !is_small(&blob.0) => {
                self.read_key(&blob.0.at(key), key, offset, length).await.map(Content::Stored)
            }
            _ => Ok(Content::Bytes(part(&self.content(&blob.0).await?, offset, length))),
        }
    }

    /// All bytes of a small blob, checked against its digest once and kept as long as there is room.
    pub(crate) async fn content(&self, blob: &FoundBlob) -> Result<Bytes, Error> {
        if blob.quarantined {
            return Err(Error::Damaged(blob.digest.clone()));
        }
        if let Some(bytes) = self.contents.get(&blob.digest) {
            return Ok(bytes);
        }
        let bytes = match &blob.key {
            Some(key) => self.read_whole(&blob.at(key)).await?,
            None => self.read_row(&blob.digest).await?,
        };
        self.contents.keep(&blob.digest, &bytes);
        Ok(bytes)
    }

    /// The bytes of a blob that lay in its row when it was found.
    async fn read_row(&self, digest: &Digest) -> Result<Bytes, Error> {
        let wanted = digest.clone();
        let found = self.database.read(move |txn| blobs::find(txn, &wanted).map_err(Error::from)).await?;
        let found = found.ok_or_else(|| Error::BlobUnknown(digest.clone()))?;
        self.read_whole(&found).await
    }

    /// All bytes of a small blob, checked against its digest: never wrong ones.
    async fn read_whole(&self, blob: &BlobRecord) -> Result<Bytes, Error> {
        let bytes = match &blob.location {
            Location::Inline(bytes) => Bytes::copy_from_slice(bytes),
            Location::Key(key) => collect(self.read_key(blob, key, 0, blob.size).await?).await?,
        };
        self.checked(blob, bytes).await
    }

    /// Bytes at a blob's key; at another one where the blob moved since its row was read. One that was cut short is found
    /// here, before anything of it is sent.
    async fn read_key(&self, blob: &BlobRecord, key: &BlobKey, offset: u64, length: u64) -> Result<BlobRead, Error> {
        let read = match self.blobs.read(key, offset, length).await {
            Err(BlobStoreError::NotFound(_)) => self.read_moved(blob, key, offset, length).await?,
            read => read?,
        };
        let promised = length.min(blob.size.saturating_sub(offset));
        if read.length() < promised { self.quarantine(blob).await } else { Ok(read) }
    }

    async fn read_moved(&self, blob: &BlobRecord, from: &BlobKey, offset: u64, length: u64) -> Result<BlobRead, Error> {
        let digest = blob.digest.clone();
        let now = self.database.read(move |txn| blobs::find(txn, &digest).map_err(Error::from)).await?;
        match now.map(|now| now.location) {
            Some(Location::Key(moved)) if moved != *from => Ok(self.blobs.read(&moved, offset, length).await?),
            _ => self.quarantine(blob).await,
        }
    }

    async fn checked(&self, blob: &BlobRecord, bytes: Bytes) -> Result<Bytes, Error> {
        if !blob.quarantined && Digest::of(blob.digest.algorithm(), &bytes) == blob.digest {
            return Ok(bytes);
        }
        self.quarantine(blob).await
    }

    /// Refuses a blob whose bytes are wrong or gone, for good; one that was collected meanwhile is simply not there.
    async fn quarantine<T>(&self, blob: &BlobRecord) -> Result<T, Error> {
        if !self.note_damaged(blob).await? {
            return Err(Error::BlobUnknown(blob.digest.clone()));
        }
        tracing::error!(digest = %blob.digest, "stored bytes are damaged or gone; quarantined");
        metrics::counter!("berth_blobs_quarantined_total").increment(1);
        Err(Error::Damaged(blob.digest.clone()))
    }

    /// Takes a blob away from a repository, unless a manifest there uses it.
    pub async fn delete_blob(&self, caller: &Caller, name: &RepositoryName, digest: &Digest) -> Result<(), Error> {
        self.allow(caller, Action::BatchDeleteImage, name).await?;
        self.ensure_not_read_only()?;
        let (settings, now) = (self.settings.clone(), self.clock.now());
        let (name, digest) = (name.clone(), digest.clone());
        self.database
            .write(move |txn| {
                let repository = existing(txn, &settings, &name)?;
                if blobs::find_linked(txn, repository, &digest)?.is_none() {
                    return Err(Error::BlobUnknown(digest.clone()));
                }
                if let Some(used_by) = manifests::referring(txn, repository, ReferenceKind::Blob, &digest)? {
                    return Err(Error::BlobInUse { digest: digest.clone(), used_by });
                }
                blobs::unlink(txn, repository, &digest)?;
                Ok(garbage::begin_grace_of_blob(txn, &digest, now)?)
            })
            .await
    }

    /// Hashes a blob where it lies. `false` where its bytes are wrong, cut or gone.
    pub(crate) async fn is_sound(&self, blob: &BlobRecord, pace: &mut dyn crate::verify::Pace) -> Result<bool, Error> {
        let mut hasher = Hasher::new(blob.digest.algorithm());
        let mut size = 0;
        let read = match &blob.location {
            Location::Inline(bytes) => {
                pace.hashed(bytes.len() as u64).await;
                return Ok(Digest::of(blob.digest.algorithm(), bytes) == blob.digest);
            }
            Location::Key(key) => self.blobs.read(key, 0, u64::MAX).await,
        };
        let mut chunks = match read {
            Ok(read) => chunks(read),
            Err(BlobStoreError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        while let Some(chunk) = chunks.next().await {
            let Ok(chunk) = chunk else { return Ok(false) };
            size += chunk.len() as u64;
            hasher.update(&chunk);
            pace.hashed(chunk.len() as u64).await;
        }
        Ok(size == blob.size && hasher.finish() == blob.digest)
    }
}

fn is_small(blob: &FoundBlob) -> bool {
    blob.size <= CHECKED_BYTES
}

fn part(whole: &Bytes, offset: u64, length: u64) -> Bytes {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
    let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(whole.len());
    whole.slice(start..end)
}

async fn collect(read: BlobRead) -> Result<Bytes, Error> {
    let mut whole = BytesMut::new();
    let mut chunks = chunks(read);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|source| BlobStoreError::Io { action: "reading a small blob".to_owned(), source })?;
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}
