//! Reading one blob to its end.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::{ByteStream, Retry, Source, SourceError};

/// A source that gave so much before it broke off may break off again without being counted.
const PROGRESS_BYTES: u64 = 1024 * 1024;

/// Reads a blob of a known size. Where the source breaks off it is asked for the rest; where it gives more than the size,
/// reading ends. Whether the bytes have the digest is for the reader's owner to say.
pub struct BlobReader<'s> {
    source: &'s dyn Source,
    repository: &'s RepositoryName,
    digest: &'s Digest,
    size: u64,
    retry: Retry,
    offset: u64,
    stream: Option<ByteStream>,
    tried: u32,
    opened_at: u64,
}

impl<'s> BlobReader<'s> {
    /// A reader of `size` bytes.
    pub fn new(
        source: &'s dyn Source,
        repository: &'s RepositoryName,
        digest: &'s Digest,
        size: u64,
        retry: Retry,
    ) -> Self {
        Self { source, repository, digest, size, retry, offset: 0, stream: None, tried: 0, opened_at: 0 }
    }

    /// The next bytes; `None` when there were as many as there should be.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, SourceError> {
        while self.offset < self.size {
            match self.read().await {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return self.take(bytes).map(Some),
                // A source that gives nothing at all was asked often enough by itself.
                Err(error) if error.is_passing() && self.stream.is_some() => self.pause(error).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn read(&mut self) -> Result<Bytes, SourceError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            closed => {
                self.opened_at = self.offset;
                closed.insert(self.source.blob(self.repository, self.digest, self.offset).await?)
            }
        };
        // A connection that broke off says so; an end without that is the content's end.
        stream.next().await.unwrap_or_else(|| {
            let (digest, expected, actual) = (self.digest.clone(), self.size, self.offset);
            Err(SourceError::WrongSize { digest, expected, actual })
        })
    }

    fn take(&mut self, bytes: Bytes) -> Result<Bytes, SourceError> {
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        if self.offset > self.size {
            let (digest, expected) = (self.digest.clone(), self.size);
            return Err(SourceError::WrongSize { digest, expected, actual: self.offset });
        }
        Ok(bytes)
    }

    /// Waits before the source is asked for the rest, or gives up with `error`.
    async fn pause(&mut self, error: SourceError) -> Result<(), SourceError> {
        self.stream = None;
        let progressed = self.offset - self.opened_at >= PROGRESS_BYTES;
        self.tried = if progressed { 1 } else { self.tried + 1 };
        let Some(pause) = self.retry.pause(self.tried, None) else { return Err(error) };
        tracing::info!(digest = %self.digest, %error, "reading goes on after a pause");
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
