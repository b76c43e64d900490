//! The scrub: every stored blob is hashed again once in an interval, at a bounded rate.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth_domain::Domain;
use tokio::time::{Instant, sleep, sleep_until};

/// Blobs that are looked up at once.
const BATCH: u64 = 100;
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
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate.max(1))
}

fn note(count: u64, damaged: u64) {
    metrics::counter!("berth_scrubbed_blobs_total").increment(count);
    if damaged > 0 {
        tracing::error!(damaged, "the scrub found damaged blobs; they are quarantined: run `berth verify` for a list");
    }
}

#[cfg(test)]
mod tests {
    use berth_domain::verify::Pace as _;

    use super::*;

    async fn hash(brake: &mut Brake, pieces: &[u64]) -> Duration {
        let begin = Instant::now();
        for bytes in pieces {
            brake.hashed(*bytes).await;
        }
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_kept_over_pieces_of_any_size() {
        for pieces in [vec![1 << 20; 10], vec![10 << 20], vec![1; 1000], vec![0, 0, 5 << 20, 1]] {
            let rate = 1 << 20;
            let mut brake = Brake { rate, free_at: Instant::now() };
            let spent = hash(&mut brake, &pieces).await;
            let bytes: u64 = pieces.iter().sum();
            assert!(spent + Duration::from_millis(1) >= cost(bytes, rate), "{bytes} bytes in {spent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_spent_on_hashing_is_not_waited_again() {
        let mut brake = Brake { rate: 1000, free_at: Instant::now() };
        sleep(Duration::from_secs(10)).await;
        assert_eq!(hash(&mut brake, &[5000]).await, Duration::ZERO);
    }

    #[test]
    fn a_rate_of_nothing_is_no_division_by_it() {
        assert_eq!(cost(3, 0), Duration::from_secs(3));
        assert_eq!(cost(u64::MAX, 1), Duration::from_nanos(u64::MAX));
    }
}
