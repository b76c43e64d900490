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

/// Versions of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// Which clients a listener lets in by their certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificates {
    /// The authorities that they must come from, as a PEM file, which is read again when its content changes.
    pub ca: PathBuf,
    /// Whether nobody comes in without one.
    pub required: bool,
    /// Names of which a certificate must bear one, as its subject (RFC 4514), its common name or an alternative name.
    /// Empty: any.
    pub names: Vec<String>,
}

/// Whether proxies say by the PROXY protocol who is behind them. Only peers in `trusted_proxies` are ever believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// They do not: such a header is garbage.
    #[default]
    Off,
    /// Trusted proxies may; everybody else is as with `Off`.
    Accept,
    /// Every connection must be a trusted proxy's and begin with a header; others are closed.
    Require,
}

/// One listener's own rules.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// Its name; `None` for the default one.
    pub name: Option<Arc<str>>,
    /// Where to listen; at least one.
    pub listen: Vec<ListenAddress>,
    /// TLS for every TCP address; Unix sockets stay plain.
    pub tls: Option<TlsFiles>,
    /// Versions of TLS that are spoken; at least one.
    pub tls_versions: Vec<TlsVersion>,
    /// Certificates that clients are asked for; needs `tls`.
    pub client_certificates: Option<ClientCertificates>,
    /// What TCP connections begin with.
    pub proxy_protocol: ProxyProtocol,
    /// Peers whose PROXY, `X-Forwarded-*` and `X-Request-Id` headers count.
    pub trusted_proxies: Vec<Cidr>,
    /// The URL under which clients reach the registry, where it differs from what they connect to.
    pub public_url: Option<String>,
}

/// Everything an operator may set about the socket side. What is about one listener is about the default one.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen; at least one.
    pub listen: Vec<ListenAddress>,
    /// TLS for every TCP address; Unix sockets stay plain.
    pub tls: Option<TlsFiles>,
    /// Versions of TLS that are spoken; at least one.
    pub tls_versions: Vec<TlsVersion>,
    /// Certificates that clients are asked for; needs `tls`.
    pub client_certificates: Option<ClientCertificates>,
    /// What TCP connections begin with.
    pub proxy_protocol: ProxyProtocol,
    /// How long a request head (from its first byte), a PROXY header or a TLS handshake may take.
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
            tls_versions: vec![TlsVersion::V1_2, TlsVersion::V1_3],
            client_certificates: None,
            proxy_protocol: ProxyProtocol::Off,
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

impl Default for ListenerSettings {
    fn default() -> Self {
        ServerSettings::default().default_listener()
    }
}

impl ServerSettings {
    /// What is about the default listener.
    pub(crate) fn default_listener(&self) -> ListenerSettings {
        ListenerSettings {
            name: None,
            listen: self.listen.clone(),
            tls: self.tls.clone(),
            tls_versions: self.tls_versions.clone(),
            client_certificates: self.client_certificates.clone(),
            proxy_protocol: self.proxy_protocol,
            trusted_proxies: self.trusted_proxies.clone(),
            public_url: self.public_url.clone(),
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
    /// The authorities of clients' certificates could be read but not used.
    #[error("the authorities of clients in {} cannot be used: {reason}", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Clients were to show certificates where nothing is encrypted.
    #[error("a listener without TLS cannot ask clients for certificates")]
    NotEncrypted,
    /// The public URL is not of the form `http(s)://host[:port][/path]`.
    #[error("the public URL `{0}` must begin with http:// or https://, name a host, and have no query")]
    PublicUrl(String),
}
