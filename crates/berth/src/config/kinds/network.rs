//! Networks in CIDR notation.

use std::fmt;
use std::net::IpAddr;

use serde_json::Value;

use crate::config::setting::Kind;

/// The addresses that share the first `prefix` bits of `address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Any address of it.
    pub address: IpAddr,
    /// How many bits are shared: at most 32 or 128.
    pub prefix: u8,
}

fn widest(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Kind for Network {
    fn expected() -> String {
        "a network such as 10.0.0.0/8 or ::1/128".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let prefix = match prefix {
            None => widest(address),
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
            Some(_) => return None,
        };
        (prefix <= widest(address)).then_some(Self { address, prefix })
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }
}
