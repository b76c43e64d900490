//! One connection, from the handshake to the close.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::activity::Activity;
use super::client_certificate::ClientCertificate;
use super::encryption::Encryption;
use super::entrance::Entrance;
use super::guarded_io::{GuardedIo, IoLimits, Protocol};
use super::origin::ConnectionInfo;
use super::service::{ConnectionContext, RequestService, ServerContext};
use super::settings::ServerSettings;
use super::shutdown::{Phase, PhaseWatch};
use super::transport::Transport;
use super::zero_copy::FileSender;

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

/// A client that was let in, before it said anything.
pub(crate) struct Arrival {
    pub(crate) server: Arc<ServerContext>,
    pub(crate) entrance: Arc<Entrance>,
    pub(crate) transport: Transport,
    /// The peer's address; `None` for a Unix socket.
    pub(crate) peer: Option<IpAddr>,
    /// Whether many others were there when it came.
    pub(crate) is_crowded: bool,
    pub(crate) place: OwnedSemaphorePermit,
}

/// Serves a connection to its end.
pub(crate) async fn serve(arrival: Arrival, mut phase: PhaseWatch) {
    let connections = metrics::gauge!("berth_http_connections");
    connections.increment(1);
    let mut cut = phase.clone();
    tokio::select! {
        () = cut.reached(Phase::Cutting) => {}
        () = run(arrival, &mut phase) => {}
    }
    connections.decrement(1);
}

async fn run(arrival: Arrival, phase: &mut PhaseWatch) {
    let Some((transport, context)) = greet(arrival).await else { return };
    let settings = &context.server.settings;
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

/// What comes before the first request: who is behind a proxy, and the TLS handshake.
async fn greet(arrival: Arrival) -> Option<(Transport, Arc<ConnectionContext>)> {
    let Arrival { server, entrance, mut transport, mut peer, is_crowded, place } = arrival;
    let longest = server.settings.header_timeout;
    if let Transport::Tcp(stream) = &mut transport
        && entrance.asks_proxy(peer)
    {
        let behind = entrance.behind(stream, peer, longest).await;
        peer = behind.inspect_err(|error| tracing::debug!(?peer, %error, "a connection is closed")).ok()?;
    }
    let (mut outgoing, mut client, mut is_tls, mut encryption) = (None, None, false, None);
    let transport = match (&entrance.security, transport) {
        (Some(security), Transport::Tcp(stream)) => {
            let stream = handshake(security.acceptor(), stream, longest).await?;
            client = shown(&stream);
            (is_tls, encryption) = (true, Encryption::of(stream.get_ref().1));
            Transport::Tls(Box::new(stream))
        }
        (None, Transport::Tcp(stream)) => {
            let files = outgoing.insert(Arc::default());
            Transport::Files(FileSender::new(stream, Arc::clone(files)))
        }
        (_, transport) => transport,
    };
    let context = ConnectionContext {
        server,
        entrance,
        info: ConnectionInfo { peer, tls: is_tls, encryption },
        client,
        rejection: Arc::default(),
        activity: Arc::<Activity>::default(),
        outgoing,
        is_crowded,
        _place: place,
    };
    Some((transport, Arc::new(context)))
}

/// The certificate that the client showed.
fn shown(stream: &TlsStream<TcpStream>) -> Option<Arc<ClientCertificate>> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    ClientCertificate::read(certificate).map(Arc::new)
}

async fn handshake(acceptor: TlsAcceptor, stream: TcpStream, longest: Duration) -> Option<TlsStream<TcpStream>> {
    match timeout(longest, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
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
