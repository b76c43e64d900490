//! What the server does when the operator sends a signal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// The signals that are listened to.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from here on: before the server says that it is ready, so that no signal ends it half way.
    pub fn listen() -> Result<Self, Failure> {
        let to = |kind| signal(kind).map_err(|error| Failure::doing("signals cannot be listened to", error));
        Ok(Self {
            terminate: to(SignalKind::terminate())?,
            interrupt: to(SignalKind::interrupt())?,
            hangup: to(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or SIGINT; another one ends the process at once. SIGHUP, which elsewhere means "read your files
    /// again", changes nothing.
    pub async fn stop(mut self, draining: Arc<AtomicBool>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.hangup.recv() => {
                    tracing::info!("SIGHUP: changed certificates are read without it, and other settings need a restart");
                }
            }
        }
        draining.store(true, Ordering::Release);
        tracing::info!("stopping: requests under way may finish");
        tokio::spawn(async move {
            tokio::select! { _ = self.terminate.recv() => {}, _ = self.interrupt.recv() => {} }
            #[allow(clippy::disallowed_methods, reason = "the operator asked a second time: at once means at once")]
            std::process::exit(3);
        });
    }
}
