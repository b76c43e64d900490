//! Addresses and the networks they are in.

use std::net::IpAddr;

/// An address with the number of its leading bits that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u32,
}

/// Reads an address. An IPv4 address that is written as an IPv6 one is an IPv4 address.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().map(|address: IpAddr| address.to_canonical())
}

impl Network {
    /// Reads `192.0.2.0/24`, `2001:db8::/32` or an address alone.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Some((text, bits)) = text.split_once('/') else {
            let address = address(text)?;
            return Some(Self { address, bits: length(address) });
        };
        let written: IpAddr = text.parse().ok()?;
        let bits: u32 = bits.bytes().all(|b| b.is_ascii_digit()).then(|| bits.parse().ok())??;
        let address = written.to_canonical();
        let bits = (bits <= length(written)).then(|| bits.checked_sub(length(written) - length(address)))??;
        Some(Self { address, bits })
    }

    /// Whether an address is in the network.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let (network, address, length) = match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
            _ => return false,
        };
        (network ^ address).checked_shr(length - self.bits).unwrap_or(0) == 0
    }
}

fn length(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses() {
        let table = [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.77/24", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1/32", "192.0.2.2", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "192.0.2.1", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:DB8::1", "2001:db8:0:0::1", true),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("::ffff:192.0.2.0/120", "192.0.2.9", true),
        ];
        for (network, text, expected) in table {
            let contains = Network::parse(network).unwrap().contains(address(text).unwrap());
            assert_eq!(contains, expected, "{text} in {network}");
        }
    }

    #[test]
    fn what_is_no_network() {
        for bad in [
            "",
            "1",
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.4/-1",
            "1.2.3.4/+8",
            "::/129",
            "x/8",
            "::ffff:1.2.3.4/90",
            "1.2.3.4/",
        ] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
