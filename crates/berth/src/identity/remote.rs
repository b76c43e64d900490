//! Asking a server over HTTP, with requests that are signed.

use std::time::Duration;

use berth_aws::ecr::ECR;
use berth_aws::protocol::{Fault, Protocol, Sensitive, Service, json as json11};
use berth_aws::sigv4::{PathStyle, SignedRequest, Signing, sign};
use berth_store::{Clock as _, SystemClock};
use reqwest::{Certificate, Url, redirect};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::credentials::Found;
use crate::failure::Failure;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_mins(1);
/// More than any answer has: an account's identities with all documents come in pages.
const MOST_BYTES: usize = 64 * 1024 * 1024;
const AGENT: &str = concat!("berth/", env!("CARGO_PKG_VERSION"));
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON: &str = "application/x-amz-json-1.1";

/// A server and the key to sign requests with.
pub struct Client {
    http: reqwest::Client,
    url: Url,
    found: Found,
}

impl Client {
    /// A client of a server that is not asked anything yet.
    pub fn new(found: Found) -> Result<Self, Failure> {
        let url = endpoint(&found.url)?;
        let builder = reqwest::Client::builder()
            .user_agent(AGENT)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_PATIENCE)
            .timeout(PATIENCE);
        let builder = match &found.ca_bundle {
            Some(path) => builder.tls_certs_only(certificates(path)?),
            None => builder,
        };
        let http = builder.build().map_err(|error| Failure::doing("TLS cannot be used", causes(&error)))?;
        Ok(Self { http, url, found })
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        &self.found.region
    }

    /// Posts a form of the Query protocol to a service; gives status and body.
    pub async fn query(&self, service: &str, form: String) -> Result<(u16, Vec<u8>), Failure> {
        self.post(service, &[("content-type", FORM)], form).await
    }

    /// The token that `docker login` takes as password of the user `AWS` (`GetAuthorizationToken`), in base64 with that name.
    pub async fn authorization_token(&self) -> Result<Sensitive, Failure> {
        let answer: berth_aws::ecr::shapes::GetAuthorizationTokenResponse =
            self.json(&ECR, "ecr", "GetAuthorizationToken", &json!({})).await?;
        let first = answer.authorization_data.unwrap_or_default().into_iter().next();
        first.and_then(|data| data.authorization_token).ok_or_else(|| self.unexpected(200))
    }

    /// Asks for an operation of a service that speaks JSON; gives its answer.
    pub async fn json<T: DeserializeOwned>(
        &self,
        service: &Service,
        signed_for: &str,
        name: &str,
        input: &Value,
    ) -> Result<T, Failure> {
        let operation = service.operation(name).ok_or_else(|| self.unexpected(0))?;
        let Protocol::Json11 { target_prefix } = service.protocol else { return Err(self.unexpected(0)) };
        let target = format!("{target_prefix}.{name}");
        let body = json11::build_request(operation, input);
        let body = body.map_err(|error| Failure::doing("the request cannot be written", error))?;
        let (status, answer) =
            self.post(signed_for, &[("content-type", JSON), ("x-amz-target", &target)], body).await?;
        if status != 200 {
            let fault = json11::parse_fault(&answer, status).map_err(|_| self.unexpected(status))?;
            return Err(refused(fault));
        }
        json11::parse_result(operation, &answer).map_err(|_| self.unexpected(status))
    }

    async fn post(
        &self,
        service: &str,
        headers: &[(&'static str, &str)],
        body: String,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let signed = self.signed(service, headers, &body)?;
        let mut request = self.http.post(self.url.clone()).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err(self.unexpected(status));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((status, bytes))
    }

    fn signed(
        &self,
        service: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        let keys = &self.found.keys;
        let host = host(&self.url);
        let given = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        let headers: Vec<_> = std::iter::once(("host", host.as_bytes())).chain(given).collect();
        let request = SignedRequest { method: "POST", path: self.url.path(), query: None, headers: &headers };
        let signing = Signing {
            access_key_id: &keys.access_key_id,
            secret: &keys.secret_access_key,
            session_token: keys.session_token.as_deref().map(String::as_str),
            region: &self.found.region,
            service,
            now: SystemClock.now().as_millis().div_euclid(1000),
            payload_sha256: Sha256::digest(body).into(),
            path_style: PathStyle::Normalized,
            declare_payload: false,
        };
        sign(&request, &signing).map_err(|error| Failure::Usage(format!("the request cannot be signed: {error}")))
    }

    /// An answer that no service of AWS's kind gives; 0 where there was none.
    pub fn unexpected(&self, status: u16) -> Failure {
        Failure::CouldNotRun(format!(
            "{} does not answer as Berth does (status {status}): is it the address of a registry? --endpoint-url names another",
            self.url
        ))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let reason = causes(error);
        Failure::CouldNotRun(format!(
            "{} cannot be reached: {reason}; --endpoint-url names another server, AWS_CA_BUNDLE a file with the \
             certificates to trust",
            self.url
        ))
    }
}

/// What a server said no with.
pub fn refused(fault: Fault) -> Failure {
    /// About who asks, not about what is asked.
    const STANDING: [&str; 14] = [
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "Throttling",
        "ThrottlingException",
        "UnrecognizedClientException",
    ];
    let by_request = fault.sender && !STANDING.contains(&fault.code.as_str());
    let plain = |text: String| text.chars().filter(|character| !character.is_control()).collect();
    Failure::Refused { code: plain(fault.code), message: plain(fault.message), by_request }
}

/// The address that is posted to.
fn endpoint(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| {
        Failure::Usage(format!("the server's address {text:?} {why}: write https://host or http://host:port"))
    };
    let url = Url::parse(text).map_err(|_| wrong("is no URL"))?;
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => Err(wrong("holds a user or password")),
        _ if url.query().is_some() || url.fragment().is_some() => Err(wrong("has a query or a fragment")),
        "http" | "https" if url.host_str().is_some() => Ok(url),
        _ => Err(wrong("is not of http or https")),
    }
}

/// The header `Host` as it will be sent.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn certificates(path: &str) -> Result<Vec<Certificate>, Failure> {
    let wrong = |error: String| Failure::Usage(format!("{path}, which AWS_CA_BUNDLE names, cannot be used: {error}"));
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&text).map_err(|error| wrong(causes(&error)))?;
    if found.is_empty() { Err(wrong("there is no certificate in it".to_owned())) } else { Ok(found) }
}

/// An error with everything that led to it, without the address, which is told already.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = if text.is_empty() { more } else { format!("{text}: {more}") };
        }
        cause = error.source();
    }
    if text.is_empty() { error.to_string() } else { text }
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
    }

    #[test]
    fn the_exit_code_tells_who_is_to_blame() {
        for (code, sender, exit) in [
            ("NoSuchEntity", true, 2),
            ("MalformedPolicyDocument", true, 2),
            ("AccessDenied", true, 3),
            ("SignatureDoesNotMatch", true, 3),
            ("ServiceFailure", false, 3),
        ] {
            let fault = Fault { sender, code: code.to_owned(), message: "no\u{1b}[2J".to_owned() };
            let failure = refused(fault);
            assert_eq!(failure.code(), exit, "{code}");
            assert!(failure.to_string().starts_with(&format!("{code}: no[2J")), "{failure}");
            assert_eq!(failure.json()["code"], code);
        }
    }
}
