//! Uploads between their requests: who writes, and how one is taken up again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use berth_oci::endpoint::UploadId;
use berth_oci::name::RepositoryName;
use berth_store::uploads::{self, UploadRecord};
use berth_store::{BlobKey, BlobStoreError};

use super::claim::Claim;
use super::writer::UploadWriter;
use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;
use crate::repositories::existing;

/// Writers kept between requests. Each is an open file; uploads beyond that are taken up again for each request.
const KEPT_WRITERS: usize = 256;

/// One upload between requests. Whoever writes holds `open`, and reads the lease again under it.
#[derive(Default)]
pub(super) struct Session {
    pub(super) offset: AtomicU64,
    // Which of the upload's versions the writer stands behind; another node may have gone on since.
    version: AtomicI64,
    pub(super) open: Arc<tokio::sync::Mutex<Option<UploadWriter>>>,
}

/// The uploads that were used lately.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

impl Sessions {
    pub(super) fn slot(&self, id: &str) -> Arc<Session> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sessions.entry(id.to_owned()).or_default())
    }

    fn known(&self, id: &str) -> Option<Arc<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(super) fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    pub(super) fn is_crowded(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() > KEPT_WRITERS
    }
}

/// An upload that nobody else can write to while this exists.
pub(super) struct Held {
    pub(super) record: UploadRecord,
    pub(super) session: Arc<Session>,
    pub(super) writer: tokio::sync::OwnedMutexGuard<Option<UploadWriter>>,
    // On a shared store: the right to write, among all nodes.
    pub(super) claim: Option<Claim>,
}

impl Domain {
    /// Takes an upload that belongs to this caller and repository for writing, and takes it up again where its writer is
    /// not in memory. The lease is read again under the lock: a request that finished the upload before us leaves none.
    pub(super) async fn hold(&self, caller: &Caller, name: &RepositoryName, id: &UploadId) -> Result<Held, Error> {
        let known = self.sessions.known(&id.to_string());
        let session = if let Some(session) = known {
            session
        } else {
            // Nobody fills the memory with uploads that are not there.
            self.lease(caller, name, id).await?;
            self.sessions.slot(&id.to_string())
        };
        let offset = session.offset.load(Ordering::Acquire);
        let Ok(mut writer) = Arc::clone(&session.open).try_lock_owned() else {
            // That it is busy is told to nobody else.
            self.lease(caller, name, id).await?;
            return Err(Error::UploadBusy { offset });
        };
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

    async fn take_up(&self, record: &mut UploadRecord) -> Result<UploadWriter, Error> {
        let most_in_memory = self.settings.inline_blob_bytes;
        match self.blobs.resume(record.unfinished(), record.algorithm).await {
            Err(BlobStoreError::NotFound(_)) => self.begin_anew(record).await,
            Ok(writer) if writer.offset() == 0 => Ok(UploadWriter::begun(writer, most_in_memory)),
            resumed => Ok(UploadWriter::stored(resumed?)),
        }
    }

    /// The process ended between the lease and the file, a full disk took the file first, or the upload is just expiring:
    /// then its key is being deleted, and no key is used twice.
    async fn begin_anew(&self, record: &mut UploadRecord) -> Result<UploadWriter, Error> {
        let key = BlobKey::fresh(self.random.as_ref());
        let (known, fresh) = (record.clone(), key.clone());
        let write = self.database.write(move |txn| uploads::begin_anew(txn, &known, &fresh).map_err(Error::from));
        if !write.await? {
            return Err(Error::UploadUnknown);
        }
        record.key = key;
        Ok(UploadWriter::fresh(self.settings.inline_blob_bytes))
    }

    pub(super) async fn lease(
        &self,
        caller: &Caller,
        name: &RepositoryName,
        id: &UploadId,
    ) -> Result<UploadRecord, Error> {
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
    pub(super) async fn extend_lease(&self, record: &UploadRecord) -> Result<(), Error> {
        let (now, ttl) = (self.clock.now(), self.settings.upload_ttl);
        if record.expires_at > now.after(ttl / 2) {
            return Ok(());
        }
        let id = record.id.clone();
        self.database.write(move |txn| uploads::extend(txn, &id, now.after(ttl)).map_err(Error::from)).await
    }
}
