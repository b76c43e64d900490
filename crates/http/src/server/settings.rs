//! What an operator may set, and what can go wrong at the start.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::address::{Cidr, ListenAddress};
use super::record::AccessLog;

/// The certificate chain and the key of the server, as PEM files. Both are read again when their content changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain, the server's own first.
    pub cert: PathBuf,
    /// Private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// Everything an operator may set about the socket side.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen; at least one.
    pub listen: Vec<ListenAddress>,
    /// TLS for every TCP address; Unix sockets stay plain.
    pub tls: Option<TlsFiles>,
    /// How long a request head (from its first byte) or a TLS handshake may take.
    pub header_timeout: Duration,
    /// How long a peer may move no byte of a body, in either direction.
    pub body_timeout: Duration,
    /// How long a connection may wait for its next (or first) request.
    pub idle_timeout: Duration,
    /// Bytes per second that a body must move, either way, while we wait for the peer. 0 switches the rule off.
    pub minimum_rate: u64,
    /// The span over which `minimum_rate` is averaged. Counts only time in which we waited for the peer.
    pub rate_window: Duration,
    /// Connections served at a time; those beyond get 503.
    pub max_connections: usize,
    /// Bytes of a request head, request line included.
    pub max_header_bytes: usize,
    /// How long requests under way may go on after the shutdown began.
    pub shutdown_timeout: Duration,
    /// Peers whose `X-Forwarded-*` and `X-Request-Id` headers count.
    pub trusted_proxies: Vec<Cidr>,
    /// The URL under which clients reach the registry, where it differs from what they connect to.
    pub public_url: Option<String>,
    /// Continues a client's trace. `None` where nobody traces.
    pub continue_trace: Option<ContinueTrace>,
    /// Hears of each request that was answered, when its last byte went.
    pub access_log: Option<Arc<dyn AccessLog>>,
}

/// Makes a request's span, not yet entered, part of the trace that `traceparent` and perhaps `tracestate` name
/// (W3C Trace Context). Both are as the client sent them.
pub type ContinueTrace = fn(traceparent: &str, tracestate: Option<&str>, span: &tracing::Span);

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: vec![ListenAddress::Tcp("127.0.0.1:5000".to_owned())],
            tls: None,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            minimum_rate: 1024,
            rate_window: Duration::from_secs(30),
            max_connections: 10_000,
            max_header_bytes: 64 * 1024,
            shutdown_timeout: Duration::from_secs(30),
            trusted_proxies: Vec::new(),
            public_url: None,
            continue_trace: None,
            access_log: None,
        }
    }
}

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No address was given.
    #[error("there is no address to listen on")]
    NoAddress,
    /// The address could not be taken.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// As configured.
        address: ListenAddress,
        /// What the operating system said.
        source: io::Error,
    },
    /// A certificate or key file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Certificate and key could be read but not used.
    #[error("the TLS certificate {} with the key {} cannot be used: {reason}", files.cert.display(), files.key.display())]
    Tls {
        /// Where they came from.
        files: TlsFiles,
        /// What is wrong with them.
        reason: String,
    },
    /// The public URL is not of the form `http(s)://host[:port][/path]`.
    #[error("the public URL `{0}` must begin with http:// or https://, name a host, and have no query")]
    PublicUrl(String),
}
