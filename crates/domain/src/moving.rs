//! Moving blobs from one store to another while the registry serves from both.

use berth_oci::digest::Digest;
use berth_store::blob_store::chunks;
use berth_store::blobs::{self, BlobRecord, Location};
use berth_store::{BlobKey, BlobStore, BlobStoreError};
use futures_util::{StreamExt as _, stream};

use crate::Domain;
use crate::backup::Progress;
use crate::caller::Caller;
use crate::error::Error;

/// Keys looked at between two questions to the database.
const BATCH: usize = 200;
/// Blobs copied at the same time.
const AT_ONCE: usize = 4;

/// What a move did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Moved {
    /// Blobs that are in the new store alone now.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Keys of the old store that are no blob's: of open uploads, whose blobs move when they are finished, or garbage.
    pub left: u64,
    /// Blobs whose bytes are wrong; they stay where they are.
    pub damaged: Vec<Digest>,
}

impl Domain {
    /// Copies every blob of `old` to a fresh key of `new`, and deletes it in `old` once its row names the new one. What both
    /// are parts of is the registry's store meanwhile. May be cut off at any moment, and run by several at once.
    pub async fn move_blobs(
        &self,
        caller: &Caller,
        old: &dyn BlobStore,
        new: &dyn BlobStore,
        progress: &dyn Progress,
    ) -> Result<Moved, Error> {
        self.allow_administration(caller, "berth:MigrateStore")?;
        self.ensure_not_read_only()?;
        progress.expect(self.blob_totals().await?.1);
        let run = Run { domain: self, old, new, progress };
        let mut moved = Moved::default();
        let mut after: Option<BlobKey> = None;
        loop {
            let stored = old.list(after.as_ref(), BATCH).await?;
            let Some(end) = stored.last() else { return Ok(moved) };
            after = Some(end.key.clone());
            let keys: Vec<BlobKey> = stored.into_iter().map(|stored| stored.key).collect();
            let listed = keys.len();
            let found = self.database.read(move |txn| blobs::at_keys(txn, &keys).map_err(Error::from)).await?;
            moved.left += (listed - found.len()) as u64;
            let mut outcomes = stream::iter(found.iter().map(|blob| run.blob(blob))).buffer_unordered(AT_ONCE);
            while let Some(outcome) = outcomes.next().await {
                moved.count(outcome?);
            }
        }
    }
}

impl Moved {
    fn count(&mut self, (blob, outcome): (&BlobRecord, Outcome)) {
        match outcome {
            Outcome::Moved => {
                self.blobs += 1;
                self.bytes += blob.size;
            }
            Outcome::Gone => {}
            Outcome::Damaged => self.damaged.push(blob.digest.clone()),
        }
    }
}

enum Outcome {
    Moved,
    /// It was collected, or moved by somebody else.
    Gone,
    Damaged,
}

struct Run<'r> {
    domain: &'r Domain,
    old: &'r dyn BlobStore,
    new: &'r dyn BlobStore,
    progress: &'r dyn Progress,
}

impl Run<'_> {
    async fn blob<'b>(&self, blob: &'b BlobRecord) -> Result<(&'b BlobRecord, Outcome), Error> {
        let Location::Key(from) = &blob.location else { return Ok((blob, Outcome::Gone)) };
        let to = BlobKey::fresh(self.domain.random.as_ref());
        let outcome = match self.copy(from, &to, &blob.digest).await {
            Ok(()) => self.switch(blob.id, from, &to).await?,
            Err(BlobStoreError::NotFound(_)) => Outcome::Gone,
            Err(BlobStoreError::DigestMismatch { .. }) => {
                self.new.delete(&to).await?;
                Outcome::Damaged
            }
            Err(error) => return Err(error.into()),
        };
        self.progress.done(blob.size);
        Ok((blob, outcome))
    }

    async fn copy(&self, from: &BlobKey, to: &BlobKey, digest: &Digest) -> Result<(), BlobStoreError> {
        let read = self.old.read(from, 0, u64::MAX).await?;
        let mut writer = self.new.create(to, digest.algorithm()).await?;
        let mut frames = chunks(read);
        while let Some(frame) = frames.next().await {
            let failed = |source| BlobStoreError::Io { action: format!("reading {from}"), source };
            writer.append(frame.map_err(failed)?).await?;
        }
        writer.commit(digest).await.map(|_| ())
    }

    /// The row goes over to the new key; then exactly the key that nothing names any more is deleted.
    async fn switch(&self, id: i64, from: &BlobKey, to: &BlobKey) -> Result<Outcome, Error> {
        let (old_key, new_key) = (from.clone(), to.clone());
        let switched =
            self.domain.database.write(move |txn| Ok::<_, Error>(blobs::relocate(txn, id, &old_key, &new_key)?));
        if switched.await? {
            self.old.delete(from).await?;
            return Ok(Outcome::Moved);
        }
        self.new.delete(to).await?;
        Ok(Outcome::Gone)
    }
}
