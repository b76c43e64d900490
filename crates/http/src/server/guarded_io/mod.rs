//! The stream that hyper reads from and writes to: the bytes of a client, guarded.
//!
//! Reading: head bytes are held back until [`HeadGuard`] finds their head whole and right. In place of a head that is
//! wrong, or does not come in time, hyper gets a head of ours (see [`STAND_IN`]), so that the refusal goes out in its
//! turn after the replies to earlier requests, with a request id, a log line and all else that a reply has.
//! Bodies pass in the reader's own buffer, uncopied.
//! Writing: a client that takes nothing, or too little, is cut off.
//! Closing: a client that is still sending gets the time to read our reply (see [`linger`]).

mod linger;
mod writes;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use self::linger::Linger;
use self::writes::WriteWatch;
use super::figures;
use super::head_guard::{HeadGuard, Refusal};
use super::rate::RateMeter;
use super::timer::LazyTimer;

/// The method of the head that stands in for a refused one. A client may send it too: without a refusal on the
/// connection it is a method like any other.
pub(super) const STAND_IN_METHOD: &str = "BERTH-REFUSED";
const STAND_IN: &[u8] = b"BERTH-REFUSED / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n";

/// Why a connection gets an answer without a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    #[error(transparent)]
    Head(#[from] Refusal),
    #[error("the request head did not come in time")]
    Timeout,
}

impl Rejection {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Head(Refusal::HeadTooLarge) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Head(_) => StatusCode::BAD_REQUEST,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

/// Set once, by the stream, before the stand-in head is handed over.
pub(crate) type RejectionCell = Arc<OnceLock<Rejection>>;

/// What the stream enforces.
#[derive(Debug, Clone)]
pub(crate) struct IoLimits {
    pub(crate) max_header_bytes: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) rate: RateMeter,
}

/// What a connection turned out to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
    /// It ended, or nothing came in time.
    Nothing,
}

/// A guarded stream.
pub(crate) struct GuardedIo<T> {
    inner: T,
    guard: HeadGuard,
    /// Came, and was not released.
    held: BytesMut,
    /// Was released, and not handed over.
    ready: BytesMut,
    state: ReadState,
    rejection: RejectionCell,
    header_timeout: Duration,
    idle_timeout: Duration,
    timer: LazyTimer,
    waiting_for: Option<WaitingFor>,
    writes: WriteWatch,
    linger: Option<Linger>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReadState {
    Open,
    /// The client sends no more.
    PeerEnded,
    /// Nothing more is read from the client, though it may send.
    Closed,
    /// As `Closed`, and the reader of the body hears why.
    Broken(Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitingFor {
    FirstByte,
    RestOfHead,
    Anything,
}

impl<T: AsyncRead + AsyncWrite + Unpin> GuardedIo<T> {
    pub(crate) fn new(inner: T, limits: IoLimits, rejection: RejectionCell) -> Self {
        Self {
            inner,
            guard: HeadGuard::new(limits.max_header_bytes),
            held: BytesMut::new(),
            ready: BytesMut::new(),
            state: ReadState::Open,
            rejection,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            timer: LazyTimer::default(),
            waiting_for: None,
            writes: WriteWatch::new(limits.body_timeout, limits.rate),
            linger: None,
        }
    }

    /// Waits for the first whole head, or for the preface of HTTP/2.
    pub(crate) async fn protocol(&mut self) -> io::Result<Protocol> {
        poll_fn(|cx| {
            loop {
                if !self.ready.is_empty() {
                    let is_http2 = self.guard.is_http2();
                    return Poll::Ready(Ok(if is_http2 { Protocol::Http2 } else { Protocol::Http1 }));
                }
                if self.state != ReadState::Open {
                    return Poll::Ready(Ok(Protocol::Nothing));
                }
                match self.poll_held(cx) {
                    Poll::Ready(result) => result?,
                    Poll::Pending => ready!(self.poll_deadline(cx)),
                }
            }
        })
        .await
    }

    /// Reads behind what is held, and moves on what may be released.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; 4096];
        let mut buf = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf))?;
        self.note_received(buf.filled().len());
        self.held.extend_from_slice(buf.filled());
        let inspection = self.guard.inspect(&self.held);
        self.ready.unsplit(self.held.split_to(inspection.release));
        self.after_inspection(inspection.release, inspection.refusal);
        Poll::Ready(Ok(()))
    }

    /// Reads into the reader's buffer, and takes out again what may not be released.
    fn poll_direct(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let fresh = &buf.filled()[before..];
        self.note_received(fresh.len());
        let inspection = self.guard.inspect(fresh);
        self.held.extend_from_slice(&fresh[inspection.release..]);
        buf.set_filled(before + inspection.release);
        self.after_inspection(inspection.release, inspection.refusal);
        Poll::Ready(Ok(()))
    }

    fn note_received(&mut self, count: usize) {
        figures::received(count);
        if count == 0 {
            self.state = ReadState::PeerEnded;
        }
    }

    fn after_inspection(&mut self, released: usize, refusal: Option<Refusal>) {
        if released > 0 {
            self.waiting_for = None;
        }
        if let Some(refusal) = refusal {
            if self.guard.is_in_body() {
                tracing::debug!(%refusal, "the body of a request is refused");
                self.state = ReadState::Broken(refusal);
            } else {
                self.reject(refusal.into());
            }
        }
    }

    /// Puts the stand-in in place of the head that is not to come.
    fn reject(&mut self, rejection: Rejection) {
        let _ = self.rejection.set(rejection);
        self.held.clear();
        self.ready.extend_from_slice(STAND_IN);
        self.state = ReadState::Closed;
    }

    fn hand_over(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let count = self.ready.len().min(buf.remaining());
        buf.put_slice(&self.ready[..count]);
        self.ready.advance(count);
        if self.ready.is_empty() {
            self.ready = BytesMut::new();
        }
        count > 0
    }

    /// Ready when the state has changed because the time was over.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waiting_for = self.awaited();
        if self.waiting_for != Some(waiting_for) {
            self.waiting_for = Some(waiting_for);
            let now = Instant::now();
            self.timer.set(match waiting_for {
                WaitingFor::FirstByte => now.checked_add(self.idle_timeout),
                WaitingFor::RestOfHead => now.checked_add(self.header_timeout),
                WaitingFor::Anything => None,
            });
        }
        ready!(self.timer.poll(cx));
        match waiting_for {
            WaitingFor::RestOfHead => self.reject(Rejection::Timeout),
            // Hyper waits for the next request while it still sends a reply; the write watch judges that.
            WaitingFor::FirstByte if self.writes.is_blocked() => {
                self.waiting_for = None;
                return self.poll_deadline(cx);
            }
            _ => self.state = ReadState::Closed,
        }
        Poll::Ready(())
    }

    fn awaited(&self) -> WaitingFor {
        if !self.guard.expects_head() {
            return WaitingFor::Anything;
        }
        // One empty line between requests is no head yet.
        if self.held.is_empty() || self.held[..] == b"\r\n"[..] {
            WaitingFor::FirstByte
        } else {
            WaitingFor::RestOfHead
        }
    }

    /// Whether the client may be in the middle of sending something that nobody will read.
    fn client_may_be_sending(&self) -> bool {
        let in_the_middle = !self.guard.expects_head() || !self.held.is_empty() || self.rejection.get().is_some();
        self.state != ReadState::PeerEnded && !self.guard.is_http2() && in_the_middle
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for GuardedIo<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        loop {
            if this.hand_over(buf) || buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            match this.state {
                ReadState::Open => {}
                ReadState::PeerEnded | ReadState::Closed => return Poll::Ready(Ok(())),
                ReadState::Broken(refusal) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refusal)));
                }
            }
            let read = if this.held.is_empty() { this.poll_direct(cx, buf) } else { this.poll_held(cx) };
            match read {
                Poll::Ready(result) => result?,
                Poll::Pending => ready!(this.poll_deadline(cx)),
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> GuardedIo<T> {
    fn wrote(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = result {
            figures::sent(count);
        }
        self.writes.judge(cx, result)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.wrote(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.wrote(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx).map_ok(|()| 0);
        self.wrote(cx, result).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            let result = Pin::new(&mut this.inner).poll_shutdown(cx).map_ok(|()| 0);
            ready!(this.wrote(cx, result))?;
            if !this.client_may_be_sending() {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = this.linger.get_or_insert_with(Linger::new);
        linger.poll(&mut this.inner, cx).map(Ok)
    }
}
