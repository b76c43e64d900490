//! Garbage collection in the background.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth_domain::Domain;
use berth_domain::garbage::{Collector, Garbage};

/// The rest between two batches: pushes and pulls come first.
const REST: Duration = Duration::from_millis(50);

/// Collects for ever, with `interval` between.
pub async fn run(domain: Arc<Domain>, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        match domain.collect_garbage(false, &mut Quiet).await {
            Ok(collected) if collected.links + collected.blobs + collected.keys > 0 => {
                let (links, blobs, keys, bytes) = (collected.links, collected.blobs, collected.keys, collected.bytes);
                tracing::info!(links, blobs, keys, bytes, "garbage was collected");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "garbage collection failed; it goes on next time"),
        }
    }
}

/// Counts, and rests.
struct Quiet;

#[async_trait]
impl Collector for Quiet {
    fn garbage(&mut self, garbage: &Garbage) {
        match garbage {
            Garbage::Link { .. } => metrics::counter!("berth_gc_links_total").increment(1),
            Garbage::Blob { size, .. } => {
                metrics::counter!("berth_gc_blobs_total").increment(1);
                metrics::counter!("berth_gc_freed_bytes_total").increment(*size);
            }
            Garbage::Key { size, .. } => {
                metrics::counter!("berth_gc_keys_total").increment(1);
                metrics::counter!("berth_gc_freed_bytes_total").increment(*size);
            }
        }
    }

    async fn rest(&mut self) {
        tokio::time::sleep(REST).await;
    }
}
