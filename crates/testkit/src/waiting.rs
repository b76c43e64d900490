//! Waiting for what must come to be, without saying how soon.

use std::time::{Duration, Instant};

/// How long a condition may take that a loaded machine delays.
const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until the condition holds; false if it does not in so long.
pub fn within(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Polls until the condition holds; fails the test with `what` if it never does.
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(PATIENCE, condition), "waited {PATIENCE:?} in vain: {what}");
}
