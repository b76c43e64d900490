//! Who a client is and how it reaches us, as far as that can be believed.
//!
//! Forwarded headers are words of whoever sent the request: they count only from configured proxies, and then only the
//! last entry, which is the one that our own proxy wrote.

use std::net::IpAddr;

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::Uri;

use super::address::Cidr;
use super::encryption::Encryption;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// How many entries of `X-Forwarded-For` are looked at, from the last.
const MAX_HOPS: usize = 32;

/// The connection that a request came by. An extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The peer's address; `None` for a Unix socket.
    pub peer: Option<IpAddr>,
    /// Whether the connection is encrypted by us.
    pub tls: bool,
    /// How, where it is.
    pub encryption: Option<Encryption>,
}

/// The client behind a connection, proxies seen through. An extension of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOrigin {
    /// The client's address; `None` for a Unix socket.
    pub address: Option<IpAddr>,
    /// Scheme and authority under which clients reach the registry, without a slash at the end. Known only from the
    /// public URL or a trusted proxy; otherwise links must be relative.
    pub base_url: Option<String>,
    /// Whether the client's connection is encrypted: by us, or as a trusted proxy says.
    pub is_secure: bool,
    /// How it is encrypted, where that is known: by us, and no trusted proxy forwards for somebody.
    pub encryption: Option<Encryption>,
    /// Whether a trusted proxy sent the request, so that forwarded headers count.
    pub is_proxied: bool,
}

impl ClientOrigin {
    pub(crate) fn find(
        connection: ConnectionInfo,
        headers: &HeaderMap,
        trusted: &[Cidr],
        public_url: Option<&str>,
    ) -> Self {
        let public_url = public_url.map(str::to_owned);
        if !is_trusted(trusted, connection.peer) {
            let ConnectionInfo { peer: address, tls: is_secure, encryption } = connection;
            return Self { address, base_url: public_url, is_secure, encryption, is_proxied: false };
        }
        let by_proxy = last_entry(headers, &FORWARDED_PROTO);
        let is_secure = by_proxy.map_or(connection.tls, |scheme| scheme.eq_ignore_ascii_case("https"));
        let forwarded = forwarded_address(headers, trusted);
        let is_own = by_proxy.is_none() && forwarded.is_none();
        Self {
            address: forwarded.or(connection.peer),
            base_url: public_url.or_else(|| forwarded_base(headers)),
            is_secure,
            encryption: connection.encryption.filter(|_| is_own),
            is_proxied: true,
        }
    }
}

/// Scheme and authority by which the client asked, without a slash at the end: the base URL where it is known, else the
/// client's own words. Good for an answer to this client alone, that no cache keeps.
pub(crate) fn requested_base(parts: &Parts) -> Option<String> {
    if let Some(base) = parts.extensions.get::<ClientOrigin>().and_then(|origin| origin.base_url.as_deref()) {
        return Some(base.trim_end_matches('/').to_owned());
    }
    let scheme = if parts.extensions.get::<ConnectionInfo>()?.tls { "https" } else { "http" };
    let host = own_host(parts)?;
    is_authority(host).then(|| format!("{scheme}://{host}"))
}

/// The host, maybe with a port, by which the client called the server: what a trusted proxy says, else the client's own words.
/// Anything may stand there.
pub(crate) fn requested_host(parts: &Parts) -> Option<&str> {
    let is_proxied = parts.extensions.get::<ClientOrigin>().is_some_and(|origin| origin.is_proxied);
    let forwarded = is_proxied.then(|| last_entry(&parts.headers, &FORWARDED_HOST)).flatten();
    forwarded.or_else(|| own_host(parts))
}

/// The scheme by which the client asked: that of the base URL where it is known, else that of the connection.
pub(crate) fn requested_scheme(parts: &Parts) -> &'static str {
    let origin = parts.extensions.get::<ClientOrigin>();
    let base = origin.and_then(|origin| origin.base_url.as_deref());
    let is_secure = base.map_or(origin.is_some_and(|origin| origin.is_secure), |base| base.starts_with("https:"));
    if is_secure { "https" } else { "http" }
}

fn own_host(parts: &Parts) -> Option<&str> {
    given_host(&parts.uri, &parts.headers)
}

/// The target's host, where there is one (RFC 9112, 3.2.2; every request of HTTP/2), else that of the one `Host` header.
pub(crate) fn given_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    if let Some(authority) = uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = headers.get_all(HOST).iter();
    hosts.next().filter(|_| hosts.next().is_none())?.to_str().ok()
}

/// Whether the headers of this peer count.
pub(crate) fn is_trusted(trusted: &[Cidr], peer: Option<IpAddr>) -> bool {
    trusted.iter().any(|network| network.contains(peer))
}

/// From the last hop backwards, the first address that is no proxy of ours.
fn forwarded_address(headers: &HeaderMap, trusted: &[Cidr]) -> Option<IpAddr> {
    let lines: Vec<&HeaderValue> = headers.get_all(FORWARDED_FOR).iter().collect();
    let hops = lines.iter().rev().filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
    let mut nearest = None;
    for hop in hops.take(MAX_HOPS) {
        let Some(address) = hop_address(hop.trim()) else { return nearest };
        nearest = Some(address);
        if !is_trusted(trusted, nearest) {
            return nearest;
        }
    }
    nearest
}

/// Some proxies write the port too.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let unbracketed = hop.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(address, _)| address);
    let address = unbracketed.unwrap_or(hop).parse::<IpAddr>().ok();
    address.or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
}

fn forwarded_base(headers: &HeaderMap) -> Option<String> {
    let scheme = last_entry(headers, &FORWARDED_PROTO)?.to_ascii_lowercase();
    let host = last_entry(headers, &FORWARDED_HOST).or_else(|| last_entry(headers, &HOST))?;
    let known = scheme == "http" || scheme == "https";
    (known && is_authority(host)).then(|| format!("{scheme}://{host}"))
}

fn last_entry<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim)
}

/// A host and perhaps a port; no user, no path, nothing that breaks out of a header.
fn is_authority(text: &str) -> bool {
    let plain = text.len() <= 260 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    let parsed = text.parse::<http::uri::Authority>().ok();
    plain && parsed.is_some_and(|authority| !authority.host().is_empty())
}

/// Checks a public URL and takes the slash from its end.
pub(crate) fn public_url(text: &str) -> Option<String> {
    let trimmed = text.trim_end_matches('/');
    let (scheme, rest) = trimmed.split_once("://")?;
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let path_is_right = path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"<>\\".contains(&b));
    let scheme_is_right = scheme == "http" || scheme == "https";
    (scheme_is_right && is_authority(authority) && path_is_right).then(|| trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(peer: &str, headers: &[(&'static str, &'static str)], public: Option<&str>) -> ClientOrigin {
        let trusted: Vec<Cidr> = ["10.0.0.0/8", "::1"].iter().map(|text| text.parse().unwrap()).collect();
        let connection = ConnectionInfo { peer: peer.parse().ok(), tls: false, encryption: None };
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap()));
        let mut map = HeaderMap::new();
        headers.for_each(|(name, value)| {
            map.append(name, value);
        });
        ClientOrigin::find(connection, &map, &trusted, public)
    }

    fn address(peer: &str, forwarded: &[&'static str]) -> String {
        let headers: Vec<_> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
        origin(peer, &headers, None).address.unwrap().to_string()
    }

    #[test]
    fn strangers_are_not_believed() {
        let evil = [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil"),
            ("host", "evil"),
        ];
        let found = origin("9.9.9.9", &evil, None);
        let nothing =
            ClientOrigin { address: None, base_url: None, is_secure: false, encryption: None, is_proxied: false };
        assert_eq!(found, ClientOrigin { address: "9.9.9.9".parse().ok(), ..nothing.clone() });
        assert_eq!(origin("unix", &evil, None), nothing);
    }

    #[test]
    fn the_last_hop_that_is_not_ours_is_the_client() {
        assert_eq!(address("10.0.0.1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["127.0.0.1, 1.1.1.1"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["2.2.2.2, 1.1.1.1, 10.2.2.2"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["2.2.2.2", "1.1.1.1"]), "1.1.1.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1:55"]), "1.1.1.1");
        assert_eq!(address("::1", &["[2001:db8::7]:55"]), "2001:db8::7");
        assert_eq!(address("10.0.0.1", &["10.3.3.3"]), "10.3.3.3");
        assert_eq!(address("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, junk, 10.0.0.9"]), "10.0.0.9");
        assert_eq!(address("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_proxy_tells_the_base() {
        let base = |headers: &[(&'static str, &'static str)]| origin("10.0.0.1", headers, None).base_url;
        let expected = Some("https://r.example:8443".to_owned());
        assert_eq!(base(&[("x-forwarded-proto", "https"), ("x-forwarded-host", "r.example:8443")]), expected);
        assert_eq!(base(&[("x-forwarded-proto", "http, HTTPS"), ("host", "r.example:8443")]), expected);
        assert_eq!(base(&[("x-forwarded-host", "r.example")]), None);
        assert_eq!(base(&[("x-forwarded-proto", "ftp"), ("x-forwarded-host", "r.example")]), None);
        for host in ["", "a/b", "a@b", "a b", "a?b", "caf\u{e9}", "a\"b"] {
            assert_eq!(base(&[("x-forwarded-proto", "https"), ("x-forwarded-host", host)]), None, "{host}");
        }
    }

    #[test]
    fn a_proxy_tells_whether_the_client_is_safe() {
        let is_secure = |peer, headers: &[(&'static str, &'static str)]| origin(peer, headers, None).is_secure;
        assert!(is_secure("10.0.0.1", &[("x-forwarded-proto", "https")]));
        assert!(!is_secure("10.0.0.1", &[("x-forwarded-proto", "https, http")]));
        assert!(!is_secure("9.9.9.9", &[("x-forwarded-proto", "https")]));
        assert!(!is_secure("10.0.0.1", &[]));
    }

    #[test]
    fn what_is_between_a_proxy_and_us_is_not_told_of_its_clients() {
        let encryption = Some(Encryption { version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256" });
        let trusted: [Cidr; 1] = ["10.0.0.0/8".parse().unwrap()];
        let told = |peer: &str, name: &'static str, value: &'static str| {
            let connection = ConnectionInfo { peer: peer.parse().ok(), tls: true, encryption };
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            ClientOrigin::find(connection, &headers, &trusted, None).encryption
        };
        assert_eq!(told("10.0.0.1", "x-forwarded-for", "1.1.1.1"), None);
        assert_eq!(told("10.0.0.1", "x-forwarded-proto", "https"), None);
        assert_eq!(told("10.0.0.1", "x-forwarded-host", "r.example"), encryption);
        assert_eq!(told("9.9.9.9", "x-forwarded-for", "1.1.1.1"), encryption);
    }

    #[test]
    fn the_public_url_wins() {
        let headers = [("x-forwarded-proto", "http"), ("x-forwarded-host", "other")];
        for peer in ["10.0.0.1", "9.9.9.9"] {
            assert_eq!(origin(peer, &headers, Some("https://r.example")).base_url.unwrap(), "https://r.example");
        }
    }

    #[test]
    fn public_urls_are_checked() {
        for (text, url) in
            [("https://a", "https://a"), ("http://a:5000/", "http://a:5000"), ("https://a/b/c", "https://a/b/c")]
        {
            assert_eq!(public_url(text).unwrap(), url);
        }
        for text in [
            "",
            "a",
            "ftp://a",
            "https://",
            "https://a?b",
            "https://a/b#c",
            "https://a b",
            "https://u@a",
            "https://a/\r\nX: y",
        ] {
            assert_eq!(public_url(text), None, "{text}");
        }
    }
}
