//! Closing while the client still sends.
//!
//! A socket that is closed with unread bytes resets the connection, and the reset can destroy our reply before the
//! client has read it: a `docker push` that is refused with 401 or 413 would see a broken pipe instead. So the reply is
//! followed by the end of our direction, and what still comes is thrown away for a while.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use crate::server::timer::LazyTimer;

/// A client that sends nothing for so long has seen the reply.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// After so long we have been patient enough.
const LONGEST: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 256 * 1024 * 1024;
/// Bytes thrown away before other tasks get their turn.
const TURN: usize = 1024 * 1024;

/// Throws away what a client sends.
#[derive(Debug)]
pub(super) struct Linger {
    end: Instant,
    bytes_left: usize,
    timer: LazyTimer,
}

impl Linger {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let mut timer = LazyTimer::default();
        timer.set(Some(now + LONGEST_PAUSE));
        Self { end: now + LONGEST, bytes_left: MOST_BYTES, timer }
    }

    /// Ready when the connection may be closed.
    pub(super) fn poll(&mut self, stream: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 16 * 1024];
        let mut turn = TURN;
        loop {
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                Poll::Pending => return self.timer.poll(cx),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) if buf.filled().is_empty() => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {
                    let count = buf.filled().len();
                    self.bytes_left = self.bytes_left.saturating_sub(count);
                    turn = turn.saturating_sub(count);
                }
            }
            let now = Instant::now();
            if self.bytes_left == 0 || now >= self.end {
                return Poll::Ready(());
            }
            self.timer.set(Some(self.end.min(now + LONGEST_PAUSE)));
            if turn == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}
