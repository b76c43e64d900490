//! Uploads: how the bytes of a blob come in, whichever door they come through.
//!
//! An upload is a lease in the database on a fresh key of the blob store. Between requests its writer and hash state stay
//! in memory; after a restart they are rebuilt from the partial file. The blob exists from the one transaction on that
//! writes its row and its link, after its bytes were made durable.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use berth_oci::digest::{Algorithm, Digest};
use berth_oci::endpoint::UploadId;
use berth_oci::name::RepositoryName;
use berth_store::blobs::{self, Location};
use berth_store::clock::sixteen;
use berth_store::uploads::{self, UploadRecord};
use berth_store::{BlobKey, BlobStoreError, BlobWriter, Stored, Transaction};

use self::claim::Claim;
use crate::Domain;
use crate::body::Body;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::quota;
use crate::repositories::{existing, for_push};

mod claim;

/// How many repositories are looked at for a mount that names no source.
const MOUNT_CANDIDATES: u64 = 100;

/// Writers kept between requests. Each is an open file; uploads beyond that are taken up again for each request.
const KEPT_WRITERS: usize = 256;

/// One upload between requests. Whoever writes holds `open`, and reads the lease again under it.
#[derive(Default)]
struct Session {
    offset: AtomicU64,
    // Which of the upload's versions the writer stands behind; another node may have gone on since.
    version: AtomicI64,
    open: Arc<tokio::sync::Mutex<Option<Box<dyn BlobWriter>>>>,
}

/// The uploads that were used lately.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

impl Sessions {
    fn slot(&self, id: &str) -> Arc<Session> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sessions.entry(id.to_owned()).or_default())
    }

    fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    fn is_crowded(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() > KEPT_WRITERS
    }
}

/// An upload that nobody else can write to while this exists.
struct Held {
    record: UploadRecord,
    session: Arc<Session>,
    writer: tokio::sync::OwnedMutexGuard<Option<Box<dyn BlobWriter>>>,
    // On a shared store: the right to write, among all nodes.
    claim: Option<Claim>,
}

/// What a mount came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mount {
    /// The repository links the blob now.
    Mounted,
    /// There is nothing that the caller may mount: upload it.
    NotFound,
}

impl Domain {
    /// Begins an upload of a blob that will be hashed with `algorithm`.
    pub async fn begin_upload(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        algorithm: Algorithm,
    ) -> Result<UploadId, Error> {
        caller.allow(Action::InitiateLayerUpload, name, &self.settings)?;
        self.ensure_writable().await?;
        let id = UploadId::from_random(sixteen(self.random.as_ref()));
        let key = BlobKey::fresh(self.random.as_ref());
        let record = self.open_lease(caller, name, &id, key, algorithm).await?;
        let writer = self.blobs.create(&record.key, algorithm).await?;
        if !self.sessions.is_crowded() {
            *self.sessions.slot(&record.id).open.lock().await = Some(writer);
        }
        Ok(id)
    }

    /// A lease on a fresh key, which owns it until a blob's row does.
    pub(crate) async fn open_lease(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        id: &UploadId,
        key: BlobKey,
        algorithm: Algorithm,
    ) -> Result<UploadRecord, Error> {
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
                    repository: for_push(txn, &settings, &name, &principal, now)?,
                    account,
                    principal: principal.clone(),
                    key: key.clone(),
                    algorithm,
                    created_at: now,
                    expires_at: now.after(settings.upload_ttl),
                    checkpoint: None,
                    contested: false,
                    version: 0,
                };
                uploads::insert(txn, &record)?;
                Ok(record)
            })
            .await
    }

    /// How many bytes an upload holds.
    pub async fn upload_status(&self, caller: &Caller, name: &RepositoryName, id: &UploadId) -> Result<u64, Error> {
        caller.allow(Action::UploadLayerPart, name, &self.settings)?;
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
        caller.allow(Action::UploadLayerPart, name, &self.settings)?;
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
        caller.allow(Action::CompleteLayerUpload, name, &self.settings)?;
        self.ensure_writable().await?;
        let mut held = self.hold(caller, name, id).await?;
        self.receive(&mut held, expected_start, body, true).await?;
        let writer = held.writer.take().ok_or(Error::UploadUnknown)?;
        let outcome = match writer.commit(expected).await {
            Ok(stored) => self.record_blob(held.record.clone(), held.claim.is_some(), expected, stored).await,
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
        caller.allow(Action::UploadLayerPart, name, &self.settings)?;
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

    /// Links a blob of another repository, or of any that the caller may pull from, without an upload.
    pub async fn mount_blob(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        digest: &Digest,
        from: Option<&RepositoryName>,
    ) -> Result<Mount, Error> {
        caller.allow(Action::InitiateLayerUpload, name, &self.settings)?;
        self.ensure_not_read_only()?;
        for source in self.mount_sources(digest, from).await? {
            if caller.may(Action::GetDownloadUrlForLayer, &source, &self.settings)
                && self.link_from(caller, name, digest, &source).await?
            {
                return Ok(Mount::Mounted);
            }
        }
        Ok(Mount::NotFound)
    }

    async fn mount_sources(
        &self,
        digest: &Digest,
        from: Option<&RepositoryName>,
    ) -> Result<Vec<RepositoryName>, Error> {
        if let Some(from) = from {
            return Ok(vec![from.clone()]);
        }
        let (registry, digest) = (self.settings.registry.clone(), digest.clone());
        let names = self
            .database
            .read(move |txn| {
                blobs::repositories_linking(txn, &registry, &digest, MOUNT_CANDIDATES).map_err(Error::from)
            })
            .await?;
        Ok(names.iter().filter_map(|name| RepositoryName::parse(name).ok()).collect())
    }

    async fn link_from(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        digest: &Digest,
        source: &RepositoryName,
    ) -> Result<bool, Error> {
        let (settings, now, principal) = (self.settings.clone(), self.clock.now(), caller.principal().to_owned());
        let (name, digest, source) = (name.clone(), digest.clone(), source.clone());
        self.database
            .write(move |txn| {
                let Some(source) = berth_store::repositories::find(txn, &settings.registry, &source)? else {
                    return Ok(false);
                };
                let Some(blob) = blobs::find_linked(txn, source, &digest)?.filter(|blob| !blob.quarantined) else {
                    return Ok(false);
                };
                let target = for_push(txn, &settings, &name, &principal, now)?;
                blobs::link(txn, target, &digest, blob.id, blob.size, now)?;
                quota::ensure_within(txn, target, &settings)?;
                Ok(true)
            })
            .await
    }

    /// Takes an upload that belongs to this caller and repository for writing, and takes it up again where its writer is
    /// not in memory. The lease is read again under the lock: a request that finished the upload before us leaves none.
    async fn hold(&self, caller: &Caller, name: &RepositoryName, id: &UploadId) -> Result<Held, Error> {
        self.lease(caller, name, id).await?;
        let session = self.sessions.slot(&id.to_string());
        let offset = session.offset.load(Ordering::Acquire);
        let mut writer = Arc::clone(&session.open).try_lock_owned().map_err(|_| Error::UploadBusy { offset })?;
        let record = self.lease(caller, name, id).await.inspect_err(|_| self.sessions.forget(&id.to_string()))?;
        let (mut record, claim) = self.claim(record, offset).await?;
        if claim.is_some() && session.version.swap(record.version, Ordering::AcqRel) + 1 != record.version {
            *writer = None;
        }
        if writer.is_none() {
            let resumed = self.take_up(&mut record).await?;
            session.offset.store(resumed.offset(), Ordering::Release);
            *writer = Some(resumed);
        }
        Ok(Held { record, session, writer, claim })
    }

    async fn take_up(&self, record: &mut UploadRecord) -> Result<Box<dyn BlobWriter>, Error> {
        match self.blobs.resume(record.unfinished(), record.algorithm).await {
            Err(BlobStoreError::NotFound(_)) => self.begin_anew(record).await,
            resumed => Ok(resumed?),
        }
    }

    /// The process ended between the lease and the file, a full disk took the file first, or the upload is just expiring:
    /// then its key is being deleted, and no key is used twice.
    async fn begin_anew(&self, record: &mut UploadRecord) -> Result<Box<dyn BlobWriter>, Error> {
        let key = BlobKey::fresh(self.random.as_ref());
        let (known, fresh) = (record.clone(), key.clone());
        let write = self.database.write(move |txn| uploads::begin_anew(txn, &known, &fresh).map_err(Error::from));
        if !write.await? {
            return Err(Error::UploadUnknown);
        }
        record.key = key;
        Ok(self.blobs.create(&record.key, record.algorithm).await?)
    }

    async fn lease(&self, caller: &Caller, name: &RepositoryName, id: &UploadId) -> Result<UploadRecord, Error> {
        let (settings, name, id) = (self.settings.clone(), name.clone(), id.to_string());
        let (principal, now) = (caller.principal().to_owned(), self.clock.now());
        self.database
            .read(move |txn| {
                let repository = existing(txn, &settings, &name).map_err(|error| match error {
                    Error::RepositoryUnknown(_) => Error::UploadUnknown,
                    other => other,
                })?;
                let theirs = |record: &UploadRecord| {
                    record.repository == repository && record.principal == principal && record.expires_at >= now
                };
                uploads::find(txn, &id)?.filter(theirs).ok_or(Error::UploadUnknown)
            })
            .await
    }

    /// An upload that is still fed gets a new lease, though not with every chunk.
    async fn extend_lease(&self, record: &UploadRecord) -> Result<(), Error> {
        let (now, ttl) = (self.clock.now(), self.settings.upload_ttl);
        if record.expires_at > now.after(ttl / 2) {
            return Ok(());
        }
        let id = record.id.clone();
        self.database.write(move |txn| uploads::extend(txn, &id, now.after(ttl)).map_err(Error::from)).await
    }

    /// Takes a body. What is to be committed at once, as `is_last` says, need not be kept for another request first.
    async fn receive(
        &self,
        held: &mut Held,
        expected_start: Option<u64>,
        body: &mut dyn Body,
        is_last: bool,
    ) -> Result<u64, Error> {
        let writer = held.writer.as_mut().ok_or(Error::UploadUnknown)?;
        let offset = writer.offset();
        if expected_start.is_some_and(|start| start != offset) {
            let unchanged = held.record.checkpoint.clone();
            self.note(held, unchanged).await?;
            return Err(Error::UploadRange { offset });
        }
        let broke_off = match self.pump(writer.as_mut(), body, held.claim.as_ref()).await {
            Ok(()) if is_last => return Ok(writer.offset()),
            Ok(()) => None,
            Err(Error::Body(failed)) => Some(failed),
            Err(error) => return self.fail(held, error).await,
        };
        let offset = writer.offset();
        match writer.flush().await {
            Ok(checkpoint) => self.note(held, checkpoint).await?,
            Err(error) => return self.fail(held, error.into()).await,
        }
        held.session.offset.store(offset, Ordering::Release);
        broke_off.map_or(Ok(offset), |failed| Err(Error::Body(failed)))
    }

    /// A failed write is never taken up again as if it had worked: the upload ends here, or goes on from its checkpoint.
    async fn fail(&self, held: &mut Held, error: Error) -> Result<u64, Error> {
        held.writer.take();
        let may_go_on =
            matches!(error, Error::BlobStore(BlobStoreError::Unavailable { .. }) | Error::UploadBusy { .. });
        if held.claim.is_some() && may_go_on {
            self.give_back(held.record.clone(), None).await?;
        } else {
            let is_full = matches!(error, Error::OutOfSpace);
            self.end(&held.record, held.claim.is_some(), is_full).await?;
        }
        Err(lost_or(error))
    }

    /// Ends an upload that failed. Where the disk is full its bytes go first: they may be all that keeps the database from
    /// taking the lease away, and a lease without bytes begins anew.
    async fn end(&self, record: &UploadRecord, is_claimed: bool, is_full: bool) -> Result<(), Error> {
        if is_full && !is_claimed {
            self.forget_key(Some(record.key.clone())).await;
        }
        self.discard(record, is_claimed).await
    }

    async fn pump(&self, writer: &mut dyn BlobWriter, body: &mut dyn Body, claim: Option<&Claim>) -> Result<(), Error> {
        let limit = self.settings.layer_bytes;
        let declared = body.declared_length().unwrap_or(0);
        if writer.offset().saturating_add(declared) > limit {
            return Err(Error::LayerTooLarge { limit });
        }
        while let Some(bytes) = body.chunk().await? {
            if writer.offset().saturating_add(bytes.len() as u64) > limit {
                return Err(Error::LayerTooLarge { limit });
            }
            claim.map_or(Ok(()), Claim::ensure_held)?;
            writer.append(bytes).await?;
        }
        Ok(())
    }

    async fn record_blob(
        &self,
        upload: UploadRecord,
        is_claimed: bool,
        digest: &Digest,
        stored: Stored,
    ) -> Result<(), Error> {
        let (settings, now) = (self.settings.clone(), self.clock.now());
        let (digest, node) = (digest.clone(), is_claimed.then(|| self.node.clone()));
        let tail = upload.checkpoint.as_ref().and_then(|checkpoint| checkpoint.tail.clone());
        let superseded = tail.filter(|tail| *tail != stored.key);
        let unneeded = self
            .database
            .write(move |txn| {
                if !close(txn, &upload, node.as_deref())? {
                    return Err(Error::UploadUnknown);
                }
                let location = Location::Key(stored.key.clone());
                let (blob_id, unneeded) = blobs::record(txn, &digest, &location, stored.size, now)?;
                blobs::link(txn, upload.repository, &digest, blob_id, stored.size, now)?;
                quota::ensure_within(txn, upload.repository, &settings)?;
                Ok(unneeded)
            })
            .await?;
        self.forget_key(unneeded).await;
        self.forget_key(superseded).await;
        Ok(())
    }

    /// Row first, bytes after: a key that nothing owns harms nobody. An upload that was claimed and lost to another node
    /// is that node's affair.
    pub(crate) async fn discard(&self, record: &UploadRecord, is_claimed: bool) -> Result<(), Error> {
        self.sessions.forget(&record.id);
        let (upload, node) = (record.clone(), is_claimed.then(|| self.node.clone()));
        let was_open = self.database.write(move |txn| close(txn, &upload, node.as_deref())).await?;
        if was_open && let Err(error) = self.blobs.give_up(record.unfinished()).await {
            tracing::warn!(upload = record.id, %error, "what was left of an upload could not be removed");
        }
        Ok(())
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

/// An upload of which the store lost something cannot go on: its client has to begin again, and is told so.
fn lost_or(error: Error) -> Error {
    if matches!(error, Error::BlobStore(BlobStoreError::NotFound(_))) { Error::UploadUnknown } else { error }
}

/// Closes an upload, which a claim by `node` must still be on where one was made; whether it was open.
fn close(txn: &mut dyn Transaction, upload: &UploadRecord, node: Option<&str>) -> Result<bool, Error> {
    Ok(match node {
        Some(node) => uploads::close_claimed(txn, upload, node)?,
        None => uploads::delete(txn, &upload.id)?,
    })
}
