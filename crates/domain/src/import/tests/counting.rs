//! A source that counts what is read of it, and stops an import on the way.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_transfer::{ByteStream, Listing, Root, Source, SourceError, SourceManifest};
use tokio::sync::{Barrier, watch};

pub struct Counting<S> {
    inner: S,
    manifests: AtomicU64,
    blobs: Mutex<Vec<String>>,
    stop_at: AtomicUsize,
    stop: Mutex<watch::Sender<bool>>,
    barrier: Mutex<Option<std::sync::Arc<Barrier>>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl<S> Counting<S> {
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            manifests: AtomicU64::default(),
            blobs: Mutex::default(),
            stop_at: AtomicUsize::new(usize::MAX),
            stop: Mutex::new(watch::channel(false).0),
            barrier: Mutex::default(),
            now: AtomicUsize::default(),
            most: AtomicUsize::default(),
        }
    }

    /// Manifests and blobs read since the last call.
    pub fn take_counts(&self) -> (u64, u64) {
        let blobs = std::mem::take(&mut *self.blobs.lock().unwrap());
        (self.manifests.swap(0, Ordering::SeqCst), blobs.len() as u64)
    }

    /// Digests of the blobs read since then.
    pub fn blobs_read(&self) -> Vec<String> {
        self.blobs.lock().unwrap().clone()
    }

    /// Stops the import by `stop` when the blob of this number, counted from 1, is asked for; that blob never comes.
    pub fn stop_at_blob(&self, number: usize, stop: &watch::Sender<bool>) {
        *self.stop.lock().unwrap() = stop.clone();
        self.stop_at.store(number, Ordering::SeqCst);
    }

    pub fn go_on(&self) {
        self.stop_at.store(usize::MAX, Ordering::SeqCst);
        self.stop.lock().unwrap().send_replace(false);
    }

    /// Lets no blob begin before so many are asked for.
    pub fn wait_for_each_other(&self, count: usize) {
        *self.barrier.lock().unwrap() = Some(std::sync::Arc::new(Barrier::new(count)));
    }

    pub fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl<S: Source> Source for Counting<S> {
    fn repositories(&self) -> Listing<'_, RepositoryName> {
        self.inner.repositories()
    }

    fn roots<'a>(&'a self, repository: &'a RepositoryName) -> Listing<'a, Root> {
        self.inner.roots(repository)
    }

    async fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, SourceError> {
        self.inner.resolve(repository, tag).await
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<SourceManifest, SourceError> {
        self.manifests.fetch_add(1, Ordering::SeqCst);
        self.inner.manifest(repository, reference).await
    }

    async fn referrers(&self, repository: &RepositoryName, subject: &Digest) -> Result<Vec<Digest>, SourceError> {
        self.inner.referrers(repository, subject).await
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest, offset: u64) -> Result<ByteStream, SourceError> {
        let number = {
            let mut blobs = self.blobs.lock().unwrap();
            blobs.push(digest.to_string());
            blobs.len()
        };
        if number >= self.stop_at.load(Ordering::SeqCst) {
            self.stop.lock().unwrap().send_replace(true);
            return std::future::pending().await;
        }
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let barrier = self.barrier.lock().unwrap().clone();
        if let Some(barrier) = barrier {
            barrier.wait().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        self.inner.blob(repository, digest, offset).await
    }
}
