//! The scrub: every stored blob is hashed again once in an interval, at a bounded rate.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth_domain::Domain;
use tokio::time::{Instant, sleep, sleep_until};

/// Blobs that are looked up at once.
const BATCH: u64 = 16;
/// How long to rest when nothing is due, or after a failure.
const REST: Duration = Duration::from_mins(1);

/// How to scrub.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Bytes per second at the most.
    pub rate: u64,
    /// Each blob once in so long.
    pub interval: Duration,
}

/// Scrubs for ever.
pub async fn run(domain: Arc<Domain>, pace: Pace) {
    loop {
        let mut brake = Brake { rate: pace.rate, free_at: Instant::now() };
        let scrubbed = domain.scrub(pace.interval, BATCH, &mut brake).await;
        match scrubbed {
            Ok((0, _)) => sleep(REST).await,
            Ok((count, damaged)) => note(count, damaged),
            Err(error) => {
                tracing::error!(%error, "the scrub failed; trying again");
                sleep(REST).await;
            }
        }
    }
}

/// Lets bytes through at a rate.
struct Brake {
    rate: u64,
    free_at: Instant,
}

#[async_trait]
impl berth_domain::verify::Pace for Brake {
    async fn hashed(&mut self, bytes: u64) {
        self.free_at += cost(bytes, self.rate);
        sleep_until(self.free_at).await;
    }
}

fn cost(bytes: u64, rate: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1))
}

fn note(count: u64, damaged: u64) {
    metrics::counter!("berth_scrubbed_blobs_total").increment(count);
    if damaged > 0 {
        tracing::error!(damaged, "the scrub found damaged blobs; they are quarantined: run `berth verify` for a list");
    }
}
