//! The blob store of all nodes: files in memory that behave as files do, the loss of what was not synced included. It
//! passes the suite that the real stores pass.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use berth_oci::digest::{Algorithm, Digest};
use berth_store::{BlobKey, BlobRead, BlobStore, BlobStoreError, BlobWriter, Clock, StoredKey, Timestamp};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use crate::chaos::{Chaos, Fate};

/// One file, as the page cache shows it.
struct File {
    bytes: Vec<u8>,
    /// How many of the bytes survive a power loss.
    synced: usize,
    /// Whether its name survives one.
    name_synced: bool,
    /// A sync failed: the kernel dropped the pages, and no later sync writes them.
    pages_lost: bool,
    modified: Timestamp,
}

type Shared = Arc<Mutex<File>>;

#[derive(Default)]
struct Files {
    named: BTreeMap<BlobKey, Shared>,
    /// Deletions that no sync made durable.
    unsynced_deletions: Vec<(BlobKey, Shared)>,
}

/// Keys that a finished blob was ever written to.
type Finished = Arc<Mutex<HashSet<BlobKey>>>;

/// Hears of a key that is deleted, and of what must never be.
pub type Watch = Box<dyn Fn(Event<'_>) + Send + Sync>;

/// What a store tells while it works.
pub enum Event<'e> {
    /// A key is about to be deleted.
    Deleting(&'e BlobKey),
    /// A key that a finished blob had is written again.
    Reused(&'e BlobKey),
}

/// The store. Dropping it loses everything.
pub struct MemoryStore {
    files: Mutex<Files>,
    finished: Finished,
    chaos: Arc<Chaos>,
    clock: Arc<dyn Clock>,
    watch: Watch,
}

impl MemoryStore {
    pub fn new(chaos: Arc<Chaos>, clock: Arc<dyn Clock>, watch: Watch) -> Self {
        Self { files: Mutex::default(), finished: Finished::default(), chaos, clock, watch }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap()
    }

    pub fn keys(&self) -> Vec<BlobKey> {
        self.files().named.keys().cloned().collect()
    }

    /// What was not synced is lost, or part of it; deleted files may be back.
    pub fn lose_power(&self) {
        let mut files = self.files();
        let back: Vec<_> = std::mem::take(&mut files.unsynced_deletions);
        for (key, file) in back.into_iter().filter(|_| self.chaos.chance(1, 2)) {
            files.named.entry(key).or_insert(file);
        }
        let names: Vec<BlobKey> = files.named.keys().cloned().collect();
        for key in names {
            let file = Arc::clone(&files.named[&key]);
            let mut file = file.lock().unwrap();
            if !file.name_synced && self.chaos.chance(1, 2) {
                files.named.remove(&key);
                continue;
            }
            self.lose_pages(&mut file);
        }
    }

    /// Of the bytes behind the last sync some stay; sometimes the length grew before the bytes came.
    fn lose_pages(&self, file: &mut File) {
        let unsynced = file.bytes.len() - file.synced;
        if unsynced > 0 {
            let kept = file.synced + self.chaos.below(unsynced + 1);
            if self.chaos.chance(1, 4) {
                file.bytes[kept..].fill(0);
            } else {
                file.bytes.truncate(kept);
            }
        }
        file.synced = file.bytes.len();
        (file.name_synced, file.pages_lost) = (true, false);
    }

    async fn call(&self, action: &str) -> Result<Fate, BlobStoreError> {
        self.chaos.pause().await;
        let fate = self.chaos.store_fate();
        if fate == Fate::FailsBefore { Err(fault(action)) } else { Ok(fate) }
    }

    /// After a call did its work: waits perhaps, and perhaps tells that it failed.
    async fn reply<T: Send>(&self, fate: Fate, action: &str, value: T) -> Result<T, BlobStoreError> {
        self.chaos.pause().await;
        if fate == Fate::FailsAfter { Err(fault(action)) } else { Ok(value) }
    }

    fn writer(&self, key: &BlobKey, file: Shared) -> Box<dyn BlobWriter> {
        let offset = file.lock().unwrap().bytes.len();
        let (chaos, clock) = (Arc::clone(&self.chaos), Arc::clone(&self.clock));
        let (key, finished) = (key.clone(), Arc::clone(&self.finished));
        Box::new(MemoryWriter { key, file, finished, gathered: Vec::new(), offset, chaos, clock })
    }

    fn place(&self, key: &BlobKey) -> Result<Shared, BlobStoreError> {
        if self.finished.lock().unwrap().contains(key) {
            (self.watch)(Event::Reused(key));
        }
        let modified = self.clock.now();
        let file = File { bytes: Vec::new(), synced: 0, name_synced: false, pages_lost: false, modified };
        let file = Arc::new(Mutex::new(file));
        let mut files = self.files();
        if files.named.contains_key(key) {
            return Err(BlobStoreError::KeyInUse(key.clone()));
        }
        files.named.insert(key.clone(), Arc::clone(&file));
        Ok(file)
    }

    fn find(&self, key: &BlobKey) -> Result<Shared, BlobStoreError> {
        self.files().named.get(key).cloned().ok_or_else(|| BlobStoreError::NotFound(key.clone()))
    }
}

fn fault(action: &str) -> BlobStoreError {
    let source = std::io::Error::other("simulated fault");
    BlobStoreError::Io { action: action.to_owned(), source }
}

#[async_trait]
impl BlobStore for MemoryStore {
    async fn create(&self, key: &BlobKey, _: Algorithm) -> Result<Box<dyn BlobWriter>, BlobStoreError> {
        let fate = self.call("creating").await?;
        let file = self.place(key)?;
        self.reply(fate, "creating", self.writer(key, file)).await
    }

    async fn resume(&self, key: &BlobKey, _: Algorithm) -> Result<Box<dyn BlobWriter>, BlobStoreError> {
        let fate = self.call("resuming").await?;
        let file = self.find(key)?;
        self.reply(fate, "resuming", self.writer(key, file)).await
    }

    async fn read(&self, key: &BlobKey, offset: u64, length: u64) -> Result<BlobRead, BlobStoreError> {
        let fate = self.call("reading").await?;
        let file = self.find(key)?;
        let bytes = file.lock().unwrap().bytes.clone();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(bytes.len());
        let part = Bytes::from(bytes).slice(start..end);
        let read = BlobRead::Stream { length: part.len() as u64, chunks: stream(&self.chaos, &part) };
        self.reply(fate, "reading", read).await
    }

    async fn size(&self, key: &BlobKey) -> Result<u64, BlobStoreError> {
        let fate = self.call("measuring").await?;
        let size = self.find(key)?.lock().unwrap().bytes.len();
        self.reply(fate, "measuring", size as u64).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobStoreError> {
        let fate = self.call("deleting").await?;
        (self.watch)(Event::Deleting(key));
        {
            let mut files = self.files();
            if let Some(file) = files.named.remove(key) {
                files.unsynced_deletions.push((key.clone(), file));
            }
        }
        self.reply(fate, "deleting", ()).await
    }

    async fn list(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<StoredKey>, BlobStoreError> {
        let fate = self.call("listing").await?;
        let from = after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()));
        let files = self.files().named.range((from, Bound::Unbounded)).take(limit).map(listed).collect::<Vec<_>>();
        self.reply(fate, "listing", files).await
    }

    async fn free_space(&self) -> Result<Option<u64>, BlobStoreError> {
        Ok(None)
    }
}

fn listed((key, file): (&BlobKey, &Shared)) -> StoredKey {
    let file = file.lock().unwrap();
    StoredKey { key: key.clone(), size: file.bytes.len() as u64, modified: file.modified }
}

/// Two chunks with time between them: the file stays open, whatever happens to its name.
fn stream(chaos: &Arc<Chaos>, part: &Bytes) -> BoxStream<'static, std::io::Result<Bytes>> {
    let half = part.len() / 2;
    let chunks = [part.slice(..half), part.slice(half..)].into_iter().filter(|chunk| !chunk.is_empty());
    let chaos = Arc::clone(chaos);
    Box::pin(futures_util::stream::iter(chunks).then(move |chunk| {
        let chaos = Arc::clone(&chaos);
        async move {
            chaos.pause().await;
            Ok(chunk)
        }
    }))
}

/// A file that is being written. What it gathered is lost with it, as memory is.
struct MemoryWriter {
    key: BlobKey,
    file: Shared,
    finished: Finished,
    gathered: Vec<u8>,
    offset: usize,
    chaos: Arc<Chaos>,
    clock: Arc<dyn Clock>,
}

impl MemoryWriter {
    /// Writes what was gathered, or a part of it where the call is to fail.
    fn settle(&mut self, fate: Fate) -> Result<(), BlobStoreError> {
        let mut file = self.file.lock().unwrap();
        let taken = if fate == Fate::Works { self.gathered.len() } else { self.chaos.below(self.gathered.len() + 1) };
        file.bytes.extend(self.gathered.drain(..taken));
        file.modified = self.clock.now();
        if fate == Fate::Works { Ok(()) } else { Err(fault("writing")) }
    }

    /// A failed sync is final for the pages that it met.
    fn sync(&self, fate: Fate) -> Result<(), BlobStoreError> {
        let mut file = self.file.lock().unwrap();
        if fate != Fate::Works {
            file.pages_lost = true;
            return Err(fault("syncing"));
        }
        if !file.pages_lost {
            file.synced = file.bytes.len();
        }
        file.name_synced = true;
        Ok(())
    }

    fn check(&self, expected: &Digest) -> Result<u64, BlobStoreError> {
        let file = self.file.lock().unwrap();
        let actual = Digest::of(expected.algorithm(), &file.bytes);
        if actual == *expected {
            return Ok(file.bytes.len() as u64);
        }
        Err(BlobStoreError::DigestMismatch { expected: expected.clone(), actual })
    }
}

#[async_trait]
impl BlobWriter for MemoryWriter {
    fn offset(&self) -> u64 {
        self.offset as u64
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), BlobStoreError> {
        self.chaos.pause().await;
        self.gathered.extend_from_slice(&bytes);
        self.offset += bytes.len();
        if self.chaos.chance(1, 2) { self.settle(self.chaos.store_fate()) } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), BlobStoreError> {
        self.chaos.pause().await;
        self.settle(self.chaos.store_fate())
    }

    async fn commit(mut self: Box<Self>, expected: &Digest) -> Result<u64, BlobStoreError> {
        self.chaos.pause().await;
        self.settle(self.chaos.store_fate())?;
        let size = self.check(expected)?;
        self.sync(self.chaos.store_fate())?;
        self.finished.lock().unwrap().insert(self.key.clone());
        self.chaos.pause().await;
        Ok(size)
    }
}
