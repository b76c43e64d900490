//! The PROXY protocol, versions 1 and 2: what a proxy says before the first byte of a connection about who is behind it
//! ("The PROXY protocol", haproxy.org).
//!
//! [`parse`] is a function of bytes. It takes the forms of the specification and nothing near them: a header that is not
//! understood ends the connection, for what it says decides who is asking.

mod read;
#[cfg(test)]
mod tests;
mod version1;
mod version2;

use std::net::IpAddr;

pub(crate) use read::{ProxyError, read};

/// The most that a header may take, in bytes. A version 1 header is shorter; what follows the addresses of version 2 is
/// seldom more than a hundred bytes.
pub const LONGEST: usize = 4096;

/// Whom a header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The client behind the proxy.
    Client(IpAddr),
    /// The proxy itself, which looks whether we are well (`LOCAL`), or somebody of whom it tells no address (`UNKNOWN`,
    /// a Unix socket): the connection's own address counts.
    Peer,
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A header, which ends after so many bytes.
    Complete {
        /// Whom it names.
        source: Source,
        /// How long it is, in bytes: from 15 to [`LONGEST`], and no more than were given.
        length: usize,
    },
    /// They may be the beginning of a header.
    Incomplete,
    /// They are no header of this protocol.
    Absent,
    /// They begin like a header and are none.
    Malformed(&'static str),
}

/// Reads the first bytes of a connection.
pub fn parse(bytes: &[u8]) -> Reading {
    match (version1::parse(bytes), version2::parse(bytes)) {
        (Reading::Absent, second) => second,
        (first, _) => first,
    }
}

/// Whether bytes begin with a signature: `None` while they are too few to tell.
fn begins_with(bytes: &[u8], signature: &[u8]) -> Option<bool> {
    if bytes.len() < signature.len() {
        return if signature.starts_with(bytes) { None } else { Some(false) };
    }
    Some(bytes.starts_with(signature))
}
