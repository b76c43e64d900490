//! One connection, from the handshake to the close.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;

use super::guarded_io::{GuardedIo, IoLimits, Protocol};
use super::service::{ConnectionContext, RequestService};
use super::settings::ServerSettings;
use super::shutdown::{Phase, PhaseWatch};
use super::transport::Transport;

/// What hyper may buffer of a body in either direction; a larger block of a file goes out by itself. It also must hold a whole
/// head. Each piece of an upload changes threads, so few and large ones cost less.
const HTTP1_BUFFER: usize = 256 * 1024;
/// The same in a crowd. A thousand uploads that wait for the disk hold about twice this each.
const HTTP1_BUFFER_IN_A_CROWD: usize = 64 * 1024;
const HTTP2_SEND_BUFFER: usize = 256 * 1024;
const HTTP2_STREAMS: u32 = 256;
const HTTP2_STREAM_WINDOW: u32 = 1024 * 1024;
const HTTP2_CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// Streams that a client may open and reset before we have looked at them (CVE-2023-44487).
const HTTP2_PENDING_RESETS: usize = 32;
/// Streams that a client may make us reset by its mistakes (CVE-2025-8671).
const HTTP2_LOCAL_RESETS: usize = 256;
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long an idle client of HTTP/2 may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

type Io = GuardedIo<Transport>;

/// Serves a connection to its end.
pub(crate) async fn serve(
    transport: Transport,
    tls: Option<TlsAcceptor>,
    context: Arc<ConnectionContext>,
    mut phase: PhaseWatch,
) {
    let connections = metrics::gauge!("berth_http_connections");
    connections.increment(1);
    let mut cut = phase.clone();
    tokio::select! {
        () = cut.reached(Phase::Cutting) => {}
        () = run(transport, tls, context, &mut phase) => {}
    }
    connections.decrement(1);
}

async fn run(transport: Transport, tls: Option<TlsAcceptor>, context: Arc<ConnectionContext>, phase: &mut PhaseWatch) {
    let settings = &context.server.settings;
    let Some(transport) = secured(transport, tls, settings.header_timeout).await else { return };
    let limits = IoLimits {
        max_header_bytes: settings.max_header_bytes,
        header_timeout: settings.header_timeout,
        idle_timeout: settings.idle_timeout,
        body_timeout: settings.body_timeout,
        rate: context.server.rate(),
    };
    let mut io = GuardedIo::new(transport, limits, Arc::clone(&context.rejection));
    let protocol = tokio::select! {
        protocol = io.protocol() => protocol,
        () = phase.reached(Phase::Draining) => return,
    };
    match protocol {
        Ok(Protocol::Http1) => serve_http1(io, context, phase).await,
        Ok(Protocol::Http2) => serve_http2(io, context, phase).await,
        Ok(Protocol::Nothing) => {}
        Err(error) => tracing::debug!(%error, "a connection failed before its first request"),
    }
}

/// The TLS handshake, where there is one.
async fn secured(transport: Transport, tls: Option<TlsAcceptor>, longest: Duration) -> Option<Transport> {
    match (tls, transport) {
        (Some(acceptor), Transport::Tcp(stream)) => handshake(acceptor, stream, longest).await,
        (_, transport) => Some(transport),
    }
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream, longest: Duration) -> Option<Transport> {
    match timeout(longest, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(Transport::Tls(Box::new(stream))),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake did not end in time");
            None
        }
    }
}

async fn serve_http1(io: Io, context: Arc<ConnectionContext>, phase: &mut PhaseWatch) {
    let settings = &context.server.settings;
    let buffer = if context.is_crowded { HTTP1_BUFFER_IN_A_CROWD } else { HTTP1_BUFFER };
    let buffer = buffer.max(settings.max_header_bytes.saturating_add(16 * 1024));
    let connection = http1::Builder::new()
        // The guarded stream has the time-outs; hyper's would only come second.
        .header_read_timeout(None)
        // A client may close its direction after its request and still read the reply.
        .half_close(true)
        .max_buf_size(buffer)
        .serve_connection(TokioIo::new(io), RequestService(context));
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = phase.reached(Phase::Draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

async fn serve_http2(io: Io, context: Arc<ConnectionContext>, phase: &mut PhaseWatch) {
    let activity = Arc::clone(&context.activity);
    let settings = context.server.settings.clone();
    let connection = http2_builder(&settings).serve_connection(TokioIo::new(io), RequestService(context));
    let mut connection = pin!(connection);
    let mut ticks = interval(tick(&settings));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ending = false;
    let mut rest = (activity.rest(), Instant::now());
    loop {
        tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%error, "a connection ended with an error");
                }
                return;
            }
            () = phase.reached(Phase::Draining), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
            _ = ticks.tick() => {}
        }
        if activity.is_stalled(settings.body_timeout) {
            tracing::debug!("a client of HTTP/2 does not read; its connection is cut");
            return;
        }
        let now = activity.rest();
        if now.is_none() || now != rest.0 {
            rest = (now, Instant::now());
        }
        let longest = if ending { GOODBYE.min(settings.idle_timeout) } else { settings.idle_timeout };
        if rest.1.elapsed() < longest || rest.0.is_none() {
            continue;
        }
        if ending {
            return;
        }
        ending = true;
        rest.1 = Instant::now();
        connection.as_mut().graceful_shutdown();
    }
}

/// How often a connection of HTTP/2 is looked at.
fn tick(settings: &ServerSettings) -> Duration {
    let shortest = settings.body_timeout.min(settings.idle_timeout);
    (shortest / 4).clamp(Duration::from_millis(50), Duration::from_secs(5))
}

fn http2_builder(settings: &ServerSettings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(settings.max_header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(HTTP2_PENDING_RESETS)
        .max_local_error_reset_streams(HTTP2_LOCAL_RESETS)
        .max_send_buf_size(HTTP2_SEND_BUFFER)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
