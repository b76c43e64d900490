//! What takes the bytes of one upload: memory as long as they are few, the blob store from then on.
//!
//! A small blob goes into the database in the transaction that makes it known, and needs no file, no object and no sync of
//! its own. Between two requests it lies at its key all the same, so that it survives a crash of the process.

use berth_oci::digest::{Algorithm, Digest};
use berth_store::blobs::Location;
use berth_store::{BlobKey, BlobStore, BlobStoreError, BlobWriter, Checkpoint};
use bytes::{Bytes, BytesMut};

/// The writer of one upload.
pub(super) struct UploadWriter {
    // Everything that was taken, as long as that is little; `None` from then on.
    memory: Option<BytesMut>,
    // Behind what was handed on; `None` before anything was.
    stored: Option<Box<dyn BlobWriter>>,
    most_in_memory: usize,
}

/// A blob whose bytes are where they are to stay, or about to go there with its row.
pub(super) struct Finished {
    pub(super) location: Location,
    pub(super) size: u64,
    /// Whether something of it was handed to the blob store that nobody needs now.
    pub(super) leaves_rest: bool,
}

impl UploadWriter {
    /// The writer of an upload of which the store has nothing yet, and that keeps up to so many bytes in memory.
    pub(super) fn fresh(most_in_memory: u64) -> Self {
        let most_in_memory = usize::try_from(most_in_memory).unwrap_or(usize::MAX);
        Self { memory: Some(BytesMut::new()), stored: None, most_in_memory }
    }

    /// The writer of an upload that the store holds.
    pub(super) fn stored(writer: Box<dyn BlobWriter>) -> Self {
        Self { memory: None, stored: Some(writer), most_in_memory: 0 }
    }

    /// The same, where the store holds nothing of it but may have begun: what follows may still be few bytes.
    pub(super) fn begun(writer: Box<dyn BlobWriter>, most_in_memory: u64) -> Self {
        Self { stored: Some(writer), ..Self::fresh(most_in_memory) }
    }

    /// Bytes taken so far.
    pub(super) fn offset(&self) -> u64 {
        match &self.memory {
            Some(memory) => memory.len() as u64,
            None => self.handed_on(),
        }
    }

    /// Whether the store was asked to take anything, and did.
    pub(super) fn is_begun(&self) -> bool {
        self.stored.is_some()
    }

    fn handed_on(&self) -> u64 {
        self.stored.as_ref().map_or(0, |writer| writer.offset())
    }

    /// Takes the next bytes.
    pub(super) async fn append(&mut self, place: Place<'_>, bytes: Bytes) -> Result<(), BlobStoreError> {
        if let Some(memory) = &mut self.memory {
            if memory.len() + bytes.len() <= self.most_in_memory {
                memory.extend_from_slice(&bytes);
                return Ok(());
            }
            self.hand_on(place).await?;
            self.memory = None;
        }
        self.store(place).await?.append(bytes).await
    }

    /// Lets everything that was taken survive a crash of the process.
    pub(super) async fn flush(&mut self, place: Place<'_>) -> Result<Option<Checkpoint>, BlobStoreError> {
        self.hand_on(place).await?;
        self.store(place).await?.flush().await
    }

    /// Checks the digest, and makes durable what does not go into the database.
    pub(super) async fn commit(mut self, place: Place<'_>, expected: &Digest) -> Result<Finished, BlobStoreError> {
        if let Some(memory) = self.memory.take().filter(|_| self.most_in_memory > 0) {
            let actual = Digest::of(expected.algorithm(), &memory);
            if actual != *expected {
                return Err(BlobStoreError::DigestMismatch { expected: expected.clone(), actual });
            }
            let size = memory.len() as u64;
            return Ok(Finished {
                location: Location::Inline(memory.into()),
                size,
                leaves_rest: self.stored.is_some(),
            });
        }
        self.store(place).await?;
        let writer = self.stored.ok_or_else(|| BlobStoreError::NotFound(place.key.clone()))?;
        let stored = writer.commit(expected).await?;
        Ok(Finished { location: Location::Key(stored.key), size: stored.size, leaves_rest: false })
    }

    async fn hand_on(&mut self, place: Place<'_>) -> Result<(), BlobStoreError> {
        let done = usize::try_from(self.handed_on()).unwrap_or(usize::MAX);
        let rest = self.memory.as_ref().and_then(|memory| memory.get(done..)).map(Bytes::copy_from_slice);
        match rest {
            Some(rest) if !rest.is_empty() => self.store(place).await?.append(rest).await,
            _ => Ok(()),
        }
    }

    async fn store(&mut self, place: Place<'_>) -> Result<&mut Box<dyn BlobWriter>, BlobStoreError> {
        let writer = match self.stored.take() {
            Some(writer) => writer,
            None => place.blobs.create(place.key, place.algorithm).await?,
        };
        Ok(self.stored.insert(writer))
    }
}

/// Where an upload's bytes go that are not kept in memory.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) blobs: &'p dyn BlobStore,
    pub(super) key: &'p BlobKey,
    pub(super) algorithm: Algorithm,
}
