//! One connection of the pool while a function uses it.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};

/// A connection, and what is known of its state.
pub(super) struct Connection {
    pooled: Object,
    patience: Duration,
    in_doubt: AtomicBool,
}

impl Connection {
    pub(super) fn new(pooled: Object, patience: Duration) -> Self {
        Self { pooled, patience, in_doubt: AtomicBool::new(false) }
    }

    /// How long one statement is waited for: longer than the server itself gives it.
    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// Notes that an answer is outstanding or a transaction open.
    pub(super) fn doubt(&self) {
        self.in_doubt.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.in_doubt.load(Ordering::Relaxed)
    }

    /// Closes it instead of giving it back.
    pub(super) fn give_up(self) {
        drop(Object::take(self.pooled));
    }
}

impl Deref for Connection {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        &self.pooled
    }
}
