//! Verification: hashing what is stored again, and looking for what is missing.

use async_trait::async_trait;
use berth_oci::digest::Digest;
use berth_store::blobs::{self, BlobRecord};
use berth_store::manifests;
use berth_store::repositories::Registry;
use berth_store::{BlobKey, StoredKey};

use crate::Domain;
use crate::error::Error;

const BATCH: u64 = 100;
/// More dangling references than this are not listed one by one.
const DANGLING_SHOWN: u64 = 10_000;

/// Hears of the bytes that were hashed, and may make the hashing wait.
#[async_trait]
pub trait Pace: Send {
    /// So many more bytes were hashed.
    async fn hashed(&mut self, bytes: u64);
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// The bytes of a blob are wrong, cut or gone; it is quarantined now.
    DamagedBlob {
        /// The blob.
        digest: Digest,
    },
    /// A manifest refers to something that its repository does not hold.
    DanglingReference {
        /// The repository's registry; shown as `ACCOUNT/REGION`.
        #[serde(serialize_with = "as_path")]
        registry: Registry,
        /// The repository.
        repository: String,
        /// The manifest.
        manifest: Digest,
        /// What is missing.
        missing: Digest,
    },
}

fn as_path<S: serde::Serializer>(registry: &Registry, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}/{}", registry.account, registry.region))
}

/// What a verification saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// Blobs that were hashed.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Keys of the blob store that no row owns: left by crashes, harmless, collected later.
    pub unowned_keys: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Domain {
    /// Hashes every blob and looks for dangling references; `progress` hears how many bytes were hashed.
    pub async fn verify(&self, progress: &mut dyn Pace) -> Result<Verified, Error> {
        let mut verified = Verified::default();
        let mut after = 0;
        loop {
            let batch = self.database.read(move |txn| blobs::list(txn, after, BATCH).map_err(Error::from)).await?;
            let Some(end) = batch.last() else { break };
            after = end.id;
            let damaged = self.hash_again(&batch, progress).await?;
            verified.blobs += batch.len() as u64;
            verified.bytes += batch.iter().map(|blob| blob.size).sum::<u64>();
            verified.findings.extend(damaged.into_iter().map(|digest| Finding::DamagedBlob { digest }));
        }
        self.find_dangling(&mut verified).await?;
        verified.unowned_keys = self.count_unowned_keys().await?;
        Ok(verified)
    }

    /// Hashes up to `limit` blobs again that were not hashed for the longest time and not since `age` ago. `pace` hears
    /// of every chunk. Returns how many were hashed and how many were damaged.
    pub async fn scrub(&self, age: std::time::Duration, limit: u64, pace: &mut dyn Pace) -> Result<(u64, u64), Error> {
        let before = self.clock.now().before(age);
        let due = self.database.read(move |txn| blobs::due_for_scrub(txn, before, limit).map_err(Error::from)).await?;
        let damaged = self.hash_again(&due, pace).await?;
        Ok((due.len() as u64, damaged.len() as u64))
    }

    /// Hashes blobs again; those that are damaged. Damage is written down as it is found, the rest in one transaction, or
    /// many small blobs would keep the database busy.
    async fn hash_again(&self, batch: &[BlobRecord], pace: &mut dyn Pace) -> Result<Vec<Digest>, Error> {
        let (mut sound, mut damaged) = (Vec::new(), Vec::new());
        for blob in batch {
            if self.is_sound(blob, pace).await? {
                sound.push(blob.clone());
            } else if self.note_damaged(blob).await? {
                damaged.push(blob.digest.clone());
            }
        }
        self.note_scrubbed(sound, true).await?;
        Ok(damaged)
    }

    /// Quarantines a blob; `false` where it was deleted or replaced meanwhile.
    pub(crate) async fn note_damaged(&self, blob: &BlobRecord) -> Result<bool, Error> {
        Ok(self.note_scrubbed(vec![blob.clone()], false).await? > 0)
    }

    /// Writes down what a scrub saw; of how many blobs, as some may have been deleted or replaced meanwhile.
    async fn note_scrubbed(&self, seen: Vec<BlobRecord>, sound: bool) -> Result<u64, Error> {
        let now = self.clock.now();
        let write = self.database.write(move |txn| {
            let mut noted = 0;
            for blob in &seen {
                if blobs::find(txn, &blob.digest)?.is_some_and(|now| now.location == blob.location) {
                    blobs::mark_scrubbed(txn, blob, !sound, now)?;
                    noted += 1;
                }
            }
            Ok::<_, Error>(noted)
        });
        write.await
    }

    async fn find_dangling(&self, verified: &mut Verified) -> Result<(), Error> {
        if self.settings.allow_sparse_indexes {
            return Ok(());
        }
        let dangling = self.database.read(|txn| manifests::dangling(txn, DANGLING_SHOWN).map_err(Error::from)).await?;
        verified.findings.extend(dangling.into_iter().map(|found| {
            let (repository, manifest, missing) = (found.repository, found.manifest, found.missing);
            Finding::DanglingReference { registry: found.registry, repository, manifest, missing }
        }));
        Ok(())
    }

    async fn count_unowned_keys(&self) -> Result<u64, Error> {
        let mut after: Option<BlobKey> = None;
        let mut unowned = 0;
        loop {
            let stored: Vec<StoredKey> = self.blobs.list(after.as_ref(), 1000).await?;
            let Some(end) = stored.last() else { return Ok(unowned) };
            after = Some(end.key.clone());
            let keys: Vec<BlobKey> = stored.iter().map(|stored| stored.key.clone()).collect();
            let count = keys.len() as u64;
            let owned = self.database.read(move |txn| blobs::owned_keys(txn, &keys).map_err(Error::from)).await?;
            unowned += count - owned.len() as u64;
        }
    }
}
