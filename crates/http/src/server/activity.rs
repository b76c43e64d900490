//! What goes on inside an HTTP/2 connection, where the socket alone does not tell.
//!
//! A client of HTTP/2 can keep its connection lively and yet never open the window of a stream. So every reply body
//! notes when it waits for the client, and the connection looks at these notes from time to time.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::rate::{RateMeter, TooSlow};

/// The requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    started: AtomicU64,
    in_flight: AtomicUsize,
    bodies: Mutex<Vec<Weak<BodyWatch>>>,
}

/// One request under way, from its head to the last byte of its reply.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Activity>);

impl Activity {
    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    pub(crate) fn watch_body(&self, rate: RateMeter) -> Arc<BodyWatch> {
        let watch = Arc::new(BodyWatch(Mutex::new(Watch { waiting_since: None, waited: Duration::ZERO, rate })));
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&watch));
        watch
    }

    /// A number that differs from the last one if any request was under way meanwhile; `None` while one is.
    pub(crate) fn rest(&self) -> Option<u64> {
        let resting = self.in_flight.load(Ordering::Relaxed) == 0;
        resting.then(|| self.started.load(Ordering::Relaxed))
    }

    /// Whether a reply has waited longer than this for the client.
    pub(crate) fn is_stalled(&self, longest: Duration) -> bool {
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        bodies.retain(|body| body.strong_count() > 0);
        bodies.iter().filter_map(Weak::upgrade).any(|body| body.waits_longer_than(longest))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Notes for whom a reply body waits.
#[derive(Debug)]
pub(crate) struct BodyWatch(Mutex<Watch>);

#[derive(Debug)]
struct Watch {
    waiting_since: Option<Instant>,
    waited: Duration,
    rate: RateMeter,
}

impl BodyWatch {
    /// The client has room for more.
    pub(crate) fn asked(&self) {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = watch.waiting_since.take() {
            watch.waited += since.elapsed();
        }
    }

    /// It was given so much, and we wait for it again.
    pub(crate) fn gave(&self, bytes: usize) -> Result<(), TooSlow> {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watch.waiting_since = Some(Instant::now());
        let waited = std::mem::take(&mut watch.waited);
        watch.rate.record(waited, bytes)
    }

    fn waits_longer_than(&self, longest: Duration) -> bool {
        let watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watch.waiting_since.is_some_and(|since| since.elapsed() > longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rest_is_told_from_work() {
        let activity = Arc::new(Activity::default());
        let first = activity.rest();
        assert_eq!(first, activity.rest());
        let request = activity.begin();
        assert_eq!(activity.rest(), None);
        drop(request);
        assert!(activity.rest().is_some() && activity.rest() != first);
    }

    #[tokio::test(start_paused = true)]
    async fn only_waiting_for_the_client_counts() {
        let activity = Activity::default();
        let body = activity.watch_body(RateMeter::new(1000, 3 * SECOND));
        tokio::time::advance(10 * SECOND).await;
        assert!(!activity.is_stalled(5 * SECOND));
        assert_eq!(body.gave(10), Ok(()));
        tokio::time::advance(4 * SECOND).await;
        assert!(!activity.is_stalled(5 * SECOND));
        tokio::time::advance(2 * SECOND).await;
        assert!(activity.is_stalled(5 * SECOND));
        body.asked();
        assert!(!activity.is_stalled(5 * SECOND));
        assert_eq!(body.gave(10), Err(TooSlow));
        drop(body);
        tokio::time::advance(10 * SECOND).await;
        assert!(!activity.is_stalled(SECOND));
    }
}
