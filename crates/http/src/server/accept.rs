//! Taking connections, and turning away those that are too many.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::connection::{self, Arrival};
use super::entrance::Entrance;
use super::listener::Listener;
use super::request_id::RequestId;
use super::service::ServerContext;
use super::shutdown::{Phase, PhaseWatch};
use super::transport::Transport;

/// How long nothing is accepted when the process is out of file descriptors or memory.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);
/// Connections that are told why they are turned away, at a time; those beyond are just closed.
const POLITE_REFUSALS: usize = 64;
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// From so many connections on, each new one gets a share of [`WINDOWS`].
const MANY: usize = 64;
/// What the kernel may keep of bodies on their way in, and again of those on their way out, for all connections beyond the first ones,
/// about. Left alone it takes up to 32 MiB for each that sends fast, and 4 MiB for each that reads slowly. A thousand of them
/// then use up what the machine has for all of TCP; packets are dropped, and everybody waits for seconds.
const WINDOWS: usize = 128 * 1024 * 1024;
/// The least that a connection gets.
const LEAST_WINDOW: usize = 64 * 1024;
const FULL: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 21\r\nRetry-After: 5\r\nConnection: close\r\nX-Request-Id: ";
const FULL_BODY: &str = "\r\n\r\ntoo many connections\n";

/// Takes connections from one or more listeners.
pub(crate) struct Acceptor {
    pub(crate) server: Arc<ServerContext>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) refusals: Arc<Semaphore>,
    pub(crate) phase: PhaseWatch,
}

impl Acceptor {
    pub(crate) fn polite_refusals() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(POLITE_REFUSALS))
    }

    /// Accepts until the server drains; the listener is closed then.
    pub(crate) async fn run(self: Arc<Self>, listener: Listener, entrance: Arc<Entrance>) {
        let mut phase = self.phase.clone();
        loop {
            tokio::select! {
                () = phase.reached(Phase::Draining) => return,
                accepted = listener.accept() => match accepted {
                    Ok((transport, peer)) => self.admit(&entrance, transport, peer),
                    Err(error) if belongs_to_one_client(&error) => tracing::debug!(%error, "a client went at once"),
                    Err(error) => {
                        tracing::warn!(%error, "no connection can be accepted; trying again soon");
                        sleep(EXHAUSTED_PAUSE).await;
                    }
                },
            }
        }
    }

    fn admit(&self, entrance: &Arc<Entrance>, transport: Transport, peer: Option<IpAddr>) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return self.turn_away(entrance, transport);
        };
        if let Transport::Tcp(stream) = &transport {
            self.bound_windows(stream);
        }
        let arrival = Arrival {
            server: Arc::clone(&self.server),
            entrance: Arc::clone(entrance),
            transport,
            peer,
            is_crowded: self.open() >= MANY,
            place,
        };
        tokio::spawn(connection::serve(arrival, self.phase.clone()));
    }

    /// How many connections there are.
    fn open(&self) -> usize {
        self.server.settings.max_connections.saturating_sub(self.places.available_permits())
    }

    fn bound_windows(&self, stream: &TcpStream) {
        let open = self.open();
        if open < MANY {
            return;
        }
        let window = (WINDOWS / open).max(LEAST_WINDOW);
        let bounded = sockopt::set_socket_recv_buffer_size(stream, window)
            .and_then(|()| sockopt::set_socket_send_buffer_size(stream, window));
        if let Err(error) = bounded {
            tracing::debug!(%error, "the windows of a connection stay as they are");
        }
    }

    fn turn_away(&self, entrance: &Entrance, transport: Transport) {
        metrics::counter!("berth_http_connections_refused_total").increment(1);
        let id = self.server.request_ids.next();
        tracing::debug!(request_id = %id, "a connection is turned away: too many");
        let speaks_plainly = entrance.security.is_none() || matches!(transport, Transport::Unix(_));
        if !speaks_plainly {
            return;
        }
        if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
            tokio::spawn(async move {
                let _ = timeout(REFUSAL_TIME, say_full(transport, &id)).await;
                drop(permit);
            });
        }
    }
}

async fn say_full(mut transport: Transport, id: &RequestId) -> io::Result<()> {
    transport.write_all(format!("{FULL}{id}{FULL_BODY}").as_bytes()).await?;
    transport.shutdown().await?;
    // The reply would be lost if the request were still unread at the close.
    let mut scratch = [0; 4096];
    while transport.read(&mut scratch).await? > 0 {}
    Ok(())
}

/// Errors of `accept` and of the first socket options that say nothing about the server.
fn belongs_to_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | NotConnected | InvalidInput)
}
