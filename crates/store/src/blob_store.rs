//! The blob store seam: bytes under keys that are used once (invariants 4, 5 and 13 of `ARCHITECTURE.md`).
//!
//! A store knows keys, never digests: which key holds which content is a fact of the database. A key is written by one
//! writer, made durable by [`BlobWriter::commit`], read any number of times, deleted, and never used again.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use berth_oci::digest::{Algorithm, Digest};
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::clock::{Random, Timestamp, sixteen};

/// The key of one blob in a store: 32 lower-case hexadecimal digits, random.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobKey(String);

impl BlobKey {
    /// A fresh key.
    pub fn fresh(random: &dyn Random) -> Self {
        Self(hex::encode(sixteen(random)))
    }

    /// Reads a key; `None` where the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 32 && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a blob store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BlobStoreError {
    /// No blob, finished or not, is at the key.
    #[error("nothing is stored at key {0}")]
    NotFound(BlobKey),
    /// The key was written before.
    #[error("key {0} is in use")]
    KeyInUse(BlobKey),
    /// The bytes do not hash to the digest that the writer was told to commit.
    #[error("the bytes have digest {actual}, not {expected}")]
    DigestMismatch {
        /// What was promised.
        expected: Digest,
        /// What the bytes are.
        actual: Digest,
    },
    /// The store is out of space.
    #[error("the blob store is full: {0}")]
    Full(std::io::Error),
    /// The store's server cannot be used just now; trying again later may help. Nothing was acknowledged.
    #[error("the blob store is unavailable while {action}: {reason}")]
    Unavailable {
        /// What the store was doing, with the key.
        action: String,
        /// What its server said, or did not say.
        reason: String,
    },
    /// The store failed; a write that met this is not durable and is never retried as if it were.
    #[error("{action}: {source}")]
    Io {
        /// What the store was doing, with the key or path.
        action: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// The bytes of a blob, ready to be sent.
pub enum BlobRead {
    /// A part of a file: `length` bytes from `offset`.
    File {
        /// The open file.
        file: Arc<std::fs::File>,
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        length: u64,
    },
    /// Bytes as they come.
    Stream {
        /// The chunks.
        chunks: BoxStream<'static, std::io::Result<Bytes>>,
        /// How many bytes they are together.
        length: u64,
    },
}

impl BlobRead {
    /// How many bytes there are to read.
    pub fn length(&self) -> u64 {
        match self {
            Self::File { length, .. } | Self::Stream { length, .. } => *length,
        }
    }
}

/// A key that a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The key.
    pub key: BlobKey,
    /// Bytes at the key.
    pub size: u64,
    /// When it was last written.
    pub modified: Timestamp,
}

/// A blob that was begun in parts, which lie at the store's server until they are made one object or given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The key that the parts are for.
    pub key: BlobKey,
    /// The server's name for this attempt; a key may have had several.
    pub id: String,
    /// When it began.
    pub at: Timestamp,
}

/// What another process needs to take up an unfinished blob of a store that several share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Bytes taken.
    pub offset: u64,
    /// The key that holds the last of them for the time being, where there is one. No other checkpoint names it.
    pub tail: Option<BlobKey>,
    /// What else the store must know: of no meaning outside of it.
    pub state: Vec<u8>,
}

/// An unfinished blob, for taking it up again or giving it up.
#[derive(Debug, Clone, Copy)]
pub struct Unfinished<'u> {
    /// The key that it was begun at.
    pub key: &'u BlobKey,
    /// What the last [`BlobWriter::flush`] gave.
    pub checkpoint: Option<&'u Checkpoint>,
    /// Whether another writer of it may have been lost and come back to life: then nothing that is not at a fresh key is
    /// believed without reading it again.
    pub contested: bool,
}

impl<'u> Unfinished<'u> {
    /// One that a local store holds, at a key.
    pub fn at(key: &'u BlobKey) -> Self {
        Self { key, checkpoint: None, contested: false }
    }
}

/// Where a blob came to lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The key, which need not be the one that the blob was begun at.
    pub key: BlobKey,
    /// Its bytes.
    pub size: u64,
}

/// A place for bytes.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Begins a blob at a fresh key, hashing with `algorithm` while it is written. The empty blob survives a crash of the
    /// process from here on.
    async fn create(&self, key: &BlobKey, algorithm: Algorithm) -> Result<Box<dyn BlobWriter>, BlobStoreError>;
    /// Takes up an unfinished blob again: its writer stands behind the last byte that was kept.
    async fn resume(
        &self,
        unfinished: Unfinished<'_>,
        algorithm: Algorithm,
    ) -> Result<Box<dyn BlobWriter>, BlobStoreError>;
    /// Reads `length` bytes from `offset` of a finished blob; fewer where it is shorter.
    async fn read(&self, key: &BlobKey, offset: u64, length: u64) -> Result<BlobRead, BlobStoreError>;
    /// Bytes at the key.
    async fn size(&self, key: &BlobKey) -> Result<u64, BlobStoreError>;
    /// Deletes a blob, finished or not. Deleting what is not there is no error.
    async fn delete(&self, key: &BlobKey) -> Result<(), BlobStoreError>;
    /// Deletes what was kept of an unfinished blob.
    async fn give_up(&self, unfinished: Unfinished<'_>) -> Result<(), BlobStoreError> {
        self.delete(unfinished.key).await
    }
    /// Whether several processes use this store at once, so that unfinished blobs need checkpoints.
    fn is_shared(&self) -> bool {
        false
    }
    /// An address from which anybody who knows it can read the blob for a while, where the store gives such.
    async fn address(&self, _key: &BlobKey) -> Result<Option<String>, BlobStoreError> {
        Ok(None)
    }
    /// Up to `limit` keys behind `after`, in order of their text.
    async fn list(&self, after: Option<&BlobKey>, limit: usize) -> Result<Vec<StoredKey>, BlobStoreError>;
    /// Every blob that was begun in parts and is neither finished nor given up, in no order.
    fn begun(&self) -> BoxStream<'_, Result<Begun, BlobStoreError>> {
        Box::pin(futures_util::stream::empty())
    }
    /// Gives such parts up; if they are gone already that is no error. A finished blob at the key stays.
    async fn abandon(&self, _begun: &Begun) -> Result<(), BlobStoreError> {
        Ok(())
    }
    /// Bytes that can still be written, where the store knows.
    async fn free_space(&self) -> Result<Option<u64>, BlobStoreError>;
}

/// One blob that is being written. Dropping it keeps what was flushed, so that it can be resumed.
#[async_trait]
pub trait BlobWriter: Send {
    /// Bytes taken so far.
    fn offset(&self) -> u64;
    /// Takes the next bytes.
    async fn append(&mut self, bytes: Bytes) -> Result<(), BlobStoreError>;
    /// Hands everything taken to the operating system or the store's server, so that it survives a crash of the process.
    /// A shared store gives what it must be told when the blob is taken up again.
    async fn flush(&mut self) -> Result<Option<Checkpoint>, BlobStoreError>;
    /// Makes the blob durable, having checked that its bytes have the digest `expected`, of either algorithm. After an
    /// error nothing may be taken for stored.
    async fn commit(self: Box<Self>, expected: &Digest) -> Result<Stored, BlobStoreError>;
}

/// How much of a file is read at once.
const READ_BYTES: usize = 1 << 20;

/// A blob's bytes as a stream of chunks of at most 1 MiB, read off the async threads.
pub fn chunks(read: BlobRead) -> BoxStream<'static, std::io::Result<Bytes>> {
    let (file, offset, length) = match read {
        BlobRead::Stream { chunks, .. } => return chunks,
        BlobRead::File { file, offset, length } => (file, offset, length),
    };
    Box::pin(futures_util::stream::try_unfold((file, offset, length), |(file, offset, left)| async move {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(READ_BYTES);
        if wanted == 0 {
            return Ok(None);
        }
        let source = Arc::clone(&file);
        let read = tokio::task::spawn_blocking(move || read_at(&source, offset, wanted)).await;
        let chunk = read.map_err(std::io::Error::other)??;
        let taken = chunk.len() as u64;
        Ok((taken > 0).then_some((chunk, (file, offset + taken, left - taken))))
    }))
}

fn read_at(file: &std::fs::File, offset: u64, wanted: usize) -> std::io::Result<Bytes> {
    use std::os::unix::fs::FileExt as _;
    let mut buffer = vec![0; wanted];
    let taken = file.read_at(&mut buffer, offset)?;
    buffer.truncate(taken);
    Ok(Bytes::from(buffer))
}
