//! From a request as hyper has it to a reply.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span};

use super::activity::Activity;
use super::body::{BodyLimits, Leftover, RequestBody, ResponseBody};
use super::client_certificate::ClientCertificate;
use super::entrance::Entrance;
use super::guarded_io::{Rejection, RejectionCell, STAND_IN_METHOD};
use super::origin::{ClientOrigin, ConnectionInfo, is_trusted};
use super::rate::RateMeter;
use super::record::{Record, RecordedBody, RouteLabel, Ways, logged_path, method_label};
use super::request_id::{REQUEST_ID, RequestId, RequestIds, given};
use super::settings::ServerSettings;
use super::zero_copy::Outgoing;

/// An unread body up to here is read to its end, so that the connection can go on.
const DRAINED_BYTES: u64 = 64 * 1024;
/// A client that has not sent such a small rest by then loses its connection after the reply.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// What all connections of a server share.
pub(crate) struct ServerContext {
    pub(crate) settings: ServerSettings,
    pub(crate) request_ids: RequestIds,
}

impl ServerContext {
    pub(crate) fn rate(&self) -> RateMeter {
        RateMeter::new(self.settings.minimum_rate, self.settings.rate_window)
    }
}

/// One connection, as its requests see it. Whoever holds it holds the connection's place among `max_connections`.
pub(crate) struct ConnectionContext {
    pub(crate) server: Arc<ServerContext>,
    pub(crate) entrance: Arc<Entrance>,
    /// Whom the client's certificate names, where it showed one.
    pub(crate) client: Option<Arc<ClientCertificate>>,
    pub(crate) info: ConnectionInfo,
    pub(crate) rejection: RejectionCell,
    pub(crate) activity: Arc<Activity>,
    /// Where parts of files wait for the kernel to send them, if the connection is one that it can send on.
    pub(crate) outgoing: Option<Arc<Outgoing>>,
    /// Whether many others were there when it came.
    pub(crate) is_crowded: bool,
    pub(crate) _place: OwnedSemaphorePermit,
}

/// The service that hyper calls.
pub(crate) struct RequestService(pub(crate) Arc<ConnectionContext>);

impl hyper::service::Service<Request<Incoming>> for RequestService {
    type Response = Response<RecordedBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let connection = Arc::clone(&self.0);
        Box::pin(async move { Ok(connection.answer(request).await) })
    }
}

impl ConnectionContext {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<RecordedBody> {
        let (mut parts, incoming) = request.into_parts();
        let leftover = Arc::<Leftover>::default();
        let limits = BodyLimits { timeout: self.server.settings.body_timeout, rate: self.server.rate() };
        let body = RequestBody::from_client(incoming, limits, Arc::clone(&leftover));
        let record = self.record(&mut parts, &body);
        let is_http1 = parts.version < Version::HTTP_2;
        let expects = parts.headers.contains_key(EXPECT);

        let mut response = match self.rejection.get() {
            Some(rejection) if is_stand_in(&parts.method) => refusal(*rejection),
            _ => {
                let request = Request::from_parts(parts, body);
                Arc::clone(&self).handle(request, record.id.clone(), record.span.clone()).await
            }
        };
        if is_http1 && !settle(leftover.take(), expects).await {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.recorded(response, record, is_http1)
    }

    /// Names the request, and says in its extensions where it comes from.
    fn record(&self, parts: &mut http::request::Parts, body: &RequestBody) -> Record {
        let settings = &self.server.settings;
        let proxies = &self.entrance.trusted_proxies;
        let trusted = is_trusted(proxies, self.info.peer);
        let id = trusted.then(|| given(&parts.headers)).flatten().unwrap_or_else(|| self.server.request_ids.next());
        let origin = ClientOrigin::find(self.info, &parts.headers, proxies, self.entrance.public_url.as_deref());
        let record = Record {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            client: origin.address,
            started: Instant::now(),
            received: body.received_counter(),
            span: settings.span(&id, parts),
            access_log: settings.access_log.clone(),
            _in_flight: self.activity.begin(),
            id: id.clone(),
        };
        parts.extensions.insert(id);
        parts.extensions.insert(self.info);
        parts.extensions.insert(origin);
        if let Some(name) = &self.entrance.name {
            parts.extensions.insert(name.clone());
        }
        if let Some(client) = &self.client {
            parts.extensions.insert(Arc::clone(client));
        }
        record
    }

    /// Runs the handler. What may change something runs in a task of its own: it comes to its end even if the client
    /// goes away, and sees the broken body instead of vanishing in the middle of a step.
    async fn handle(
        self: Arc<Self>,
        request: Request<RequestBody>,
        id: RequestId,
        span: Span,
    ) -> Response<ResponseBody> {
        let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let handler = Arc::clone(&self.entrance.handler);
        let work = AssertUnwindSafe(async move { handler.call(request).await }).catch_unwind();
        let work = id.scope(async move {
            let done = work.await;
            drop(self);
            done.unwrap_or_else(|panic| panicked(&*panic))
        });
        if !changes {
            return work.instrument(span).await;
        }
        tokio::spawn(work.instrument(span)).await.unwrap_or_else(|_| internal_error())
    }

    fn recorded(&self, response: Response<ResponseBody>, record: Record, is_http1: bool) -> Response<RecordedBody> {
        let (mut parts, body) = response.into_parts();
        if let Some(id) = record.id.header() {
            parts.headers.insert(REQUEST_ID, id);
        }
        let watched = !is_http1 && !body.is_end_stream();
        let watch = watched.then(|| self.activity.watch_body(self.server.rate()));
        let route = parts.extensions.get::<RouteLabel>().copied();
        record.answered(parts.status, route);
        // The frames of HTTP/2 are made of bytes that were read.
        let outgoing = self.outgoing.clone().filter(|_| is_http1);
        let body = RecordedBody::new(body, record, parts.status, route, Ways { watch, outgoing });
        Response::from_parts(parts, body)
    }
}

impl ServerSettings {
    /// The span of a request where requests are traced, in the words of OpenTelemetry's conventions. Empty fields are filled
    /// in when it is answered.
    fn span(&self, id: &RequestId, parts: &http::request::Parts) -> Span {
        let Some(continue_trace) = self.continue_trace else { return Span::none() };
        let span = tracing::info_span!(
            "request",
            request_id = %id,
            otel.kind = "server",
            otel.status_code = tracing::field::Empty,
            http.request.method = method_label(&parts.method),
            http.route = tracing::field::Empty,
            url.path = logged_path(&parts.uri),
            http.response.status_code = tracing::field::Empty,
            berth.repository = tracing::field::Empty,
        );
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        text("traceparent").inspect(|parent| continue_trace(parent, text("tracestate"), &span));
        span
    }
}

/// Deals with a body that the handler left unread. Says whether the connection can go on.
async fn settle(leftover: Option<RequestBody>, expects: bool) -> bool {
    let Some(mut body) = leftover else { return true };
    // Reading now would tell the client to send what nobody wants.
    let was_never_asked_for = expects && !body.was_polled();
    let rest = body.declared_length().map_or(0, |length| length.saturating_sub(body.received()));
    if was_never_asked_for || rest > DRAINED_BYTES {
        return false;
    }
    let end = body.received() + DRAINED_BYTES;
    let drain = async {
        while body.received() <= end {
            match body.chunk().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return false,
                None => return true,
            }
        }
        false
    };
    timeout(DRAIN_TIME, drain).await.unwrap_or(false)
}

fn is_stand_in(method: &Method) -> bool {
    method.as_str() == STAND_IN_METHOD
}

fn refusal(rejection: Rejection) -> Response<ResponseBody> {
    tracing::debug!(%rejection, "a request is refused");
    plain(rejection.status(), format!("{rejection}\n"))
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Response<ResponseBody> {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of unknown kind"), "the handler of a request panicked");
    internal_error()
}

fn internal_error() -> Response<ResponseBody> {
    plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n".to_owned())
}

fn plain(status: StatusCode, text: String) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
