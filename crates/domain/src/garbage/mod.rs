//! Garbage collection: what nothing needs any more goes, rows before bytes.
//!
//! A push learns by a HEAD, a mount or an upload that a blob is there, and names it in a manifest later. Each of these
//! answers is a promise: the link stays for at least half of the grace time behind it. A link that no manifest uses and
//! whose promise is over is taken away; a blob that nothing links is forgotten; then its key is deleted. Each step decides
//! in one transaction, so pushes and pulls go on meanwhile, and a crash leaves at most keys without a row, which the last
//! step finds.

mod kept;
mod round;
mod walk;

use async_trait::async_trait;
use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_store::{Timestamp, garbage};

use walk::{Place, Walk};

pub(crate) use kept::{KEYS_KEPT_UNTIL, keep_keys, keep_keys_of_lost_database};
pub use round::Step;

use crate::error::Error;
use crate::repositories::existing;
use crate::{Domain, backup};

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
    /// Parts at the blob store's server that no upload will go on with: a crash left them.
    Multipart {
        /// The key that they are for.
        key: String,
    },
}

/// Hears of what goes, and may make the collection wait between batches.
#[async_trait]
pub trait Collector: Send + Sync {
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
    /// Multipart uploads that nobody goes on with.
    pub multiparts: u64,
}

impl std::ops::AddAssign for Collected {
    fn add_assign(&mut self, more: Self) {
        self.links += more.links;
        self.blobs += more.blobs;
        self.keys += more.keys;
        self.bytes += more.bytes;
        self.multiparts += more.multiparts;
    }
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
            Garbage::Multipart { .. } => self.multiparts += 1,
        }
    }
}

impl Domain {
    /// Takes away what is garbage now, in one walk of its own. Bytes of what only a `dry` run found stay where they are.
    pub async fn collect_garbage(&self, dry: bool, collector: &mut dyn Collector) -> Result<Collected, Error> {
        if !dry {
            self.ensure_not_read_only()?;
        }
        backup::ensure_restored(self.database.unrecorded()).await?;
        let mut walk = Walk { domain: self, collector, dry, collected: Collected::default() };
        let mut place = Some(Place::START);
        while let Some(at) = place {
            let (batch, next) = walk.look(&at).await?;
            walk.take(batch).await?;
            walk.collector.rest().await;
            place = next;
        }
        Ok(walk.collected)
    }

    /// Promises that a link stays for a while; `false` where it just went away. Written only where half of the last
    /// promise is over, so that a HEAD seldom writes.
    pub(crate) async fn promise(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        promised: Timestamp,
    ) -> Result<bool, Error> {
        let (settings, now) = (self.settings.clone(), self.clock.now());
        if promised > now.before(settings.gc_grace / 2) || settings.read_only {
            return Ok(true);
        }
        let (name, digest) = (name.clone(), digest.clone());
        let write = self.database.write(move |txn| {
            let repository = existing(txn, &settings, &name)?;
            Ok::<_, Error>(garbage::promise(txn, repository, &digest, now)?)
        });
        write.await
    }
}
