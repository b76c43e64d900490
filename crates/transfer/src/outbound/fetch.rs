//! One GET: judged, pinned, bounded.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::{AddressRules, OutboundError, Resolve, SystemResolver, tls};

/// How long a connection to one address may take, and everything together.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(10);
/// Addresses of a name that are tried.
const MOST_ADDRESSES: usize = 4;
const AGENT: &str = concat!("berth/", env!("CARGO_PKG_VERSION"));

/// Asks servers at addresses that people give.
#[async_trait]
pub trait Fetch: Send + Sync + fmt::Debug {
    /// Whether an address is one that would be asked: an error says that it is refused. A name that cannot be resolved just
    /// now is [`OutboundError::Unresolved`].
    async fn check(&self, url: &str) -> Result<(), OutboundError>;

    /// The body of a 200 answer to a GET, of at most `limit` bytes.
    async fn get(&self, url: &str, limit: usize) -> Result<Bytes, OutboundError>;
}

/// Asks nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Closed;

#[async_trait]
impl Fetch for Closed {
    async fn check(&self, _: &str) -> Result<(), OutboundError> {
        Ok(())
    }

    async fn get(&self, _: &str, _: usize) -> Result<Bytes, OutboundError> {
        Err(OutboundError::Closed)
    }
}

/// The client.
#[derive(Clone)]
pub struct Outbound {
    rules: AddressRules,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// A host, and the addresses that were judged.
struct Target {
    url: Url,
    host: String,
    name: ServerName<'static>,
    addresses: Vec<IpAddr>,
}

impl Outbound {
    /// A client that keeps to these rules and believes the system's authorities and those in the file `tls_ca` (PEM). Fails
    /// where that cannot be read.
    pub fn new(rules: AddressRules, tls_ca: Option<&Path>) -> std::io::Result<Self> {
        Self::with_resolver(rules, tls_ca, Arc::new(SystemResolver))
    }

    /// The same with another resolver.
    pub fn with_resolver(
        rules: AddressRules,
        tls_ca: Option<&Path>,
        resolver: Arc<dyn Resolve>,
    ) -> std::io::Result<Self> {
        Ok(Self { rules, resolver, tls: TlsConnector::from(Arc::new(tls::client(tls_ca)?)) })
    }

    /// Reads an address, resolves its name once, and judges every answer: one that may not be reached spoils them all, because
    /// nobody who is honest has such a one beside others.
    async fn target(&self, url: &str) -> Result<Target, OutboundError> {
        let url = Url::parse(url).map_err(|_| OutboundError::Address)?;
        let is_plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
        let host = url.host().filter(|_| is_plain).ok_or(OutboundError::Address)?;
        let (text, addresses) = match host {
            Host::Ipv4(address) => (address.to_string(), vec![IpAddr::V4(address)]),
            Host::Ipv6(address) => (address.to_string(), vec![IpAddr::V6(address)]),
            Host::Domain(name) => (name.to_owned(), self.resolved(name).await?),
        };
        if !addresses.iter().all(|address| self.rules.allow(*address)) {
            return Err(OutboundError::Refused(text));
        }
        let name = ServerName::try_from(text.clone()).map_err(|_| OutboundError::Address)?;
        Ok(Target { host: text, name, addresses, url })
    }

    async fn resolved(&self, name: &str) -> Result<Vec<IpAddr>, OutboundError> {
        match self.resolver.resolve(name).await {
            Ok(addresses) if !addresses.is_empty() => Ok(addresses),
            Ok(_) | Err(_) => Err(OutboundError::Unresolved(name.to_owned())),
        }
    }

    async fn asked(&self, url: &str, limit: usize) -> Result<Bytes, OutboundError> {
        let target = self.target(url).await?;
        let stream = self.connect(&target).await?;
        let response = send(&target, stream).await?;
        read(&target.host, response, limit).await
    }

    /// A connection to the first of the judged addresses that answers.
    async fn connect(&self, target: &Target) -> Result<TlsStream<TcpStream>, OutboundError> {
        let port = target.url.port_or_known_default().unwrap_or(443);
        for address in target.addresses.iter().take(MOST_ADDRESSES) {
            let connecting = TcpStream::connect(SocketAddr::new(*address, port));
            if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_PATIENCE, connecting).await {
                let connected = self.tls.connect(target.name.clone(), stream).await;
                return connected.map_err(|error| {
                    tracing::info!(host = target.host, %error, "TLS with a server failed");
                    OutboundError::Tls(target.host.clone())
                });
            }
        }
        Err(OutboundError::Unreachable(target.host.clone()))
    }
}

#[async_trait]
impl Fetch for Outbound {
    async fn check(&self, url: &str) -> Result<(), OutboundError> {
        within(url, self.target(url)).await.map(drop)
    }

    async fn get(&self, url: &str, limit: usize) -> Result<Bytes, OutboundError> {
        within(url, self.asked(url, limit)).await
    }
}

async fn within<T>(url: &str, work: impl Future<Output = Result<T, OutboundError>>) -> Result<T, OutboundError> {
    let late = || {
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        OutboundError::Timeout(host.unwrap_or_default())
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(|_| late())?
}

async fn send(target: &Target, stream: TlsStream<TcpStream>) -> Result<Response<Incoming>, OutboundError> {
    let broken = |_| OutboundError::Unreachable(target.host.clone());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(async move {
        // It ends with the answer, or with whoever waits for it.
        let _ = connection.await;
    });
    let query = target.url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let request = Request::get(format!("{}{query}", target.url.path()))
        .header(HOST, authority(&target.url))
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, AGENT)
        .body(Empty::<Bytes>::new())
        .map_err(|_| OutboundError::Address)?;
    sender.send_request(request).await.map_err(broken)
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

async fn read(host: &str, response: Response<Incoming>, limit: usize) -> Result<Bytes, OutboundError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(OutboundError::Redirected(host.to_owned()));
    }
    if status.as_u16() != 200 {
        return Err(OutboundError::Status { host: host.to_owned(), status: status.as_u16() });
    }
    let (mut body, mut whole) = (response.into_body(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| OutboundError::Unreachable(host.to_owned()))?;
        let Ok(piece) = frame.into_data() else { continue };
        if whole.len() + piece.len() > limit {
            return Err(OutboundError::TooLarge(host.to_owned()));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}
