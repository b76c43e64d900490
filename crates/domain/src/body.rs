//! Bytes that a caller sends, as they arrive.

use async_trait::async_trait;
use bytes::Bytes;

/// Why no more bytes come although more were promised.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct BodyFailed(pub String);

/// A source of bytes.
#[async_trait]
pub trait Body: Send {
    /// The next bytes; `None` at the end.
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyFailed>;

    /// How many bytes are to come, where that is known before.
    fn declared_length(&self) -> Option<u64> {
        None
    }
}

/// Bytes that are here already.
#[async_trait]
impl Body for Option<Bytes> {
    async fn chunk(&mut self) -> Result<Option<Bytes>, BodyFailed> {
        Ok(self.take())
    }
}
