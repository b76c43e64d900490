//! The body of a request, read in pieces as they come.

use std::error::Error as _;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use crate::server::rate::RateMeter;

/// Why a body could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// No byte came for the body timeout. Answer 408.
    #[error("the client sent no byte of the body for too long")]
    Timeout,
    /// Fewer bytes came than the minimum rate asks for. Answer 408.
    #[error("the client sends the body too slowly")]
    TooSlow,
    /// The connection or stream ended before the body did. What was read so far is good; nobody reads the answer.
    #[error("the client went away before the end of the body")]
    Disconnected,
    /// The framing is broken. Answer 400.
    #[error("the framing of the body is broken")]
    Malformed,
}

impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::Timeout | BodyError::TooSlow => io::ErrorKind::TimedOut,
            BodyError::Disconnected => io::ErrorKind::UnexpectedEof,
            BodyError::Malformed => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// The time limits of a body.
#[derive(Debug, Clone)]
pub(crate) struct BodyLimits {
    pub(crate) timeout: Duration,
    pub(crate) rate: RateMeter,
}

/// Where a body that was dropped unread is found again.
#[derive(Debug, Default)]
pub(crate) struct Leftover(Mutex<Option<RequestBody>>);

impl Leftover {
    fn put(&self, body: RequestBody) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    }

    /// The body that a handler dropped before its end, if it did.
    pub(crate) fn take(&self) -> Option<RequestBody> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The body of a request. The client is asked for more only while somebody waits in [`RequestBody::chunk`].
pub struct RequestBody {
    source: Source,
    declared: Option<u64>,
    received: Arc<AtomicU64>,
    polled: bool,
    limits: Option<BodyLimits>,
    waiting: Option<Waiting>,
    leftover: Option<Arc<Leftover>>,
}

enum Source {
    Client(Incoming),
    /// The lock is never taken; it makes the whole `Sync`, so that a handler may keep `&Request` over an await.
    Stream(Mutex<BoxStream<'static, io::Result<Bytes>>>),
    Ended,
}

/// After its time-out a body is looked at again in so long. A server that was held up itself hears of time before it hears of
/// bytes, and must not blame a client for that.
const SECOND_LOOK: Duration = Duration::from_millis(500);

struct Waiting {
    since: Instant,
    timeout: Pin<Box<Sleep>>,
    is_overdue: bool,
}

impl RequestBody {
    pub(crate) fn from_client(body: Incoming, limits: BodyLimits, leftover: Arc<Leftover>) -> Self {
        let declared = body.size_hint().exact();
        let ended = body.is_end_stream();
        let source = if ended { Source::Ended } else { Source::Client(body) };
        let mut body = Self::from_source(source, declared);
        body.limits = Some(limits);
        body.leftover = Some(leftover);
        body
    }

    /// A body of these bytes, with its length declared.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let declared = bytes.len() as u64;
        let pieces = (!bytes.is_empty()).then_some(Ok(bytes));
        let stream = futures_util::stream::iter(pieces).boxed();
        Self::from_source(Source::Stream(Mutex::new(stream)), Some(declared))
    }

    /// A body from anywhere; a stream that ends before the declared length counts as disconnected.
    pub fn from_stream(declared: Option<u64>, stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self::from_source(Source::Stream(Mutex::new(stream.boxed())), declared)
    }

    fn from_source(source: Source, declared: Option<u64>) -> Self {
        Self { source, declared, received: Arc::default(), polled: false, limits: None, waiting: None, leftover: None }
    }

    /// The length that the client declared; `None` for a chunked body, or a stream of HTTP/2 without a length.
    pub fn declared_length(&self) -> Option<u64> {
        self.declared
    }

    /// Bytes given out so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn received_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.received)
    }

    /// Whether everything was read, or an error ended it.
    pub fn is_ended(&self) -> bool {
        matches!(self.source, Source::Ended)
    }

    /// Whether anybody ever asked for a byte. Until then a client that expects `100 Continue` was not told to go on.
    pub(crate) fn was_polled(&self) -> bool {
        self.polled
    }

    /// The next bytes, never empty; `None` at the end. After an error the body is over.
    /// Dropping the returned future loses nothing.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, BodyError>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// The same for those who poll.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.polled = true;
        let result = match self.poll_source(cx) {
            Poll::Ready(result) => self.check(result),
            Poll::Pending => Some(Err(ready!(self.poll_timeout(cx)))),
        };
        if !matches!(result, Some(Ok(_))) {
            self.source = Source::Ended;
        }
        Poll::Ready(result)
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match &mut self.source {
            Source::Ended => Poll::Ready(None),
            Source::Client(body) => poll_data(body, cx),
            Source::Stream(stream) => loop {
                let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
                match ready!(stream.poll_next_unpin(cx)) {
                    Some(Ok(bytes)) if bytes.is_empty() => {}
                    Some(result) => return Poll::Ready(Some(result.map_err(|error| kind_of(&error)))),
                    None => return Poll::Ready(None),
                }
            },
        }
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let Some(limits) = &self.limits else { return Poll::Pending };
        let timeout = limits.timeout;
        let begun = || Waiting { since: Instant::now(), timeout: Box::pin(sleep(timeout)), is_overdue: false };
        let waiting = self.waiting.get_or_insert_with(begun);
        ready!(waiting.timeout.as_mut().poll(cx));
        if waiting.is_overdue {
            return Poll::Ready(BodyError::Timeout);
        }
        waiting.is_overdue = true;
        waiting.timeout.as_mut().reset(Instant::now() + SECOND_LOOK.min(timeout));
        waiting.timeout.as_mut().poll(cx).map(|()| BodyError::Timeout)
    }

    fn check(&mut self, result: Option<Result<Bytes, BodyError>>) -> Option<Result<Bytes, BodyError>> {
        let waited = self.waiting.take().map(|waiting| waiting.since.elapsed()).unwrap_or_default();
        match result {
            Some(Ok(bytes)) => {
                let received = self.received.fetch_add(bytes.len() as u64, Ordering::Relaxed) + bytes.len() as u64;
                if self.declared.is_some_and(|declared| received > declared) {
                    return Some(Err(BodyError::Malformed));
                }
                if self.limits.as_mut().is_some_and(|limits| limits.rate.record(waited, bytes.len()).is_err()) {
                    return Some(Err(BodyError::TooSlow));
                }
                Some(Ok(bytes))
            }
            None if !self.is_ended() && self.declared.is_some_and(|declared| self.received() < declared) => {
                Some(Err(BodyError::Disconnected))
            }
            other => other,
        }
    }
}

fn poll_data(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
    loop {
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(kind_of_hyper(&error)))),
            // Trailers have no meaning here, and an empty frame is no progress.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
                _ => {}
            },
        }
    }
}

fn kind_of_hyper(error: &hyper::Error) -> BodyError {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return kind_of(io);
        }
        source = cause.source();
    }
    if error.is_parse() { BodyError::Malformed } else { BodyError::Disconnected }
}

fn kind_of(error: &io::Error) -> BodyError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => BodyError::Malformed,
        io::ErrorKind::TimedOut => BodyError::Timeout,
        _ => BodyError::Disconnected,
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(leftover) = self.leftover.take() else { return };
        let source = std::mem::replace(&mut self.source, Source::Ended);
        if matches!(source, Source::Ended) {
            return;
        }
        let mut body = Self::from_source(source, self.declared);
        body.received = Arc::clone(&self.received);
        body.polled = self.polled;
        body.limits = self.limits.take();
        leftover.put(body);
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("declared", &self.declared)
            .field("received", &self.received())
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}
