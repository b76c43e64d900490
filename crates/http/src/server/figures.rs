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

/// Those of all threads. Threads of the runtime are few, and one that ended leaves a few hundred bytes.
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

/// Hands on to the recorder of figures what all threads have counted.
pub fn settle() {
    let shares = lock(&SHARES).clone();
    for share in shares {
        for (kind, kept) in lock(&share.durations).iter_mut() {
            tell(*kind, kept);
        }
        metrics::counter!("berth_http_received_bytes_total").increment(share.received.swap(0, Ordering::Relaxed));
        metrics::counter!("berth_http_sent_bytes_total").increment(share.sent.swap(0, Ordering::Relaxed));
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
