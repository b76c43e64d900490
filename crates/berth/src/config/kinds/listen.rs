//! Addresses to listen on.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::Value;

use crate::config::setting::Kind;

/// Linux keeps the path of a Unix socket in so many bytes, with one for the end (`unix(7)`).
const LONGEST_UNIX_PATH: usize = 107;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// A host name or address, and a port.
    Tcp {
        /// Without the brackets of IPv6.
        host: String,
        /// 0 takes a free one.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Whether only this machine reaches it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } if host == "localhost" => true,
            Self::Tcp { host, .. } => host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The host without brackets: an address in them, or a name or IPv4 address without.
fn parse_host(text: &str) -> Option<&str> {
    if let Some(inside) = text.strip_prefix('[') {
        let address = inside.strip_suffix(']')?;
        return address.parse::<std::net::Ipv6Addr>().is_ok().then_some(address);
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    (!text.is_empty() && text.len() <= 253 && text.bytes().all(plain)).then_some(text)
}

impl Kind for ListenAddress {
    fn expected() -> String {
        "an address such as 127.0.0.1:5000, [::1]:5000 or unix:/run/berth.sock".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            let valid = !path.is_empty() && path.len() <= LONGEST_UNIX_PATH && !path.contains('\0');
            return valid.then(|| Self::Unix(path.into()));
        }
        let (host, port) = text.rsplit_once(':')?;
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let host = parse_host(host)?.to_owned();
        digits.then(|| port.parse().ok()).flatten().map(|port| Self::Tcp { host, port })
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }
}
