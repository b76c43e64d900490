//! Addresses of clients as they are counted: one customer's block is one address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which part of an IPv6 address is the network's: whoever has one such address has all of them.
const NETWORK: u128 = !((1 << 64) - 1);

/// An IPv4 address, an IPv6 network of 64 bits, or no address, as of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Block(Option<u128>);

impl Block {
    /// The block of an address. One that is IPv4 in the clothes of IPv6 is IPv4.
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() & NETWORK,
        }))
    }

    fn v4(bits: u128) -> Option<Ipv4Addr> {
        Ipv6Addr::from_bits(bits).to_ipv4_mapped()
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("local"),
            Some(bits) => match Self::v4(bits) {
                Some(address) => address.fmt(f),
                None => write!(f, "{}/64", Ipv6Addr::from_bits(bits)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_one_address_of_a_network_has_all() {
        for (address, block) in [
            (Some("192.0.2.7"), "192.0.2.7"),
            (Some("::ffff:192.0.2.7"), "192.0.2.7"),
            (Some("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64"),
            (Some("2001:db8:1:2::"), "2001:db8:1:2::/64"),
            (Some("2001:db8:1:3::"), "2001:db8:1:3::/64"),
            (Some("::1"), "::/64"),
            (Some("::192.0.2.7"), "::/64"),
            (None, "local"),
        ] {
            let read = address.map(|text| text.parse().unwrap());
            assert_eq!(Block::of(read).to_string(), block);
        }
    }
}
