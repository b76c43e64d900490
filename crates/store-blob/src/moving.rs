//! Two blob stores while blobs move from the old one to the new one, and the registry serves.
//!
//! What is new goes to the new store, at a key that the old one does not have; a blob that moves gets a fresh key too. So a
//! key is in one of them, and whoever has a key finds it. Uploads that were begun in the old store end there, and their
//! blobs move later.

use std::sync::Arc;

use async_trait::async_trait;
use berth_oci::digest::Algorithm;
use berth_store::{Begun, BlobKey, BlobRead, BlobStore, BlobStoreError, BlobWriter, StoredKey, Unfinished};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

/// Blobs on the way from one store to another.
pub struct MovingStore {
    old: Arc<dyn BlobStore>,
    new: Arc<dyn BlobStore>,
}

impl MovingStore {
    /// From `old` to `new`.
    pub fn new(old: Arc<dyn BlobStore>, new: Arc<dyn BlobStore>) -> Self {
        Self { old, new }
    }

    async fn is_in_old(&self, key: &BlobKey) -> Result<bool, BlobStoreError> {
        match self.old.size(key).await {
            Ok(_) => Ok(true),
            Err(BlobStoreError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl BlobStore for MovingStore {
    async fn create(&self, key: &BlobKey, algorithm: Algorithm) -> Result<Box<dyn BlobWriter>, BlobStoreError> {
        self.new.create(key, algorithm).await
    }

    async fn resume(
        &self,
        unfinished: Unfinished<'_>,
        algorithm: Algorithm,
    ) -> Result<Box<dyn BlobWriter>, BlobStoreError> {
        if unfinished.checkpoint.is_none() && self.is_in_old(unfinished.key).await? {
            return self.old.resume(unfinished, algorithm).await;
        }
        match self.new.resume(unfinished, algorithm).await {
            Err(BlobStoreError::NotFound(_)) => self.old.resume(unfinished, algorithm).await,
            resumed => resumed,
        }
    }

    async fn read(&self, key: &BlobKey, offset: u64, length: u64) -> Result<BlobRead, BlobStoreError> {
        match self.new.read(key, offset, length).await {
            Err(BlobStoreError::NotFound(_)) => self.old.read(key, offset, length).await,
            read => read,
        }
    }

    async fn size(&self, key: &BlobKey) -> Result<u64, BlobStoreError> {
        match self.new.size(key).await {
            Err(BlobStoreError::NotFound(_)) => self.old.size(key).await,
            size => size,
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobStoreError> {
        self.old.delete(key).await?;
        self.new.delete(key).await
    }

    async fn give_up(&self, unfinished: Unfinished<'_>) -> Result<(), BlobStoreError> {
        self.old.give_up(unfinished).await?;
        self.new.give_up(unfinished).await
    }

    fn is_shared(&self) -> bool {
        self.old.is_shared() || self.new.is_shared()
    }

    async fn address(&self, key: &BlobKey) -> Result<Option<String>, BlobStoreError> {
        if self.is_in_old(key).await? { self.old.address(key).await } else { self.new.address(key).await }
    }

    async fn list(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<StoredKey>, BlobStoreError> {
        let mut both = self.old.list(after, limit).await?;
        both.extend(self.new.list(after, limit).await?);
        both.sort_by(|one, other| one.key.cmp(&other.key));
        both.dedup_by(|one, other| one.key == other.key);
        both.truncate(limit);
        Ok(both)
    }

    fn begun(&self) -> BoxStream<'_, Result<Begun, BlobStoreError>> {
        self.old.begun().chain(self.new.begun()).boxed()
    }

    async fn abandon(&self, begun: &Begun) -> Result<(), BlobStoreError> {
        self.old.abandon(begun).await?;
        self.new.abandon(begun).await
    }

    async fn free_space(&self) -> Result<Option<u64>, BlobStoreError> {
        self.new.free_space().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FilesystemStore;
    use berth_oci::digest::Digest;
    use berth_store::SystemRandom;
    use berth_store::blob_store::chunks;
    use futures_util::TryStreamExt as _;
    use tempfile::TempDir;

    fn stores() -> (Arc<dyn BlobStore>, Arc<dyn BlobStore>, TempDir) {
        let folder = TempDir::new().unwrap();
        let open = |name| Arc::new(FilesystemStore::open(folder.path().join(name)).unwrap());
        (open("old"), open("new"), folder)
    }

    fn make() -> (MovingStore, TempDir) {
        let (old, new, folder) = stores();
        (MovingStore::new(old, new), folder)
    }

    mod contract {
        berth_store::blob_contract!(super::make);
    }

    async fn put(store: &dyn BlobStore, key: &BlobKey, bytes: &'static [u8]) {
        let mut writer = store.create(key, Algorithm::Sha256).await.unwrap();
        writer.append(bytes.into()).await.unwrap();
        writer.commit(&Digest::of(Algorithm::Sha256, bytes)).await.unwrap();
    }

    async fn get(store: &dyn BlobStore, key: &BlobKey) -> Vec<u8> {
        let frames: Vec<_> = chunks(store.read(key, 0, u64::MAX).await.unwrap()).try_collect().await.unwrap();
        frames.concat()
    }

    #[tokio::test]
    async fn what_is_in_either_is_there() {
        let (old, new, _folder) = stores();
        let moving = MovingStore::new(Arc::clone(&old), Arc::clone(&new));
        let [one, two] = [BlobKey::fresh(&SystemRandom), BlobKey::fresh(&SystemRandom)];
        put(&*old, &one, b"in the old one").await;
        put(&moving, &two, b"in the new one").await;
        assert_eq!(new.size(&two).await.unwrap(), 14);
        assert_eq!(get(&moving, &one).await, b"in the old one");
        assert_eq!(get(&moving, &two).await, b"in the new one");
        assert_eq!(moving.list(None, 10).await.unwrap().len(), 2);
        for key in [one, two] {
            moving.delete(&key).await.unwrap();
            assert!(matches!(moving.size(&key).await, Err(BlobStoreError::NotFound(_))));
        }
    }

    #[tokio::test]
    async fn an_upload_ends_where_it_was_begun() {
        let (old, new, _folder) = stores();
        let key = BlobKey::fresh(&SystemRandom);
        let mut writer = old.create(&key, Algorithm::Sha256).await.unwrap();
        writer.append(b"begun, ".as_slice().into()).await.unwrap();
        writer.flush().await.unwrap();
        drop(writer);
        let moving = MovingStore::new(Arc::clone(&old), new);
        let mut writer = moving.resume(Unfinished::at(&key), Algorithm::Sha256).await.unwrap();
        writer.append(b"ended".as_slice().into()).await.unwrap();
        writer.commit(&Digest::of(Algorithm::Sha256, b"begun, ended")).await.unwrap();
        assert_eq!(get(&*old, &key).await, b"begun, ended");
    }
}
