//! The memory that all uploads of a process buffer in.
//!
//! Whoever waits for memory holds none but that of parts which are on their way and will be done: so somebody can always
//! go on. Who waits, waits in line.

use std::sync::Arc;

use berth_store::BlobStoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is handed out in pieces of so many bytes.
const PIECE: usize = 64 * 1024;

/// All the memory there is.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    pieces: Arc<Semaphore>,
}

/// Memory that was taken. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Share(OwnedSemaphorePermit);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self { pieces: Arc::new(Semaphore::new(bytes.div_ceil(PIECE).min(Semaphore::MAX_PERMITS))) }
    }

    /// Takes so much memory, waiting until it is there. Must not be called by whoever holds a share that is not on its
    /// way out.
    pub(super) async fn take(&self, bytes: usize) -> Result<Share, BlobStoreError> {
        let taken = Arc::clone(&self.pieces).acquire_many_owned(pieces(bytes)).await;
        taken.map(Share).map_err(|closed| BlobStoreError::Unavailable {
            action: "waiting for memory".to_owned(),
            reason: closed.to_string(),
        })
    }

    /// Takes more memory where it is there at once.
    pub(super) fn grow(&self, share: &mut Share, bytes: usize) -> bool {
        let missing = pieces(bytes).saturating_sub(pieces(share.bytes()));
        let Ok(more) = Arc::clone(&self.pieces).try_acquire_many_owned(missing) else { return false };
        share.0.merge(more);
        true
    }
}

impl Share {
    pub(super) fn bytes(&self) -> usize {
        self.0.num_permits() * PIECE
    }
}

fn pieces(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_share_grows_only_while_there_is_memory() {
        let budget = Budget::new(10 * PIECE);
        let mut first = budget.take(PIECE).await.unwrap();
        assert!(budget.grow(&mut first, 8 * PIECE));
        assert_eq!(first.bytes(), 8 * PIECE);
        let mut second = budget.take(1).await.unwrap();
        assert!(!budget.grow(&mut second, 8 * PIECE));
        drop(first);
        assert!(budget.grow(&mut second, 8 * PIECE));
    }

    #[tokio::test]
    async fn who_waits_gets_what_others_give_back() {
        let budget = Budget::new(4 * PIECE);
        let held = budget.take(4 * PIECE).await.unwrap();
        let waiting = budget.clone();
        let waiter = tokio::spawn(async move { waiting.take(4 * PIECE).await.unwrap().bytes() });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(held);
        assert_eq!(waiter.await.unwrap(), 4 * PIECE);
    }
}
