//! Where the server listens, and whom it trusts to speak for others.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `host:port`, `1.2.3.4:port` or `[::1]:port`; port 0 takes a free one.
    Tcp(String),
    /// `unix:/path/of/the/socket`.
    Unix(PathBuf),
}

/// Why a listen address or a network was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither `host:port` nor `unix:/path`.
    #[error("`{0}` is no address to listen on: write host:port, [v6]:port or unix:/absolute/path")]
    Listen(String),
    /// Neither a network in CIDR notation nor `unix`.
    #[error("`{0}` is no network: write address/prefix, for example 10.0.0.0/8 or fd00::/8, one address, or unix")]
    Network(String),
}

impl FromStr for ListenAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError::Listen(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(wrong()) };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host_is_right = match bracketed {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
        };
        let port_is_right = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
        if host_is_right && port_is_right { Ok(Self::Tcp(text.to_owned())) } else { Err(wrong()) }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A set of peers: a network, or all who come through a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cidr {
    /// The addresses that share their first `prefix` bits with `address`.
    Network {
        /// Any address of the network.
        address: IpAddr,
        /// Bits that count: at most 32 for IPv4, 128 for IPv6.
        prefix: u8,
    },
    /// Peers of a Unix socket, which have no address. Written `unix`.
    UnixPeers,
}

impl Cidr {
    /// Whether a peer belongs to the set; `None` is a peer of a Unix socket.
    /// An IPv4 address seen through an IPv6 socket (`::ffff:1.2.3.4`) counts as IPv4.
    pub fn contains(&self, peer: Option<IpAddr>) -> bool {
        match (*self, peer.map(|address| address.to_canonical())) {
            (Self::UnixPeers, None) => true,
            (Self::Network { address: IpAddr::V4(ours), prefix }, Some(IpAddr::V4(theirs))) => {
                let differing = u32::from(ours) ^ u32::from(theirs);
                differing.checked_shr(32 - u32::from(prefix)).unwrap_or(0) == 0
            }
            (Self::Network { address: IpAddr::V6(ours), prefix }, Some(IpAddr::V6(theirs))) => {
                let differing = u128::from(ours) ^ u128::from(theirs);
                differing.checked_shr(128 - u32::from(prefix)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError::Network(text.to_owned());
        if text == "unix" {
            return Ok(Self::UnixPeers);
        }
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| wrong())?,
            Some(_) => return Err(wrong()),
        };
        if prefix > longest { Err(wrong()) } else { Ok(Self::Network { address, prefix }) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { address, prefix } => write!(f, "{address}/{prefix}"),
            Self::UnixPeers => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        for good in ["127.0.0.1:5000", "[::1]:0", "localhost:80", "unix:/run/berth.sock"] {
            assert_eq!(good.parse::<ListenAddress>().unwrap().to_string(), good);
        }
        for bad in ["", "5000", ":5000", "::1:5000", "[::1]", "a b:1", "host:65536", "host:+1", "unix:relative", "h:"] {
            assert!(bad.parse::<ListenAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn networks() {
        let table = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
        ];
        for (network, peer, inside) in table {
            let network: Cidr = network.parse().unwrap();
            assert_eq!(network.contains(Some(peer.parse().unwrap())), inside, "{network} {peer}");
            assert!(!network.contains(None));
        }
        assert!("unix".parse::<Cidr>().unwrap().contains(None));
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/", "host/8"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }
}
