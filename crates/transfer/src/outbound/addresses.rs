//! Which addresses may be reached: those of the public internet, and networks that the operator names.
//!
//! Follows IANA's registries of special-purpose addresses of IPv4 and IPv6 (RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that share the first `prefix` bits of `address`; a prefix longer than an address means that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Any address of it.
    pub address: IpAddr,
    /// How many bits are shared: 0 to 32, or to 128.
    pub prefix: u8,
}

impl Network {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    const fn v6(first: u16, second: u16, prefix: u8) -> Self {
        Self { address: IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)), prefix }
    }

    /// Whether an address is of it. Those of IPv4 are never of a network of IPv6, and the other way round.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.prefix.min(32));
                (u32::from(own) ^ u32::from(other)).checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix.min(128));
                (u128::from(own) ^ u128::from(other)).checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// What of IPv4 nobody outside can have.
const CLOSED_V4: [Network; 15] = [
    Network::v4(0, 0, 0, 0, 8),       // this host and network
    Network::v4(10, 0, 0, 0, 8),      // private
    Network::v4(100, 64, 0, 0, 10),   // shared by carriers
    Network::v4(127, 0, 0, 0, 8),     // loopback
    Network::v4(169, 254, 0, 0, 16),  // link-local, and the metadata of clouds
    Network::v4(172, 16, 0, 0, 12),   // private
    Network::v4(192, 0, 0, 0, 24),    // protocol assignments
    Network::v4(192, 0, 2, 0, 24),    // documentation
    Network::v4(192, 88, 99, 0, 24),  // relays of 6to4
    Network::v4(192, 168, 0, 0, 16),  // private
    Network::v4(198, 18, 0, 0, 15),   // measurements
    Network::v4(198, 51, 100, 0, 24), // documentation
    Network::v4(203, 0, 113, 0, 24),  // documentation
    Network::v4(224, 0, 0, 0, 4),     // multicast
    Network::v4(240, 0, 0, 0, 4),     // reserved, broadcast
];

/// What of IPv6 is given out as global unicast: everything else is loopback, link-local, unique local, multicast, or nothing.
const OPEN_V6: Network = Network::v6(0x2000, 0, 3);
/// What of that nobody has after all.
const CLOSED_V6: [Network; 3] = [
    Network::v6(0x2001, 0, 23),     // protocol assignments, Teredo
    Network::v6(0x2001, 0xdb8, 32), // documentation
    Network::v6(0x3fff, 0, 20),     // documentation
];
/// Where an address of IPv4 is inside of one of IPv6, at these bytes: it is that one that counts.
const SIX_TO_FOUR: (Network, usize) = (Network::v6(0x2002, 0, 16), 2);
const NAT64: (Network, usize) = (Network::v6(0x64, 0xff9b, 96), 12);

/// Which addresses may be reached: public ones, and those of networks that the operator names.
#[derive(Debug, Clone, Default)]
pub struct AddressRules {
    allowed: Vec<Network>,
}

impl AddressRules {
    /// Rules that let through these networks beside what is public.
    pub fn new(allowed: Vec<Network>) -> Self {
        Self { allowed }
    }

    /// Whether a connection may go to an address. One of IPv4 that is written as one of IPv6 (`::ffff:10.0.0.1`) is let through
    /// only where a network of the operator's has it.
    pub fn allow(&self, address: IpAddr) -> bool {
        let named = |address| self.allowed.iter().any(|network| network.contains(address));
        named(address) || named(address.to_canonical()) || is_public(address)
    }
}

/// Whether anybody on the internet could have the address.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => !CLOSED_V4.iter().any(|network| network.contains(address)),
        IpAddr::V6(v6) => {
            let inside = |(network, at): (Network, usize)| network.contains(address).then(|| embedded(v6, at));
            match inside(SIX_TO_FOUR).or_else(|| inside(NAT64)) {
                Some(v4) => is_public(v4),
                None => OPEN_V6.contains(address) && !CLOSED_V6.iter().any(|network| network.contains(address)),
            }
        }
    }
}

fn embedded(address: Ipv6Addr, at: usize) -> IpAddr {
    let mut four = [0; 4];
    for (to, from) in four.iter_mut().zip(address.octets().into_iter().skip(at)) {
        *to = from;
    }
    IpAddr::V4(four.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REFUSED: [&str; 44] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "169.254.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "64:ff9b::a9fe:a9fe",
    ];
    const PUBLIC: [&str; 15] = [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "128.0.0.0",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2002:101:101::1",
        "64:ff9b::808:808",
    ];

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_only_this_machine_can_reach_is_refused() {
        let rules = AddressRules::default();
        for text in REFUSED {
            assert!(!rules.allow(address(text)), "{text}");
        }
        for text in PUBLIC {
            assert!(rules.allow(address(text)), "{text}");
        }
        assert!(!rules.allow(address("64:ff9b:1::808:808")), "for networks of their own");
    }

    #[test]
    fn the_operators_networks_are_let_through_and_nothing_beside_them() {
        let network = |text: &str, prefix| Network { address: address(text), prefix };
        let rules = AddressRules::new(vec![network("10.1.2.3", 16), network("fd00::", 64), network("127.0.0.1", 32)]);
        for (text, expected) in [
            ("10.1.255.255", true),
            ("10.2.0.0", false),
            ("10.0.255.255", false),
            ("::ffff:10.1.0.1", true),
            ("::ffff:10.2.0.1", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("fd00::ffff", true),
            ("fd00:0:0:1::1", false),
            ("64:ff9b::a01:1", false),
            ("8.8.8.8", true),
        ] {
            assert_eq!(rules.allow(address(text)), expected, "{text}");
        }
        let all = AddressRules::new(vec![network("0.0.0.0", 0), network("::", 0)]);
        assert!(REFUSED.iter().all(|text| all.allow(address(text))));
    }

    /// Hosts as addresses may have them are one of these two once the `url` crate has read them.
    #[test]
    fn other_writings_of_an_address_are_that_address() {
        let rules = AddressRules::default();
        for host in [
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "0x7f.1",
            "127.0.0.1.",
            "[::ffff:127.0.0.1]",
            "[::1]",
            "①②⑦.0.0.1",
        ] {
            let url = url::Url::parse(&format!("https://{host}/")).unwrap();
            let judged = match url.host().unwrap() {
                url::Host::Ipv4(v4) => rules.allow(v4.into()),
                url::Host::Ipv6(v6) => rules.allow(v6.into()),
                url::Host::Domain(_) => panic!("{host} is a name"),
            };
            assert!(!judged, "{host}");
        }
    }

    proptest! {
        #[test]
        fn what_is_let_through_is_global_in_the_words_of_the_library(bytes in any::<[u8; 4]>()) {
            let v4 = Ipv4Addr::from(bytes);
            let is_inside = v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_multicast()
                || v4.is_unspecified() || v4.is_broadcast() || v4.is_documentation();
            prop_assert!(!(is_inside && AddressRules::default().allow(v4.into())));
            prop_assert!(!AddressRules::default().allow(v4.to_ipv6_mapped().into()));
        }

        #[test]
        fn of_ipv6_only_global_unicast_is_let_through(bytes in any::<[u8; 16]>()) {
            let v6 = Ipv6Addr::from(bytes);
            let is_inside = v6.is_loopback() || v6.is_multicast() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local();
            prop_assert!(!(is_inside && AddressRules::default().allow(v6.into())));
        }
    }
}
