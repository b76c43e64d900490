//! Version 1: one line of text, `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{Reading, Source, begins_with};

const SIGNATURE: &[u8] = b"PROXY ";
/// The longest line there can be, its end included (section 2.1).
const LONGEST_LINE: usize = 107;

pub(super) fn parse(bytes: &[u8]) -> Reading {
    match begins_with(bytes, SIGNATURE) {
        None => return Reading::Incomplete,
        Some(false) => return Reading::Absent,
        Some(true) => {}
    }
    let window = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    match window.windows(2).position(|pair| pair == b"\r\n") {
        Some(end) => line(window.get(..end).unwrap_or_default(), end + 2),
        None if bytes.len() < LONGEST_LINE => Reading::Incomplete,
        None => Reading::Malformed("a line of version 1 is too long"),
    }
}

fn line(bytes: &[u8], length: usize) -> Reading {
    let source = str::from_utf8(bytes).ok().and_then(source);
    source.map_or(Reading::Malformed("a line of version 1 is wrong"), |source| Reading::Complete { source, length })
}

fn source(line: &str) -> Option<Source> {
    let mut fields = line.split(' ').skip(1);
    match fields.next()? {
        // What follows says nothing (section 2.1).
        "UNKNOWN" => Some(Source::Peer),
        "TCP4" => client::<Ipv4Addr>(fields),
        "TCP6" => client::<Ipv6Addr>(fields),
        _ => None,
    }
}

/// Two addresses of one family and two ports, and nothing else.
fn client<'a, A: FromStr + Into<IpAddr>>(mut fields: impl Iterator<Item = &'a str>) -> Option<Source> {
    let from: A = fields.next()?.parse().ok()?;
    let _to: A = fields.next()?.parse().ok()?;
    let ports = is_port(fields.next()?) && is_port(fields.next()?);
    (ports && fields.next().is_none()).then(|| Source::Client(from.into().to_canonical()))
}

fn is_port(text: &str) -> bool {
    let is_canonical = text == "0" || !text.starts_with('0');
    is_canonical && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}
