//! Clients that do not read.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::server::rate::RateMeter;
use crate::server::timer::LazyTimer;

/// Watches writes that the socket does not take, because the client does not make room.
#[derive(Debug)]
pub(super) struct WriteWatch {
    timeout: Duration,
    meter: RateMeter,
    blocked_since: Option<Instant>,
    timer: LazyTimer,
}

impl WriteWatch {
    /// A write may be blocked for so long; over longer times the meter judges.
    pub(super) fn new(timeout: Duration, meter: RateMeter) -> Self {
        Self { timeout, meter, blocked_since: None, timer: LazyTimer::default() }
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }

    /// Turns the result of a write into an error where the client was too slow.
    pub(super) fn judge(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(count)) => Poll::Ready(self.moved(count)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.blocked(cx),
        }
    }

    fn moved(&mut self, count: usize) -> io::Result<usize> {
        let waited = self.blocked_since.take().map(|since| since.elapsed()).unwrap_or_default();
        self.timer.set(None);
        match self.meter.record(waited, count) {
            Ok(()) => Ok(count),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly")),
        }
    }

    fn blocked(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.blocked_since.is_none() {
            let now = Instant::now();
            self.blocked_since = Some(now);
            self.timer.set(now.checked_add(self.timeout));
        }
        self.timer.poll(cx).map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}
