//! The figures of requests. Each thread keeps the handles that it has used: looking one up by its labels takes longer than
//! all that it counts.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use metrics::{Counter, Histogram};

/// A method and a route, both from short lists of ours, and a status.
type Kind = (&'static str, &'static str, u16);

thread_local! {
    static KNOWN: RefCell<HashMap<Kind, Handles>> = RefCell::default();
}

struct Handles {
    requests: Counter,
    duration: Histogram,
}

/// Counts a request that is over.
pub(super) fn count(method: &'static str, route: &'static str, status: u16, took: Duration) {
    KNOWN.with_borrow_mut(|known| {
        let handles = known.entry((method, route, status)).or_insert_with(|| Handles::of(method, route, status));
        handles.requests.increment(1);
        handles.duration.record(took.as_secs_f64());
    });
}

impl Handles {
    fn of(method: &'static str, route: &'static str, status: u16) -> Self {
        let status = status.to_string();
        Self {
            requests: metrics::counter!("berth_http_requests_total", "method" => method, "route" => route, "status" => status),
            duration: metrics::histogram!("berth_http_request_duration_seconds", "method" => method, "route" => route),
        }
    }
}
