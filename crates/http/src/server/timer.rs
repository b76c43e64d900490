//! A deadline that is moved on every request and almost never reached.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer whose deadline moves for free: the runtime's timer is touched only when the deadline comes nearer than it
/// was set to, or when it rings too early.
#[derive(Debug, Default)]
pub(crate) struct LazyTimer {
    sleep: Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
}

impl LazyTimer {
    pub(crate) fn set(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Ready once when the deadline is reached; pending for ever without one.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.deadline() < deadline {
            ready!(sleep.as_mut().poll(cx));
            sleep.as_mut().reset(deadline);
        }
        ready!(sleep.as_mut().poll(cx));
        self.deadline = None;
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_deadline_moves_both_ways() {
        let mut timer = LazyTimer::default();
        let start = Instant::now();
        for seconds in [5, 1, 7, 7] {
            let deadline = Instant::now() + Duration::from_secs(seconds);
            timer.set(Some(deadline));
            assert!(poll_fn(|cx| Poll::Ready(timer.poll(cx))).await.is_pending());
            timer.set(Some(deadline + Duration::from_secs(1)));
            poll_fn(|cx| timer.poll(cx)).await;
            assert_eq!(Instant::now(), deadline + Duration::from_secs(1));
        }
        assert_eq!(start.elapsed(), Duration::from_secs(24));
    }
}
