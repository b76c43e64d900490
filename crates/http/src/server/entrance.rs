//! One listener's own rules, which all connections by it share.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::Handler;
use super::address::Cidr;
use super::origin::{self, is_trusted};
use super::proxy_header::{self, ProxyError, Source};
use super::settings::{ListenerSettings, ProxyProtocol, ServerError};
use super::tls::Security;

/// The name of the listener that a request came by. An extension of requests that came by one with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerName(pub Arc<str>);

/// A listener's own rules.
pub(crate) struct Entrance {
    pub(crate) name: Option<ListenerName>,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) security: Option<Arc<Security>>,
    pub(crate) trusted_proxies: Vec<Cidr>,
    pub(crate) public_url: Option<String>,
    proxy_protocol: ProxyProtocol,
}

impl Entrance {
    /// Checks the settings and reads what they name.
    pub(crate) fn open(settings: ListenerSettings, handler: Arc<dyn Handler>) -> Result<Self, ServerError> {
        if settings.listen.is_empty() {
            return Err(ServerError::NoAddress);
        }
        let checked = |url: String| origin::public_url(&url).ok_or(ServerError::PublicUrl(url));
        Ok(Self {
            security: Security::load(&settings)?,
            name: settings.name.map(ListenerName),
            handler,
            trusted_proxies: settings.trusted_proxies,
            public_url: settings.public_url.map(checked).transpose()?,
            proxy_protocol: settings.proxy_protocol,
        })
    }

    /// Whether a connection of this peer begins with a PROXY header, perhaps. Nobody else's is believed, nor read.
    pub(crate) fn asks_proxy(&self, peer: Option<IpAddr>) -> bool {
        match self.proxy_protocol {
            ProxyProtocol::Off => false,
            ProxyProtocol::Accept => is_trusted(&self.trusted_proxies, peer),
            ProxyProtocol::Require => true,
        }
    }

    /// Who is behind a connection whose peer is asked: as its PROXY header says. `None` where the connection is refused.
    pub(crate) async fn behind(
        &self,
        stream: &mut TcpStream,
        peer: Option<IpAddr>,
        longest: std::time::Duration,
    ) -> Option<Option<IpAddr>> {
        if !is_trusted(&self.trusted_proxies, peer) {
            tracing::debug!(?peer, "a connection that is not by a trusted proxy is closed");
            return None;
        }
        match proxy_header::read(stream, longest).await {
            Ok(Some(Source::Client(address))) => Some(Some(address)),
            Ok(Some(Source::Peer)) => Some(peer),
            Ok(None) if self.proxy_protocol == ProxyProtocol::Accept => Some(peer),
            Ok(None) => refused(peer, &ProxyError::Malformed("there is none")),
            Err(error) => refused(peer, &error),
        }
    }
}

fn refused(peer: Option<IpAddr>, error: &ProxyError) -> Option<Option<IpAddr>> {
    tracing::debug!(?peer, %error, "a proxy's connection is closed");
    None
}
