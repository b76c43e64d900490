//! The figures of requests. Each thread counts for itself, as counters that all threads share cost more than all else that is
//! done for a figure; [`settle`] brings together what they have, before figures are shown.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Durations that a thread keeps at most.
const KEPT: usize = 1024;

/// A method and a route, both from short lists of ours, and a status.
type Kind = (&'static str, &'static str, u16);

/// What one thread counted since the last time.
#[derive(Default)]
struct Share {
    durations: Mutex<HashMap<Kind, Vec<Duration>>>,
    received: AtomicU64,
    sent: AtomicU64,
}

/// Those of all threads; [`settle`] takes away what a thread that ended left.
static SHARES: Mutex<Vec<Arc<Share>>> = Mutex::new(Vec::new());

thread_local! {
    static SHARE: Arc<Share> = {
        let share = Arc::<Share>::default();
        lock(&SHARES).push(Arc::clone(&share));
        share
    };
}

/// Counts a request that is over.
pub(super) fn count(method: &'static str, route: &'static str, status: u16, took: Duration) {
    SHARE.with(|share| {
        let mut durations = lock(&share.durations);
        let kept = durations.entry((method, route, status)).or_default();
        kept.push(took);
        if kept.len() >= KEPT {
            tell((method, route, status), kept);
        }
    });
}

/// Counts bytes that came from clients.
pub(super) fn received(bytes: usize) {
    SHARE.with(|share| share.received.fetch_add(bytes as u64, Ordering::Relaxed));
}

/// Counts bytes that went to clients.
pub(super) fn sent(bytes: usize) {
    SHARE.with(|share| share.sent.fetch_add(bytes as u64, Ordering::Relaxed));
}

/// Hands on to the recorder of figures what all threads have counted. To be called from time to time, whether there is a
/// recorder or not.
pub fn settle() {
    let shares = lock(&SHARES).clone();
    for share in shares {
        share.settle();
    }
    lock(&SHARES).retain(|share| Arc::strong_count(share) > 1 || !share.is_settled());
}

impl Share {
    fn settle(&self) {
        for (kind, kept) in lock(&self.durations).iter_mut() {
            tell(*kind, kept);
        }
        metrics::counter!("berth_http_received_bytes_total").increment(self.received.swap(0, Ordering::Relaxed));
        metrics::counter!("berth_http_sent_bytes_total").increment(self.sent.swap(0, Ordering::Relaxed));
    }

    fn is_settled(&self) -> bool {
        let bytes = self.received.load(Ordering::Relaxed) + self.sent.load(Ordering::Relaxed);
        bytes == 0 && lock(&self.durations).values().all(Vec::is_empty)
    }
}

fn tell((method, route, status): Kind, durations: &mut Vec<Duration>) {
    let status = status.to_string();
    metrics::counter!("berth_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(durations.len() as u64);
    let histogram = metrics::histogram!("berth_http_request_duration_seconds", "method" => method, "route" => route);
    durations.drain(..).for_each(|took| histogram.record(took.as_secs_f64()));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_ended_leave_nothing() {
        for _ in 0..100 {
            let counted = std::thread::spawn(|| {
                count("GET", "test", 200, Duration::from_millis(1));
                sent(1);
                SHARE.with(Arc::downgrade)
            });
            let share = counted.join().unwrap();
            assert!(share.upgrade().is_some_and(|share| !share.is_settled()));
            settle();
            assert!(share.upgrade().is_none());
        }
    }
}
