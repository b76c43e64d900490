//! Version 2: sixteen bytes, the addresses, and what a proxy adds behind them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{LONGEST, Reading, Source, begins_with};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;

pub(super) fn parse(bytes: &[u8]) -> Reading {
    match begins_with(bytes, SIGNATURE) {
        None => return Reading::Incomplete,
        Some(false) => return Reading::Absent,
        Some(true) => {}
    }
    let Some([command, family, high, low]) = fixed(bytes) else { return Reading::Incomplete };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Reading::Malformed("a header of version 2 is too long");
    }
    match bytes.get(FIXED..length) {
        None => Reading::Incomplete,
        Some(rest) => {
            source(command, family, rest).map_or(Reading::Malformed("a header of version 2 is wrong"), |source| {
                Reading::Complete { source, length }
            })
        }
    }
}

fn fixed(bytes: &[u8]) -> Option<[u8; 4]> {
    bytes.get(SIGNATURE.len()..FIXED)?.try_into().ok()
}

fn source(command: u8, family: u8, rest: &[u8]) -> Option<Source> {
    match command {
        // What a proxy says of its own connections is not looked at (section 2.2).
        0x20 => Some(Source::Peer),
        0x21 => client(family, rest),
        _ => None,
    }
}

/// Addresses over a stream; behind them whatever the proxy adds, each with a type and a length.
fn client(family: u8, rest: &[u8]) -> Option<Source> {
    let (source, added) = match family {
        // Unspecified: a receiver takes the connection's own address (section 2.2).
        0x00 => (Source::Peer, rest),
        0x11 => (Source::Client(Ipv4Addr::from(*rest.first_chunk::<4>()?).into()), rest.get(12..)?),
        0x21 => (Source::Client(Ipv6Addr::from(*rest.first_chunk::<16>()?).to_canonical()), rest.get(36..)?),
        0x31 => (Source::Peer, rest.get(216..)?),
        _ => return None,
    };
    (family == 0 || is_list(added)).then_some(source)
}

fn is_list(mut added: &[u8]) -> bool {
    while let Some(([_, high, low], rest)) = added.split_first_chunk::<3>() {
        match rest.get(usize::from(u16::from_be_bytes([*high, *low]))..) {
            Some(next) => added = next,
            None => return false,
        }
    }
    added.is_empty()
}
