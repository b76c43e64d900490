//! Blobs in a bucket of S3, or of anything that speaks its protocol; several nodes share it.
//!
//! A blob is one object, `PREFIX/blobs/ab/<key>`, under a key that is used once; keys are random, so objects spread evenly.
//! Up to one part is written in one request, more by a multipart upload whose parts go out while the next one fills
//! ([`writer`]). All buffers of the process come from one budget ([`budget`]). Nothing is copied or renamed at the server,
//! and an entity tag means nothing here: the digest is Berth's own, and the size is asked for before a blob is acknowledged.

mod budget;
mod checkpoint;
mod client;
mod multiparts;
mod profile;
mod settings;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth_oci::digest::Algorithm;
use berth_store::{Begun, BlobKey, BlobRead, BlobStore, BlobStoreError, BlobWriter, Random, StoredKey, Unfinished};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};

use self::budget::Budget;
use self::client::Client;
pub(crate) use self::client::bucket;
pub use self::settings::S3Settings;
use self::writer::S3Writer;

/// How long an address for a pull can be used.
const ADDRESS_LIFE: Duration = Duration::from_mins(15);

/// What a store and its writers share.
struct Shared {
    client: Client,
    budget: Budget,
    part_bytes: usize,
    random: Arc<dyn Random>,
    /// Names the bucket and the part of it, for checkpoints.
    place: String,
}

/// The store in a bucket.
pub struct S3Store {
    shared: Arc<Shared>,
    redirect: bool,
}

impl S3Store {
    /// A store as `settings` say; nothing is asked of the server yet. Credentials come from the usual places: the
    /// environment, a web identity, a profile, or the container's or machine's metadata service.
    pub fn new(settings: &S3Settings, random: Arc<dyn Random>) -> Result<Self, BlobStoreError> {
        let client = Client::new(settings)?;
        let part_bytes = settings.part_bytes;
        let budget = Budget::new(settings.buffer_budget.max(part_bytes));
        let endpoint = settings.endpoint.as_deref().unwrap_or_default();
        let place = format!("{endpoint} {} {}", settings.bucket, settings.prefix);
        let shared = Shared { client, budget, part_bytes, random, place };
        Ok(Self { shared: Arc::new(shared), redirect: settings.redirect })
    }

    /// Writes, reads and deletes a small object, so that what is wrong is told at start.
    pub async fn probe(&self) -> Result<(), BlobStoreError> {
        let key = BlobKey::fresh(self.shared.random.as_ref());
        let client = &self.shared.client;
        client.put(&key, vec!["berth".into()]).await?;
        let size = client.size(&key).await?;
        client.delete(&key).await?;
        if size == 5 {
            return Ok(());
        }
        let reason = format!("an object of 5 bytes has {size} bytes after it was written");
        Err(BlobStoreError::Unavailable { action: "trying the bucket".to_owned(), reason })
    }
}

#[async_trait]
impl BlobStore for S3Store {
    // Keys are random and long, so whether one is in use is not asked.
    async fn create(&self, key: &BlobKey, algorithm: Algorithm) -> Result<Box<dyn BlobWriter>, BlobStoreError> {
        Ok(Box::new(S3Writer::new(Arc::clone(&self.shared), key.clone(), algorithm)))
    }

    async fn resume(
        &self,
        unfinished: Unfinished<'_>,
        algorithm: Algorithm,
    ) -> Result<Box<dyn BlobWriter>, BlobStoreError> {
        Ok(Box::new(S3Writer::resume(Arc::clone(&self.shared), unfinished, algorithm)?))
    }

    async fn read(&self, key: &BlobKey, offset: u64, length: u64) -> Result<BlobRead, BlobStoreError> {
        let size = self.shared.client.size(key).await?;
        let length = length.min(size.saturating_sub(offset));
        if length == 0 {
            return Ok(BlobRead::Stream { chunks: futures_util::stream::empty().boxed(), length });
        }
        let chunks = self.shared.client.get(key, offset..offset + length).await?;
        Ok(BlobRead::Stream { chunks: chunks.map_err(std::io::Error::other).boxed(), length })
    }

    async fn size(&self, key: &BlobKey) -> Result<u64, BlobStoreError> {
        self.shared.client.size(key).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), BlobStoreError> {
        self.shared.client.delete(key).await
    }

    async fn give_up(&self, unfinished: Unfinished<'_>) -> Result<(), BlobStoreError> {
        writer::give_up(&self.shared.client, unfinished).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn address(&self, key: &BlobKey) -> Result<Option<String>, BlobStoreError> {
        if !self.redirect {
            return Ok(None);
        }
        self.shared.client.address(key, ADDRESS_LIFE).await.map(Some)
    }

    async fn list(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<StoredKey>, BlobStoreError> {
        self.shared.client.list(after, limit).await
    }

    fn begun(&self) -> BoxStream<'_, Result<Begun, BlobStoreError>> {
        self.shared.client.multiparts()
    }

    async fn abandon(&self, begun: &Begun) -> Result<(), BlobStoreError> {
        self.shared.client.abort(&begun.key, &begun.id).await
    }

    async fn free_space(&self) -> Result<Option<u64>, BlobStoreError> {
        Ok(None)
    }
}
