//! Addresses of the web.

use serde_json::Value;

use crate::config::setting::Kind;

/// Where clients reach the registry: scheme, host and port, no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A collector: `http://`, host, port, and a path where it is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl PublicUrl {
    /// The URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Endpoint {
    /// The URL that traces are sent to: `/v1/traces` below the base, as OTLP has it.
    pub fn traces_url(&self) -> String {
        let below_host = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let path = below_host.split_once('/').map_or("", |(_, path)| path);
        if path.is_empty() { format!("{}/v1/traces", self.0.trim_end_matches('/')) } else { self.0.clone() }
    }
}

/// `host` or `host:port`, the host being a name, an IPv4 address or an IPv6 address in brackets. No user, no password.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("v6", port),
        Some(_) => return false,
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    let port_valid = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    !host.is_empty() && host.len() <= 253 && host.bytes().all(plain) && port_valid
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Paths that need no escaping: what a collector's address has.
fn is_path(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-~%".contains(&b))
}

impl Kind for PublicUrl {
    fn expected() -> String {
        "http:// or https://, a host and maybe a port, no path: https://registry.example.org".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        is_authority(authority.strip_suffix('/').unwrap_or(authority))
            .then(|| Self(text.strip_suffix('/').unwrap_or(text).to_owned()))
    }

    fn show(&self) -> Value {
        Value::from(self.0.as_str())
    }
}

impl Kind for Endpoint {
    fn expected() -> String {
        "an http:// address such as http://127.0.0.1:4318".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("http://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        (is_authority(authority) && is_path(path)).then(|| Self(text.to_owned()))
    }

    fn show(&self) -> Value {
        Value::from(self.0.as_str())
    }
}
