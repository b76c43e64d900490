//! Memory that a crowd left.

use std::time::Duration;

use berth_platform::memory::{give_back_freed, resident_bytes};

/// How often memory is looked at.
const EVERY: Duration = Duration::from_secs(10);

/// A server that has no more than this resident has little to give back.
const SMALL: u64 = 64 * 1024 * 1024;

/// Gives freed memory back to the system for ever.
pub async fn run() {
    loop {
        tokio::time::sleep(EVERY).await;
        if resident_bytes().is_some_and(|bytes| bytes > SMALL)
            && tokio::task::spawn_blocking(give_back_freed).await.is_err()
        {
            tracing::warn!("freed memory could not be given back");
        }
    }
}
