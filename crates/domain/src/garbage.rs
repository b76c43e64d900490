//! Garbage collection: what nothing needs any more goes, rows before bytes.
//!
//! A push learns by a HEAD, a mount or an upload that a blob is there, and names it in a manifest later. Each of these
//! answers is a promise: the link stays for at least half of the grace time behind it. A link that no manifest uses and
//! whose promise is over is taken away; a blob that nothing links is forgotten; then its key is deleted. Each step decides
//! in one transaction, so pushes and pulls go on meanwhile, and a crash leaves at most keys without a row, which the last
//! step finds.

use async_trait::async_trait;
use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_store::garbage::{self, MetBlob, MetLink};
use berth_store::repositories::RepositoryId;
use berth_store::{BlobKey, Timestamp, Transaction, properties};

use crate::Domain;
use crate::error::Error;
use crate::repositories::existing;

/// Until this moment, in milliseconds since 1970, keys without a row stay: a restore may have gone back behind them.
pub(crate) const KEYS_KEPT_UNTIL: &str = "keys_kept_until";

/// Rows that are looked at in one transaction.
const BATCH: u64 = 200;

/// Something that is to go, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Garbage {
    /// No manifest of the repository has used the blob for the grace time.
    Link {
        /// The repository.
        repository: String,
        /// The blob.
        digest: Digest,
        /// Its bytes, which stay as long as others link them.
        size: u64,
    },
    /// No repository links the blob.
    Blob {
        /// The blob.
        digest: Digest,
        /// Its bytes.
        size: u64,
    },
    /// The blob store has the key, and no row owns it: a crash left it.
    Key {
        /// The key.
        key: String,
        /// Its bytes.
        size: u64,
    },
}

/// Hears of what goes, and may make the collection wait between batches.
#[async_trait]
pub trait Collector: Send {
    /// This goes, or would go.
    fn garbage(&mut self, garbage: &Garbage);
    /// A batch was looked at.
    async fn rest(&mut self);
}

/// What a collection did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// Links of blobs to repositories.
    pub links: u64,
    /// Blobs.
    pub blobs: u64,
    /// Keys that no row owned.
    pub keys: u64,
    /// Bytes of the blobs and keys.
    pub bytes: u64,
}

impl Collected {
    fn count(&mut self, garbage: &Garbage) {
        match garbage {
            Garbage::Link { .. } => self.links += 1,
            Garbage::Blob { size, .. } => {
                self.blobs += 1;
                self.bytes += size;
            }
            Garbage::Key { size, .. } => {
                self.keys += 1;
                self.bytes += size;
            }
        }
    }
}

/// One collection under way.
struct Run<'r> {
    domain: &'r Domain,
    collector: &'r mut dyn Collector,
    before: Timestamp,
    dry: bool,
    collected: Collected,
}

impl Domain {
    /// Takes away what is garbage now. Bytes of what only a `dry` run found stay where they are.
    pub async fn collect_garbage(&self, dry: bool, collector: &mut dyn Collector) -> Result<Collected, Error> {
        if !dry {
            self.ensure_not_read_only()?;
        }
        let before = self.clock.now().before(self.settings.gc_grace);
        let mut run = Run { domain: self, collector, before, dry, collected: Collected::default() };
        run.links().await?;
        run.blobs().await?;
        run.keys().await?;
        Ok(run.collected)
    }

    async fn are_keys_kept(&self) -> Result<bool, Error> {
        let kept = self.database.read(|txn| properties::get(txn, KEYS_KEPT_UNTIL).map_err(Error::from)).await?;
        let until = kept.and_then(|text| String::from_utf8_lossy(&text).parse().ok());
        Ok(until.is_some_and(|until| self.clock.now() < Timestamp::from_millis(until)))
    }

    /// Promises that a link stays for a while; `false` where it just went away. Written only where half of the last
    /// promise is over, so that a HEAD seldom writes.
    pub(crate) async fn promise(&self, name: &RepositoryName, digest: &Digest) -> Result<bool, Error> {
        let (settings, now) = (self.settings.clone(), self.clock.now());
        let (name, digest) = (name.clone(), digest.clone());
        let half_over = now.before(settings.gc_grace / 2);
        let (read_settings, read_name, read_digest) = (settings.clone(), name.clone(), digest.clone());
        let promised = self.database.read(move |txn| {
            let repository = existing(txn, &read_settings, &read_name)?;
            Ok::<_, Error>(garbage::promised_at(txn, repository, &read_digest)?)
        });
        match promised.await? {
            None => return Ok(false),
            Some(promised) if promised > half_over || settings.read_only => return Ok(true),
            Some(_) => {}
        }
        let write = self.database.write(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            Ok::<_, Error>(garbage::promise(txn, repository, &digest, now)?)
        });
        write.await
    }
}

impl Run<'_> {
    fn note(&mut self, garbage: &Garbage) {
        self.collected.count(garbage);
        self.collector.garbage(garbage);
    }

    async fn links(&mut self) -> Result<(), Error> {
        let (mut repository, mut digest) = (RepositoryId(0), String::new());
        loop {
            let (behind, before) = ((repository, digest.clone()), self.before);
            let batch = self
                .domain
                .database
                .read(move |txn| garbage::links(txn, (behind.0, &behind.1), before, BATCH).map_err(Error::from))
                .await?;
            let Some(last) = batch.last() else { return Ok(()) };
            (repository, digest) = (last.repository, last.digest.to_string());
            let idle: Vec<MetLink> = batch.into_iter().filter(|link| link.idle).collect();
            for link in self.unlink(idle).await? {
                self.note(&Garbage::Link { repository: link.name, digest: link.digest, size: link.size });
            }
            self.collector.rest().await;
        }
    }

    async fn unlink(&mut self, idle: Vec<MetLink>) -> Result<Vec<MetLink>, Error> {
        if self.dry || idle.is_empty() {
            return Ok(idle);
        }
        let before = self.before;
        let gone = self.domain.database.write(move |txn| {
            let mut gone = Vec::new();
            for link in &idle {
                if garbage::unlink(txn, link.repository, &link.digest, before)? {
                    gone.push(link.clone());
                }
            }
            Ok::<_, Error>(gone)
        });
        gone.await
    }

    async fn blobs(&mut self) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let before = self.before;
            let batch = self
                .domain
                .database
                .read(move |txn| garbage::blobs(txn, after, before, BATCH).map_err(Error::from))
                .await?;
            let Some(last) = batch.last() else { return Ok(()) };
            after = last.id;
            let idle: Vec<MetBlob> = batch.into_iter().filter(|blob| blob.idle).collect();
            for blob in self.forget(idle).await? {
                if !self.dry {
                    self.domain.forget_key(blob.key).await;
                }
                self.note(&Garbage::Blob { digest: blob.digest, size: blob.size });
            }
            self.collector.rest().await;
        }
    }

    async fn forget(&mut self, idle: Vec<MetBlob>) -> Result<Vec<MetBlob>, Error> {
        if self.dry || idle.is_empty() {
            return Ok(idle);
        }
        let (before, now) = (self.before, self.domain.clock.now());
        let gone = self.domain.database.write(move |txn| {
            let mut gone = Vec::new();
            for blob in &idle {
                if garbage::forget(txn, blob, before, now)? {
                    gone.push(blob.clone());
                }
            }
            Ok::<_, Error>(gone)
        });
        gone.await
    }

    /// Keys without a row. A key gets its row soon after its last byte or never, so an old one stays without.
    async fn keys(&mut self) -> Result<(), Error> {
        if self.domain.are_keys_kept().await? {
            return Ok(());
        }
        let mut after: Option<BlobKey> = None;
        loop {
            let batch = self.domain.blobs.list(after.as_ref(), 200).await?;
            let Some(last) = batch.last() else { return Ok(()) };
            after = Some(last.key.clone());
            let keys: Vec<BlobKey> = batch.iter().map(|stored| stored.key.clone()).collect();
            let owned = move |txn: &mut dyn Transaction| Ok::<_, Error>(berth_store::blobs::owned_keys(txn, &keys)?);
            let owned = self.domain.database.read(owned).await?;
            let before = self.before;
            for stored in batch.iter().filter(|stored| stored.modified < before && !owned.contains(&stored.key)) {
                if !self.dry {
                    self.domain.forget_key(Some(stored.key.clone())).await;
                }
                self.note(&Garbage::Key { key: stored.key.as_str().to_owned(), size: stored.size });
            }
            self.collector.rest().await;
        }
    }
}
