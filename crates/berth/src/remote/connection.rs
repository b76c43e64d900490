//! A server that is posted to over HTTP. No redirect is followed: what is signed or secret goes to the named server alone.

use std::time::Duration;

use reqwest::{Certificate, Url, redirect};

use crate::failure::Failure;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_mins(1);
/// More than any answer has: an account's identities with all documents come in pages.
const MOST_BYTES: usize = 64 * 1024 * 1024;
const AGENT: &str = concat!("berth/", env!("CARGO_PKG_VERSION"));

/// A server that is not asked anything yet.
pub struct Connection {
    http: reqwest::Client,
    url: Url,
    /// What names another server, for a message.
    hint: &'static str,
}

impl Connection {
    /// A connection to the server of an address, whose certificate must be from the file `ca_bundle`, else from whom the
    /// system trusts. `hint` says what names another server.
    pub fn new(url: &str, ca_bundle: Option<&str>, hint: &'static str) -> Result<Self, Failure> {
        let url = endpoint(url)?;
        let http = client(&url, ca_bundle.map(|path| (path, "AWS_CA_BUNDLE")))?;
        Ok(Self { http, url, hint })
    }

    /// The address that is posted to.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The header `Host` as it will be sent.
    pub fn host(&self) -> String {
        host(&self.url)
    }

    /// Posts; gives status and body.
    pub async fn post(&self, headers: &[(&str, &str)], body: String) -> Result<(u16, Vec<u8>), Failure> {
        let request = self.http.post(self.url.clone()).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        match body_of(response, MOST_BYTES).await {
            Ok(Some(bytes)) => Ok((status, bytes)),
            Ok(None) => Err(self.unexpected(status)),
            Err(error) => Err(self.unreachable(&error)),
        }
    }

    /// Whether the server takes a connection and, where the address has it, speaks TLS. Nothing secret is sent.
    pub async fn is_there(&self) -> bool {
        let asked = self.http.get(self.url.clone()).send().await;
        asked.is_ok_and(|answer| answer.status().as_u16() > 0)
    }

    /// An answer that no service of AWS's kind gives; 0 where there was none.
    pub fn unexpected(&self, status: u16) -> Failure {
        Failure::CouldNotRun(format!(
            "{} does not answer as Berth does (status {status}): is it the address of a registry? {}",
            self.url, self.hint
        ))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let reason = causes(error);
        Failure::CouldNotRun(format!(
            "{} cannot be reached: {reason}; {}, AWS_CA_BUNDLE a file with the certificates to trust",
            self.url, self.hint
        ))
    }
}

/// A client that trusts the certificates of a file, else those of the system, and follows nothing. The file comes with what
/// named it.
pub fn client(url: &Url, ca_bundle: Option<(&str, &str)>) -> Result<reqwest::Client, Failure> {
    let builder = reqwest::Client::builder()
        .user_agent(AGENT)
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_PATIENCE)
        .timeout(PATIENCE);
    let builder = if is_loopback(url) { builder.no_proxy() } else { builder };
    let builder = match ca_bundle {
        Some((path, named_by)) => builder.tls_certs_only(certificates(path, named_by)?),
        None => builder,
    };
    builder.build().map_err(|error| Failure::doing("TLS cannot be used", causes(&error)))
}

/// The whole body of an answer; none where it has more than `limit` bytes.
pub async fn body_of(mut response: reqwest::Response, limit: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// Whether an address names this machine: `localhost`, 127.0.0.0/8 or `::1`.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The address that is posted to.
fn endpoint(text: &str) -> Result<Url, Failure> {
    let wrong = |shown: &str, why: &str| {
        Failure::Usage(format!("the server's address {shown:?} {why}: write https://host or http://host:port"))
    };
    let url = Url::parse(text).map_err(|_| wrong(text.rsplit('@').next().unwrap_or_default(), "is no URL"))?;
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => {
            Err(wrong(url.host_str().unwrap_or_default(), "holds a user or password"))
        }
        _ if url.query().is_some() || url.fragment().is_some() => Err(wrong(text, "has a query or a fragment")),
        "http" | "https" if url.host_str().is_some() => Ok(url),
        _ => Err(wrong(text, "is not of http or https")),
    }
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn certificates(path: &str, named_by: &str) -> Result<Vec<Certificate>, Failure> {
    let wrong = |error: String| Failure::Usage(format!("{path}, which {named_by} names, cannot be used: {error}"));
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&text).map_err(|error| wrong(causes(&error)))?;
    if found.is_empty() { Err(wrong("there is no certificate in it".to_owned())) } else { Ok(found) }
}

/// An error with everything that led to it, without the address, which is told already.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = if text.is_empty() { more } else { format!("{text}: {more}") };
        }
        cause = error.source();
    }
    if text.is_empty() { "no answer".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for (text, expected) in [
            ("http://127.0.0.1:5000", Some(("127.0.0.1:5000", "/"))),
            ("https://registry.example.org", Some(("registry.example.org", "/"))),
            ("https://registry.example.org:443/", Some(("registry.example.org", "/"))),
            ("http://[::1]:80/berth", Some(("[::1]", "/berth"))),
            ("registry.example.org:5000", None),
            ("ftp://host", None),
            ("http://", None),
            ("http://user:hush@host", None),
            ("http://host/?x=1", None),
            ("", None),
        ] {
            let url = endpoint(text).ok();
            let got = url.as_ref().map(|url| (host(url), url.path()));
            let expected = expected.map(|(host, path): (&str, &str)| (host.to_owned(), path));
            assert_eq!(got, expected, "{text}");
        }
        for text in ["http://user:hush@host", "http://user:hush@[host"] {
            assert!(!endpoint(text).unwrap_err().to_string().contains("hush"), "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (host, expected) in [
            ("localhost:5000", true),
            ("127.0.0.9", true),
            ("[::1]:1", true),
            ("10.0.0.1", false),
            ("localhost.example", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(&format!("http://{host}")).unwrap()), expected, "{host}");
        }
    }
}
