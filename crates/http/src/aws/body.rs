//! Bodies that are read whole: their hash is part of the signature.
//!
//! Small ones are taken as they come. Large ones, layer parts above all, say how long they are and wait for their share of the
//! memory that all of them have together.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use ring::digest::{Context, SHA256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::{BodyError, RequestBody};

/// The longest body that needs no share, in bytes: most are far shorter.
const SMALL: usize = 1024 * 1024;
/// What all large ones of the process may take, in pieces.
const PIECES: usize = 256;
const PIECE: usize = 1024 * 1024;

/// Memory for large bodies.
#[derive(Debug, Clone)]
pub(super) struct Memory(Arc<Semaphore>);

/// A body that was read, its SHA-256, and the memory it holds until it is dropped.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) bytes: Bytes,
    pub(super) sha256: [u8; 32],
    pub(super) share: Option<OwnedSemaphorePermit>,
}

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PIECES)))
    }
}

impl Memory {
    /// Waits for the memory of a body of so many bytes, and of what is decoded from it: not quite twice as much.
    async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let pieces = u32::try_from((bytes.saturating_mul(2)).div_ceil(PIECE)).ok()?;
        Arc::clone(&self.0).acquire_many_owned(pieces).await.ok()
    }
}

/// Reads a body of at most `limit` bytes to its end; else the status that says why it could not be.
///
/// Who is asking is known only behind the body, whose hash is signed. So a long one gets its share when its first MiB is there: what
/// is declared and never sent keeps nobody out.
pub(super) async fn read(mut body: RequestBody, limit: usize, memory: &Memory) -> Result<Read, StatusCode> {
    let limit = match body.declared_length().map(usize::try_from) {
        Some(Ok(declared)) if declared <= limit => declared,
        Some(_) => return Err(StatusCode::PAYLOAD_TOO_LARGE),
        None => SMALL.min(limit),
    };
    let (mut whole, mut hash, mut share) = (BytesMut::new(), Context::new(&SHA256), None);
    while let Some(piece) = body.chunk().await {
        let piece = piece.map_err(status)?;
        let length = whole.len() + piece.len();
        if length > limit {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if length > SMALL && share.is_none() {
            share = Some(memory.take(limit).await.ok_or(StatusCode::SERVICE_UNAVAILABLE)?);
            whole.reserve(limit - whole.len());
        }
        hash.update(&piece);
        whole.extend_from_slice(&piece);
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.finish().as_ref());
    Ok(Read { bytes: whole.freeze(), sha256, share })
}

const fn status(error: BodyError) -> StatusCode {
    match error {
        BodyError::Timeout | BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
        BodyError::Disconnected | BodyError::Malformed => StatusCode::BAD_REQUEST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn length(body: RequestBody, limit: usize, memory: &Memory) -> Result<usize, StatusCode> {
        read(body, limit, memory).await.map(|read| read.bytes.len())
    }

    #[tokio::test]
    async fn a_body_has_a_limit() {
        let memory = Memory::default();
        let read = read(RequestBody::from_bytes("abc"), SMALL, &memory).await.unwrap();
        assert_eq!(read.bytes, "abc");
        assert_eq!(read.sha256, ring::digest::digest(&SHA256, b"abc").as_ref());
        assert_eq!(length(RequestBody::from_bytes(vec![0; SMALL]), SMALL, &memory).await, Ok(SMALL));
        let large = || RequestBody::from_bytes(vec![0; SMALL + 1]);
        assert_eq!(length(large(), SMALL, &memory).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(length(large(), SMALL + 1, &memory).await, Ok(SMALL + 1));
    }

    #[tokio::test]
    async fn large_ones_share_what_there_is() {
        let memory = Memory::default();
        let first = memory.take(PIECES / 2 * PIECE - 1).await.unwrap();
        let waiting = memory.clone();
        let second = tokio::spawn(async move { waiting.take(1).await.map(|share| share.num_permits()) });
        tokio::task::yield_now().await;
        assert!(!second.is_finished(), "all memory is taken");
        drop(first);
        assert_eq!(second.await.unwrap(), Some(1));
    }
}
