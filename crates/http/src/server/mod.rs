//! Everything between the socket and a request handler: listeners, TLS, HTTP/1.1 and HTTP/2 by hyper, strict framing,
//! time-outs, limits, draining, access log and figures.
//!
//! Begin with [`Server::bind`] and [`Handler`]. A connection goes through these, in this order:
//! `listener` -> `accept` (limit on connections) -> `connection` (PROXY header, TLS, protocol) -> `guarded_io` (framing by
//! [`head_guard`], time-outs) -> hyper -> `service` (ids, panics, unread bodies) -> the handler.
//!
//! It knows nothing of registries, and decides nothing about requests that are well formed.

mod accept;
mod activity;
mod address;
mod body;
mod client_certificate;
mod connection;
mod encryption;
mod entrance;
mod figures;
mod guarded_io;
pub mod head_guard;
mod listener;
mod origin;
pub mod proxy_header;
mod rate;
mod record;
mod request_id;
mod service;
mod settings;
mod shutdown;
mod timer;
mod tls;
mod transport;
mod zero_copy;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::sync::{Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

pub use address::{AddressError, Cidr, ListenAddress};
pub use body::{BodyError, FileSlice, RequestBody, ResponseBody};
pub use client_certificate::ClientCertificate;
pub use encryption::Encryption;
pub use entrance::ListenerName;
pub use figures::settle as settle_figures;
pub use origin::{ClientOrigin, ConnectionInfo};
pub(crate) use origin::{given_host, requested_base, requested_host, requested_scheme};
pub use record::{AccessLog, Answered, RouteLabel};
pub use request_id::RequestId;
pub use settings::{ClientCertificates, ContinueTrace, ListenerSettings, ProxyProtocol, ServerError, ServerSettings};
pub use settings::{TlsFiles, TlsVersion};

use accept::Acceptor;
use entrance::Entrance;
use listener::Listener;
use service::ServerContext;
use shutdown::{Phase, PhaseWatch, phases};
use tls::Security;

/// How often the certificate files are looked at.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(1);
/// How long cut connections may take to let go.
const CUTTING_TIME: Duration = Duration::from_secs(1);

/// Answers requests. Each carries [`RequestId`], [`ConnectionInfo`] and [`ClientOrigin`] as extensions.
///
/// Requests with other methods than GET, HEAD and OPTIONS run to their end even if their client goes away; the others
/// may be dropped at any await. A panic becomes 500.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. Name the route by [`RouteLabel`] in the extensions of the response.
    fn call(self: Arc<Self>, request: Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>>;
}

impl<F, Answer> Handler for F
where
    F: Fn(Request<RequestBody>) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    fn call(self: Arc<Self>, request: Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>> {
        Box::pin(self(request))
    }
}

/// The HTTP server.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Takes all addresses, reads the certificate, and is ready to run. Must be called inside a Tokio runtime.
    pub fn bind(settings: ServerSettings, handler: Arc<dyn Handler>) -> Result<BoundServer, ServerError> {
        Self::bind_all(settings, handler, Vec::new())
    }

    /// The same with further listeners, each with its rules and its handler. Limits, time-outs and the end are for all
    /// together.
    pub fn bind_all(
        settings: ServerSettings,
        handler: Arc<dyn Handler>,
        further: Vec<(ListenerSettings, Arc<dyn Handler>)>,
    ) -> Result<BoundServer, ServerError> {
        let mut listeners = Vec::new();
        for (own, handler) in std::iter::once((settings.default_listener(), handler)).chain(further) {
            let addresses = own.listen.clone();
            let entrance = Arc::new(Entrance::open(own, handler)?);
            for address in &addresses {
                listeners.push((Listener::bind(address)?, Arc::clone(&entrance)));
            }
        }
        let places = settings.max_connections.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let (sender, phase) = phases();
        let acceptor = Acceptor {
            server: Arc::new(ServerContext { settings, request_ids: request_id::RequestIds::new() }),
            places: Arc::new(Semaphore::new(places)),
            refusals: Acceptor::polite_refusals(),
            phase,
        };
        Ok(BoundServer { listeners, acceptor: Arc::new(acceptor), phase: sender, place_count: places })
    }
}

/// A server that holds its addresses. Clients can connect from now on; they are served when it runs.
pub struct BoundServer {
    listeners: Vec<(Listener, Arc<Entrance>)>,
    acceptor: Arc<Acceptor>,
    phase: watch::Sender<Phase>,
    place_count: usize,
}

impl BoundServer {
    /// One URL for each address, in the order of the settings, the default listener's first; `unix:/path` for Unix sockets.
    pub fn urls(&self) -> Vec<String> {
        self.listeners.iter().map(|(listener, entrance)| listener.url(entrance.security.is_some())).collect()
    }

    /// The TCP addresses, with the ports that were free.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|(listener, _)| listener.local_addr()).collect()
    }

    /// Serves until `shutdown` is ready. Then no connection is accepted any more, requests under way are finished
    /// within the shutdown time-out, and what is left is cut.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
        let mut secure: Vec<_> = self.listeners.iter().filter_map(|(_, entrance)| entrance.security.clone()).collect();
        secure.dedup_by(|one, other| Arc::ptr_eq(one, other));
        if !secure.is_empty() {
            tokio::spawn(renew(secure.into(), self.acceptor.phase.clone()));
        }
        for (listener, entrance) in self.listeners {
            tokio::spawn(Arc::clone(&self.acceptor).run(listener, entrance));
        }
        shutdown.await;
        let longest = self.acceptor.server.settings.shutdown_timeout;
        self.phase.send_replace(Phase::Draining);
        if !all_left(&self.acceptor.places, self.place_count, longest).await {
            tracing::warn!("some requests did not end in time; their connections are cut");
            self.phase.send_replace(Phase::Cutting);
            all_left(&self.acceptor.places, self.place_count, CUTTING_TIME).await;
        }
        Ok(())
    }
}

impl fmt::Debug for BoundServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundServer").field("urls", &self.urls()).finish_non_exhaustive()
    }
}

/// Waits until every place is free.
async fn all_left(places: &Semaphore, count: usize, longest: Duration) -> bool {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    timeout(longest, places.acquire_many(count)).await.is_ok()
}

/// Looks at the files of certificates again and again. Content is compared, not times: mounted secrets are switched by
/// symbolic links.
async fn renew(secure: Arc<[Arc<Security>]>, mut phase: PhaseWatch) {
    let mut ticks = interval(CERTIFICATE_LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = phase.reached(Phase::Draining) => return,
            _ = ticks.tick() => {}
        }
        let secure = Arc::clone(&secure);
        let _ = tokio::task::spawn_blocking(move || secure.iter().for_each(|security| security.reload())).await;
    }
}
