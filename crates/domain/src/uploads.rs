//! Uploads: how the bytes of a blob come in, whichever door they come through.
//!
//! An upload is a lease in the database on a fresh key of the blob store. Between requests its writer and hash state stay
//! in memory; after a restart they are rebuilt from the partial file. The blob exists from the one transaction on that
//! writes its row and its link, after its bytes were made durable.

use std::sync::atomic::Ordering;

use berth_oci::digest::{Algorithm, Digest};
use berth_oci::endpoint::UploadId;
use berth_oci::name::RepositoryName;
use berth_store::blobs::{self, Location};
use berth_store::clock::sixteen;
use berth_store::uploads::{self, UploadRecord};
use berth_store::{BlobKey, BlobStoreError, Transaction};

use crate::Domain;
use crate::body::Body;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::quota;
use crate::target::{IfMissing, target};

mod claim;
mod mount;
pub mod parts;
mod receive;
mod session;
mod writer;

pub use self::mount::Mount;
use self::receive::lost_or;
use self::session::Held;
pub(crate) use self::session::Sessions;
use self::writer::{Finished, Place, UploadWriter};

impl Domain {
    /// Begins an upload of a blob that will be hashed with `algorithm`.
    pub async fn begin_upload(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        algorithm: Algorithm,
    ) -> Result<UploadId, Error> {
        self.allow(caller, Action::InitiateLayerUpload, name).await?;
        self.begin(caller, (name, IfMissing::Make), algorithm).await
    }

    async fn begin(
        &self,
        caller: &Caller,
        target: (&RepositoryName, IfMissing),
        algorithm: Algorithm,
    ) -> Result<UploadId, Error> {
        self.ensure_writable().await?;
        let id = UploadId::from_random(sixteen(self.random.as_ref()));
        let key = BlobKey::fresh(self.random.as_ref());
        let record = self.open_lease(caller, target, &id, key, algorithm).await?;
        if self.sessions.is_crowded() {
            // Its next request finds nothing in memory.
            self.blobs.create(&record.key, algorithm).await?;
        } else {
            let writer = UploadWriter::fresh(self.settings.inline_blob_bytes);
            *self.sessions.slot(&record.id).open.lock().await = Some(writer);
        }
        Ok(id)
    }

    /// A lease on a fresh key, which owns it until a blob's row does.
    pub(crate) async fn open_lease(
        &self,
        caller: &Caller,
        (name, if_missing): (&RepositoryName, IfMissing),
        id: &UploadId,
        key: BlobKey,
        algorithm: Algorithm,
    ) -> Result<UploadRecord, Error> {
        let pusher = self.pusher(caller, name).await?;
        let (settings, name, now) = (self.settings.clone(), name.clone(), self.clock.now());
        let (id, principal) = (id.to_string(), caller.principal().to_owned());
        self.database
            .write(move |txn| {
                let account = settings.registry.account.clone();
                let limit = settings.open_uploads;
                if uploads::count(txn, &account, limit)? >= limit {
                    return Err(Error::TooManyUploads { limit });
                }
                let record = UploadRecord {
                    id: id.clone(),
                    repository: target(txn, &settings, (&name, if_missing), &pusher, now)?,
                    account,
                    principal: principal.clone(),
                    key: key.clone(),
                    algorithm,
                    created_at: now,
                    expires_at: now.after(settings.upload_ttl),
                    checkpoint: None,
                    contested: false,
                    version: 0,
                    parts: 0,
                    short_part_end: None,
                };
                uploads::insert(txn, &record)?;
                Ok(record)
            })
            .await
    }

    /// How many bytes an upload holds.
    pub async fn upload_status(&self, caller: &Caller, name: &RepositoryName, id: &UploadId) -> Result<u64, Error> {
        self.allow(caller, Action::UploadLayerPart, name).await?;
        if self.blobs.is_shared() {
            let record = self.lease(caller, name, id).await?;
            return self.noted_offset(&record).await;
        }
        match self.hold(caller, name, id).await {
            Ok(held) => Ok(held.session.offset.load(Ordering::Acquire)),
            // Whoever holds it may be just taking it up again, and not know yet how much there is.
            Err(Error::UploadBusy { offset: 0 }) => {
                let record = self.lease(caller, name, id).await?;
                self.noted_offset(&record).await
            }
            Err(Error::UploadBusy { offset }) => Ok(offset),
            Err(error) => Err(error),
        }
    }

    /// How far an upload on a shared store got, as far as anybody noted. What another kind of store holds of it, from which
    /// blobs move away or to which they move, has no checkpoint.
    async fn noted_offset(&self, record: &UploadRecord) -> Result<u64, Error> {
        if let Some(checkpoint) = &record.checkpoint {
            return Ok(checkpoint.offset);
        }
        match self.blobs.resume(record.unfinished(), record.algorithm).await {
            Ok(writer) => Ok(writer.offset()),
            Err(BlobStoreError::NotFound(_)) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Appends a body to an upload and returns the new offset. With `expected_start` the body must begin there. What
    /// arrived of a body that broke off is kept.
    pub async fn append_to_upload(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        id: &UploadId,
        expected_start: Option<u64>,
        body: &mut dyn Body,
    ) -> Result<u64, Error> {
        self.allow(caller, Action::UploadLayerPart, name).await?;
        self.ensure_writable().await?;
        let mut held = self.hold(caller, name, id).await?;
        self.extend_lease(&held.record).await?;
        let received = self.receive(&mut held, expected_start, body, false).await;
        if self.sessions.is_crowded() {
            self.sessions.forget(&held.record.id);
        }
        received
    }

    /// Finishes an upload with a last body, which may be empty: from here on the repository links the blob `expected`.
    pub async fn finish_upload(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        id: &UploadId,
        expected_start: Option<u64>,
        body: &mut dyn Body,
        expected: &Digest,
    ) -> Result<(), Error> {
        self.allow(caller, Action::CompleteLayerUpload, name).await?;
        self.ensure_writable().await?;
        let mut held = self.hold(caller, name, id).await?;
        self.receive(&mut held, expected_start, body, true).await?;
        self.settle(&mut held, expected).await
    }

    /// Turns all that an upload holds into the blob `expected`, which its repository links then. Where that fails the upload
    /// ends, unless it can go on from its checkpoint.
    async fn settle(&self, held: &mut Held, expected: &Digest) -> Result<(), Error> {
        let writer = held.writer.take().ok_or(Error::UploadUnknown)?;
        let outcome = match writer.commit(self.place(&held.record), expected).await {
            Ok(finished) => self.record_blob(held.record.clone(), held.claim.is_some(), expected, finished).await,
            Err(BlobStoreError::Unavailable { action, reason }) if held.claim.is_some() => {
                // Its checkpoint is still good: the client may go on from there.
                self.give_back(held.record.clone(), None).await?;
                return Err(BlobStoreError::Unavailable { action, reason }.into());
            }
            Err(error) => Err(lost_or(error.into())),
        };
        if let Err(error) = &outcome {
            let is_full = matches!(error, Error::OutOfSpace);
            self.end(&held.record, held.claim.is_some(), is_full).await?;
        }
        self.sessions.forget(&held.record.id);
        outcome
    }

    /// Gives up an upload and its bytes.
    pub async fn cancel_upload(&self, caller: &Caller, name: &RepositoryName, id: &UploadId) -> Result<(), Error> {
        self.allow(caller, Action::UploadLayerPart, name).await?;
        let mut held = self.hold(caller, name, id).await?;
        held.writer.take();
        self.discard(&held.record, held.claim.is_some()).await
    }

    /// Takes away the uploads whose lease has ended, and their bytes; returns how many.
    pub async fn expire_uploads(&self) -> Result<u64, Error> {
        let mut count = 0;
        loop {
            let now = self.clock.now();
            let expired = self.database.read(move |txn| uploads::expired(txn, now, 100).map_err(Error::from)).await?;
            if expired.is_empty() {
                return Ok(count);
            }
            for record in &expired {
                self.discard(record, false).await?;
                count += 1;
            }
        }
    }

    async fn record_blob(
        &self,
        upload: UploadRecord,
        is_claimed: bool,
        digest: &Digest,
        finished: Finished,
    ) -> Result<(), Error> {
        let (settings, now) = (self.settings.clone(), self.clock.now());
        let (digest, node) = (digest.clone(), is_claimed.then(|| self.node.clone()));
        let tail = upload.checkpoint.as_ref().and_then(|checkpoint| checkpoint.tail.clone());
        let superseded = tail.filter(|tail| finished.location != Location::Key(tail.clone()));
        let (rest, leaves_rest) = (upload.clone(), finished.leaves_rest);
        let unneeded = self
            .database
            .write(move |txn| {
                if !close(txn, &upload, node.as_deref())? {
                    return Err(Error::UploadUnknown);
                }
                let Finished { location, size, .. } = &finished;
                let (blob_id, unneeded) = blobs::record(txn, &digest, location, *size, now)?;
                blobs::link(txn, upload.repository, &digest, blob_id, *size, now)?;
                quota::ensure_within(txn, upload.repository, &settings)?;
                Ok(unneeded)
            })
            .await?;
        self.forget_key(unneeded).await;
        self.forget_key(superseded).await;
        if leaves_rest {
            self.forget_rest(&rest).await;
        }
        Ok(())
    }

    /// Where the bytes of an upload go.
    fn place<'p>(&'p self, record: &'p UploadRecord) -> Place<'p> {
        Place { blobs: self.blobs.as_ref(), key: &record.key, algorithm: record.algorithm }
    }

    /// Row first, bytes after: a key that nothing owns harms nobody. An upload that was claimed and lost to another node
    /// is that node's affair.
    pub(crate) async fn discard(&self, record: &UploadRecord, is_claimed: bool) -> Result<(), Error> {
        self.sessions.forget(&record.id);
        let (upload, node) = (record.clone(), is_claimed.then(|| self.node.clone()));
        let was_open = self.database.write(move |txn| close(txn, &upload, node.as_deref())).await?;
        if was_open {
            self.forget_rest(record).await;
        }
        Ok(())
    }

    /// Forgets an upload whose row is gone, and its bytes.
    pub(crate) async fn forget_upload(&self, record: &UploadRecord) {
        self.sessions.forget(&record.id);
        self.forget_rest(record).await;
    }

    async fn forget_rest(&self, record: &UploadRecord) {
        if let Err(error) = self.blobs.give_up(record.unfinished()).await {
            tracing::warn!(upload = record.id, %error, "what was left of an upload could not be removed");
        }
    }

    /// Deletes a key that no row owns any more. A failure is logged: collection finds such keys later.
    pub(crate) async fn forget_key(&self, key: Option<BlobKey>) {
        if let Some(key) = key
            && let Err(error) = self.blobs.delete(&key).await
        {
            tracing::warn!(%key, %error, "an unneeded key could not be deleted");
        }
    }
}

/// Closes an upload, which a claim by `node` must still be on where one was made; whether it was open.
fn close(txn: &mut dyn Transaction, upload: &UploadRecord, node: Option<&str>) -> Result<bool, Error> {
    Ok(match node {
        Some(node) => uploads::close_claimed(txn, upload, node)?,
        None => uploads::delete(txn, &upload.id)?,
    })
}
