//! What is told about a request when it is over: one log line, two figures.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf as _;
use http::{Method, StatusCode, Uri};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;
use tracing::Span;

use super::activity::{BodyWatch, InFlight};
use super::body::ResponseBody;
use super::figures;
use super::request_id::RequestId;
use super::zero_copy::{Outgoing, Piece};

/// The name of the route that answered, for the figures. Put it into the extensions of a response; a raw path would let
/// clients invent any number of time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteLabel(pub &'static str);

/// Longer paths are cut in the log.
const LOGGED_PATH: usize = 512;

/// A request under way. Dropped with the last byte of its reply.
pub(crate) struct Record {
    pub(crate) id: RequestId,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) client: Option<IpAddr>,
    pub(crate) started: Instant,
    pub(crate) received: Arc<AtomicU64>,
    pub(crate) span: Span,
    pub(crate) access_log: Option<Arc<dyn AccessLog>>,
    pub(crate) _in_flight: InFlight,
}

/// What is told of a request when the last byte of its reply went, or nobody wants it any more.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'r> {
    /// Its id.
    pub id: &'r RequestId,
    /// The method, as the client gave it.
    pub method: &'r str,
    /// The path without its query, which may hold secrets; cut where it is very long.
    pub path: &'r str,
    /// The status of the reply.
    pub status: u16,
    /// Bytes of the request's body that were read.
    pub received: u64,
    /// Bytes of the reply's body that were handed to the connection.
    pub sent: u64,
    /// Whether that was all of it.
    pub is_complete: bool,
    /// From the head of the request on.
    pub took: Duration,
    /// Who asked; `None` on a Unix socket.
    pub client: Option<IpAddr>,
}

/// Writes a line about each request.
pub trait AccessLog: std::fmt::Debug + Send + Sync {
    /// Called once for each request, on a thread that answers others too: it may not wait.
    fn tell(&self, request: &Answered<'_>);
}

impl Record {
    /// Notes in the span, where there is one, how the request was answered.
    pub(crate) fn answered(&self, status: StatusCode, route: Option<RouteLabel>) {
        if self.span.is_none() {
            return;
        }
        self.span.record("http.response.status_code", status.as_u16());
        self.span.record("http.route", route.map_or("other", |label| label.0));
        if status.is_server_error() {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

/// The path without its query, which may hold secrets.
pub(crate) fn logged_path(uri: &Uri) -> &str {
    let path = uri.path();
    path.get(..LOGGED_PATH).unwrap_or(path)
}

/// Methods by name, but only those that exist: the method is a label of the figures.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The body of a reply, with the record that is closed when the body is.
pub(crate) struct RecordedBody {
    body: ResponseBody,
    record: Record,
    status: StatusCode,
    route: &'static str,
    sent: u64,
    complete: bool,
    ways: Ways,
}

/// What a body passes on its way out.
pub(crate) struct Ways {
    /// Who notes when it waits for a client of HTTP/2.
    pub(crate) watch: Option<Arc<BodyWatch>>,
    /// Where parts of files can be sent from without being read.
    pub(crate) outgoing: Option<Arc<Outgoing>>,
}

impl RecordedBody {
    pub(crate) fn new(
        body: ResponseBody,
        record: Record,
        status: StatusCode,
        route: Option<RouteLabel>,
        ways: Ways,
    ) -> Self {
        let route = route.map_or("other", |label| label.0);
        let complete = body.is_end_stream() || record.method == Method::HEAD;
        Self { body, record, status, route, sent: 0, complete, ways }
    }

    fn gave(&mut self, bytes: usize) -> std::io::Result<()> {
        self.sent += bytes as u64;
        let slow = self.ways.watch.as_ref().is_some_and(|watch| watch.gave(bytes).is_err());
        if slow { Err(std::io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl Body for RecordedBody {
    type Data = Piece;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Piece>>>> {
        let this = &mut *self;
        if let Some(watch) = &this.ways.watch {
            watch.asked();
        }
        let piece = ready!(this.body.poll_piece(cx, this.ways.outgoing.as_ref()));
        Poll::Ready(match piece {
            Some(Ok(piece)) => {
                this.complete = this.body.is_end_stream();
                Some(this.gave(piece.remaining()).map(|()| Frame::data(piece)))
            }
            Some(Err(error)) => {
                let id = &this.record.id;
                tracing::error!(parent: &this.record.span, request_id = %id, %error, "a reply was cut short");
                Some(Err(error))
            }
            None => {
                this.complete = true;
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RecordedBody {
    fn drop(&mut self) {
        let record = &self.record;
        let elapsed = record.started.elapsed();
        let method = method_label(&record.method);
        let status = self.status.as_u16();
        figures::count(method, self.route, status, elapsed);
        let Some(log) = &record.access_log else { return };
        log.tell(&Answered {
            id: &record.id,
            method: record.method.as_str(),
            path: logged_path(&record.uri),
            status,
            received: record.received.load(Ordering::Relaxed),
            sent: self.sent,
            is_complete: self.complete,
            took: elapsed,
            client: record.client,
        });
    }
}
