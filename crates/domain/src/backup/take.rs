//! Taking a backup.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use berth_oci::digest::{Algorithm, Digest, Hasher};
use berth_store::blob_store::chunks;
use berth_store::blobs::{self, Location};
use berth_store::clock::sixteen;
use berth_store::{Archive, ArchiveError, BlobKey, BlobStoreError, Content, Row, Timestamp, Value, leases, properties};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::document::{self, Batch, Reader};
use super::{AT_ONCE, Backup, BackupError, FORMAT, Progress, blob_name, keep, place, tables_name};
use crate::Domain;
use crate::caller::Caller;

/// How long others believe in a lease that is not renewed.
const LEASE: Duration = Duration::from_mins(1);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(15);
/// How often tables are read, at most, because a collection took what they named.
const ATTEMPTS: usize = 3;
/// Names a registry whatever becomes of its servers.
const REGISTRY_ID: &str = "registry_id";

/// What came of taking a backup.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Taken {
    /// The backup.
    pub backup: Backup,
    /// Blobs that were copied; the others were in the archive.
    pub copied: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Older backups that went.
    pub removed: Vec<String>,
}

/// A blob that lies outside of the tables.
pub(super) struct Blob {
    pub(super) digest: Digest,
    pub(super) key: BlobKey,
    pub(super) size: u64,
}

impl Domain {
    /// Takes a backup of what is acknowledged now, and removes all but the latest `keep`. `scratch` is an empty file for
    /// the tables.
    pub async fn back_up(
        &self,
        caller: &Caller,
        archive: &dyn Archive,
        scratch: File,
        keep: Option<NonZeroUsize>,
        progress: &dyn Progress,
    ) -> Result<Taken, BackupError> {
        self.allow_administration(caller, "berth:Backup")?;
        let holder = hex::encode(sixteen(self.random.as_ref()));
        if !self.take_lease(&holder).await? {
            return Err(BackupError::Busy);
        }
        let mut run = Run { domain: self, archive, scratch: Arc::new(scratch), progress, known: HashMap::new() };
        let taken = tokio::select! {
            taken = run.all(keep) => taken,
            lost = self.hold_lease(&holder) => Err(lost),
        };
        let given_back = self
            .database
            .write(move |txn| leases::give_back(txn, leases::BACKUP, &holder).map_err(BackupError::from))
            .await;
        taken.and_then(|taken| given_back.map(|()| taken))
    }

    async fn take_lease(&self, holder: &str) -> Result<bool, BackupError> {
        let (holder, now) = (holder.to_owned(), self.clock.now());
        let take = self.database.write(move |txn| {
            leases::take(txn, leases::BACKUP, &holder, now, now.after(LEASE)).map_err(BackupError::from)
        });
        take.await
    }

    /// Renews the lease until that fails for too long.
    async fn hold_lease(&self, holder: &str) -> BackupError {
        let mut renewed = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(RENEWAL).await;
            match self.take_lease(holder).await {
                Ok(true) => renewed = tokio::time::Instant::now(),
                Ok(false) => return BackupError::LeaseLost,
                Err(error) if renewed.elapsed() > LEASE.saturating_sub(RENEWAL) => return error,
                Err(error) => tracing::warn!(%error, "the lease of the backup could not be renewed"),
            }
        }
    }
}

/// One backup under way.
struct Run<'r> {
    domain: &'r Domain,
    archive: &'r dyn Archive,
    scratch: Arc<File>,
    progress: &'r dyn Progress,
    /// The blobs that the archive holds and their sizes, by the first digits of their hashes.
    known: HashMap<u128, u64>,
}

impl Run<'_> {
    async fn all(&mut self, keep: Option<NonZeroUsize>) -> Result<Taken, BackupError> {
        place::claim(self.archive, &self.registry_id().await?).await?;
        // Nobody else writes to this archive: only one backup of a registry is taken at a time.
        self.archive.sweep().await?;
        let mut taken = self.begun().await?;
        for _ in 0..ATTEMPTS {
            self.attempt(&mut taken).await?;
            if !self.was_outrun(&taken.backup.lacking).await? {
                break;
            }
        }
        place::put(self.archive, &format!("backups/{}/backup.json", taken.backup.id), &taken.backup).await?;
        if let Some(keep) = keep {
            taken.removed = keep::latest(self.archive, keep, &self.scratch).await?;
        }
        Ok(taken)
    }

    async fn registry_id(&self) -> Result<String, BackupError> {
        let fresh = hex::encode(sixteen(self.domain.random.as_ref())).into_bytes();
        let write = self.domain.database.write(move |txn| Ok(properties::get_or_set(txn, REGISTRY_ID, &fresh)?));
        write.await.map(|id: Vec<u8>| String::from_utf8_lossy(&id).into_owned())
    }

    async fn begun(&self) -> Result<Taken, BackupError> {
        let taken_at = self.moment().await?;
        let (version, nothing) = (env!("CARGO_PKG_VERSION").to_owned(), Digest::of(Algorithm::Sha256, b""));
        let backup = Backup {
            format: FORMAT,
            id: self.id(taken_at),
            taken_at,
            version,
            tables: nothing,
            rows: BTreeMap::new(),
            blobs: 0,
            bytes: 0,
            lacking: Vec::new(),
        };
        Ok(Taken { backup, copied: 0, copied_bytes: 0, removed: Vec::new() })
    }

    /// Takes the tables and then what they name.
    async fn attempt(&mut self, taken: &mut Taken) -> Result<(), BackupError> {
        let backup = &mut taken.backup;
        backup.rows = self.read_tables().await?;
        backup.tables = self.put_tables(&backup.id).await?;
        (backup.blobs, backup.bytes) = (0, 0);
        backup.lacking.clear();
        self.learn_known().await?;
        self.copy_blobs(taken).await
    }

    /// Whether a collection that had asked for the lease before it was taken forgot blobs after the tables were read. They were
    /// garbage; tables that are read anew do not name them.
    async fn was_outrun(&self, lacking: &[Digest]) -> Result<bool, BackupError> {
        let lacking = lacking.to_vec();
        let read = self.domain.database.read(move |txn| {
            for digest in &lacking {
                if blobs::find(txn, digest)?.is_none() {
                    return Ok(true);
                }
            }
            Ok::<_, BackupError>(false)
        });
        read.await
    }

    /// Now, but behind the latest backup also where the clock was set back: retention and restore go by the order of ids.
    async fn moment(&self) -> Result<Timestamp, BackupError> {
        let now = self.domain.clock.now();
        let latest = place::latest_moment(self.archive).await?;
        Ok(latest.map_or(now, |latest| now.max(latest.after(Duration::from_millis(1)))))
    }

    /// The moment, for people and for order, and something that no other backup has.
    fn id(&self, at: Timestamp) -> String {
        let (seconds, millis) = (at.to_string(), at.as_millis().rem_euclid(1000));
        let moment: String = seconds.chars().take(19).filter(|sign| !matches!(sign, '-' | ':')).collect();
        format!("{moment}.{millis:03}Z-{}", &hex::encode(sixteen(self.domain.random.as_ref()))[..6])
    }

    /// Writes one snapshot into the scratch file. The function that reads it does I/O: it begins the file anew if it runs
    /// again. It may take long, so it runs where that holds nobody up.
    async fn read_tables(&self) -> Result<BTreeMap<String, u64>, BackupError> {
        let (database, scratch) = (self.domain.database.clone(), Arc::clone(&self.scratch));
        let runtime = tokio::runtime::Handle::current();
        let read = tokio::task::spawn_blocking(move || {
            runtime.block_on(database.read(move |txn| document::write(txn, &scratch)))
        });
        read.await.map_err(|error| BackupError::Scratch(io::Error::other(error)))?
    }

    async fn put_tables(&self, id: &str) -> Result<Digest, BackupError> {
        let size = self.scratch.metadata()?.len();
        let read = berth_store::BlobRead::File { file: Arc::clone(&self.scratch), offset: 0, length: size };
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let content = chunks(read).inspect_ok(|frame| hasher.update(frame)).boxed();
        self.archive.put(&tables_name(id), content).await?;
        Ok(hasher.finish())
    }

    async fn learn_known(&mut self) -> Result<(), BackupError> {
        let mut listed = self.archive.list("blobs");
        while let Some(found) = listed.try_next().await? {
            let hash = found.name.rsplit('/').next().and_then(short);
            self.known.extend(hash.map(|hash| (hash, found.size)));
        }
        Ok(())
    }

    async fn copy_blobs(&self, taken: &mut Taken) -> Result<(), BackupError> {
        let id = taken.backup.id.clone();
        let (_, bytes) = self.domain.blob_totals().await?;
        self.progress.expect(bytes);
        let mut reader = Reader::new(&id, &self.scratch)?;
        while let Some(batch) = reader.batch(500)? {
            if batch.table.name != "blobs" {
                continue;
            }
            let blobs = blobs_of(&id, &batch)?;
            let mut outcomes = stream::iter(blobs.iter().map(|blob| self.copy(blob))).buffer_unordered(AT_ONCE);
            while let Some(outcome) = outcomes.next().await {
                taken.count(outcome?);
            }
        }
        Ok(())
    }

    async fn copy<'b>(&self, blob: &'b Blob) -> Result<(&'b Blob, Outcome), BackupError> {
        // One of another size was cut by whoever moved the archive: it is written anew.
        let held = short(&blob.digest.hex()).and_then(|hash| self.known.get(&hash));
        let outcome = if held == Some(&blob.size) { Outcome::There } else { self.copy_anew(blob).await? };
        self.progress.done(blob.size);
        Ok((blob, outcome))
    }

    async fn copy_anew(&self, blob: &Blob) -> Result<Outcome, BackupError> {
        let Some(content) = self.content(blob).await? else { return Ok(Outcome::Lacking) };
        match self.archive.put(&blob_name(&blob.digest), content).await {
            Ok(()) => Ok(Outcome::Copied),
            Err(ArchiveError::Content { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
                Ok(Outcome::Lacking)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The bytes of a blob, checked as they are read; `None` where they are lost.
    async fn content(&self, blob: &Blob) -> Result<Option<Content<'static>>, BackupError> {
        let mut key = Some(blob.key.clone());
        // A blob that was pushed again after it was found damaged lies elsewhere by now.
        for _ in 0..2 {
            let Some(at) = key else { return Ok(None) };
            match self.domain.blobs.read(&at, 0, u64::MAX).await {
                Ok(read) => return Ok(Some(place::checked(chunks(read), blob.digest.clone()))),
                Err(BlobStoreError::NotFound(_)) => key = self.key_now(&blob.digest).await?,
                Err(error) => return Err(BackupError::Registry(error.into())),
            }
        }
        Ok(None)
    }

    async fn key_now(&self, digest: &Digest) -> Result<Option<BlobKey>, BackupError> {
        let digest = digest.clone();
        let found = self.domain.database.read(move |txn| blobs::find(txn, &digest).map_err(BackupError::from)).await?;
        Ok(found.and_then(|found| match found.location {
            Location::Key(key) => Some(key),
            Location::Inline(_) => None,
        }))
    }
}

enum Outcome {
    Copied,
    There,
    Lacking,
}

impl Taken {
    fn count(&mut self, (blob, outcome): (&Blob, Outcome)) {
        match outcome {
            Outcome::Lacking => return self.backup.lacking.push(blob.digest.clone()),
            Outcome::Copied => {
                self.copied += 1;
                self.copied_bytes += blob.size;
            }
            Outcome::There => {}
        }
        self.backup.blobs += 1;
        self.backup.bytes += blob.size;
    }
}

/// The first digits of a hash: enough to tell blobs apart, and little to remember.
pub(super) fn short(hex: &str) -> Option<u128> {
    hex.get(..32).and_then(|digits| u128::from_str_radix(digits, 16).ok())
}

/// Those of a batch of rows of `blobs` that lie outside of the tables.
pub(super) fn blobs_of(id: &str, batch: &Batch) -> Result<Vec<Blob>, BackupError> {
    let damaged = || BackupError::damaged(id, "a row of blobs cannot be read");
    let column = |name| batch.column(name).ok_or_else(damaged);
    let (digest, key, size) = (column("digest")?, column("storage_key")?, column("size")?);
    let outside = batch.rows.iter().filter(|row| row.0[key] != Value::Null);
    outside
        .map(|row: &Row| {
            let parsed = Digest::parse(row.text(digest)?).ok().zip(BlobKey::parse(row.text(key)?));
            let (digest, key) = parsed.ok_or_else(damaged)?;
            Ok(Blob { digest, key, size: row.unsigned(size)? })
        })
        .collect()
}
