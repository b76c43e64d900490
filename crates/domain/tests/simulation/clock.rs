//! Time and randomness of a simulated run.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use berth_store::{Clock, Random, Timestamp};

use crate::chaos::Chaos;

/// The time of all nodes. It moves when the scheduler says so.
pub struct SimulatedClock(AtomicI64);

impl SimulatedClock {
    pub fn new() -> Self {
        Self(AtomicI64::new(1_700_000_000_000))
    }

    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Keys and ids from the run's own generator.
pub struct SimulatedRandom(pub Arc<Chaos>);

impl Random for SimulatedRandom {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0.bytes(bytes.len()));
    }
}
