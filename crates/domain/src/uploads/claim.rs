//! Which node may write to an upload, where several share the blob store.
//!
//! A request claims the upload in the database, keeps the claim alive while bytes come, and gives it back together with
//! how far it got. A node that dies or stands still loses its claim after a while; should it wake up, its next write finds
//! the claim gone, and what it sent in between is found out because contested uploads are read again at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_store::Checkpoint;
use berth_store::uploads::{self, UploadRecord};
use tokio::task::JoinHandle;

use super::session::Held;
use crate::Domain;
use crate::audit::ledger::Ledger;
use crate::error::Error;

/// How long a claim holds without being renewed.
const LIFE: Duration = Duration::from_mins(1);

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(15);

/// The right to write to an upload. It is kept alive until it is dropped.
pub(super) struct Claim {
    offset: u64,
    is_lost: Arc<AtomicBool>,
    renewal: JoinHandle<()>,
}

impl Claim {
    /// Refuses to go on without the claim.
    pub(super) fn ensure_held(&self) -> Result<(), Error> {
        if self.is_lost.load(Ordering::Acquire) { Err(Error::UploadBusy { offset: self.offset }) } else { Ok(()) }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Domain {
    /// Claims an upload on a shared store; on a local one the lock in memory is enough.
    pub(super) async fn claim(
        &self,
        record: UploadRecord,
        offset: u64,
    ) -> Result<(UploadRecord, Option<Claim>), Error> {
        if !self.blobs.is_shared() {
            return Ok((record, None));
        }
        let known = record.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.offset).max(offset);
        let (now, node, id) = (self.clock.now(), self.node.clone(), record.id.clone());
        let claimed = self
            .database
            .write(move |txn| Ok::<_, Error>(uploads::claim(txn, &id, &node, now, now.after(LIFE))?))
            .await?;
        let Some(record) = claimed else { return Err(Error::UploadBusy { offset: known }) };
        let is_lost = Arc::new(AtomicBool::new(false));
        let renewal = tokio::spawn(renew(self.renewals(&record), Arc::clone(&is_lost)));
        Ok((record, Some(Claim { offset, is_lost, renewal })))
    }

    /// Gives back the claims that this node held before it ended, so that other nodes go on with its uploads at once. Call it
    /// before the node serves, and where no other process has its name. Returns how many there were.
    pub async fn give_back_claims(&self) -> Result<u64, Error> {
        if !self.blobs.is_shared() {
            return Ok(0);
        }
        let node = self.node.clone();
        self.database.write(move |txn| Ok::<_, Error>(uploads::give_back_all(txn, &node)?)).await
    }

    fn renewals(&self, record: &UploadRecord) -> Renewals {
        let clock = Arc::clone(&self.clock);
        Renewals { database: self.database.clone(), clock, node: self.node.clone(), record: record.clone() }
    }

    /// Notes how far a held upload got, gives the claim back, and removes what the note before named.
    pub(super) async fn note(&self, held: &mut Held, checkpoint: Option<Checkpoint>) -> Result<(), Error> {
        if held.claim.is_none() {
            return Ok(());
        }
        let old = held.record.checkpoint.as_ref().and_then(|old| old.tail.clone());
        let superseded = old.filter(|old| checkpoint.as_ref().is_none_or(|new| new.tail.as_ref() != Some(old)));
        self.give_back(held.record.clone(), checkpoint).await?;
        self.forget_key(superseded).await;
        Ok(())
    }

    /// Gives the claim on a held upload back. Without a checkpoint the upload goes on from the last one.
    pub(super) async fn give_back(&self, record: UploadRecord, checkpoint: Option<Checkpoint>) -> Result<(), Error> {
        let (node, offset) = (self.node.clone(), record.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.offset));
        let given = self
            .database
            .write(move |txn| Ok::<_, Error>(uploads::give_back(txn, &record, &node, checkpoint.as_ref())?));
        if given.await? {
            return Ok(());
        }
        Err(Error::UploadBusy { offset })
    }
}

struct Renewals {
    database: Ledger,
    clock: Arc<dyn berth_store::Clock>,
    node: String,
    record: UploadRecord,
}

/// Renews a claim until it is lost. One that cannot be renewed in time counts as lost.
async fn renew(renewals: Renewals, is_lost: Arc<AtomicBool>) {
    let mut renewed = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(RENEWAL).await;
        let (record, node, until) = (renewals.record.clone(), renewals.node.clone(), renewals.clock.now().after(LIFE));
        let write = renewals.database.write(move |txn| Ok::<_, Error>(uploads::renew(txn, &record, &node, until)?));
        match write.await {
            Ok(true) => renewed = tokio::time::Instant::now(),
            Ok(false) => return is_lost.store(true, Ordering::Release),
            Err(error) => tracing::warn!(%error, "a claim on an upload could not be renewed"),
        }
        if renewed.elapsed() > LIFE.saturating_sub(RENEWAL) {
            return is_lost.store(true, Ordering::Release);
        }
    }
}
