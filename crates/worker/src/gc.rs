//! Garbage collection in the background.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth_domain::Domain;
use berth_domain::garbage::{Collected, Collector, Garbage, Step};

/// The rest between two batches: pushes and pulls come first.
const REST: Duration = Duration::from_millis(15);
/// The rest after a failure.
const RECOVERY: Duration = Duration::from_secs(5);
/// How long a node sleeps at most: another one may have begun the next round meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// Takes part for ever in the rounds that all nodes share, `interval` between their beginnings.
pub async fn run(domain: Arc<Domain>, interval: Duration) {
    let mut taken = Collected::default();
    loop {
        match domain.collect_step(interval, &mut Counting).await {
            Ok(Step::Went(collected)) => taken += collected,
            Ok(Step::Ended(collected)) => {
                taken += collected;
                metrics::counter!("berth_gc_rounds_total").increment(1);
            }
            Ok(Step::Wait(rest)) => {
                tell(std::mem::take(&mut taken));
                tokio::time::sleep(rest.min(LONGEST_SLEEP)).await;
            }
            Err(error) => {
                tracing::error!(%error, "garbage collection failed; the next round takes what is left");
                tokio::time::sleep(RECOVERY).await;
            }
        }
    }
}

/// Says what this node took in a round.
fn tell(taken: Collected) {
    if taken != Collected::default() {
        let Collected { links, blobs, keys, bytes, multiparts } = taken;
        tracing::info!(links, blobs, keys, bytes, multiparts, "garbage was collected");
    }
}

/// Counts what goes.
struct Counting;

#[async_trait]
impl Collector for Counting {
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
            Garbage::Multipart { .. } => metrics::counter!("berth_gc_multiparts_total").increment(1),
        }
    }

    async fn rest(&mut self) {
        tokio::time::sleep(REST).await;
    }
}
