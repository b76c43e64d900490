//! Asking over HTTP: redirects, retries, and bounds on time and size. Knows nothing of registries.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{ACCEPT, AUTHORIZATION, LOCATION, RANGE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use crate::error::{clip, is_passing};
use crate::retry::retry_after;
use crate::{ByteStream, Retry, SourceError};

/// A registry sends a pull to its storage, and that perhaps to another place; more is a loop.
const MOST_REDIRECTS: usize = 5;
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for the head of an answer, or for its next bytes.
const PATIENCE: Duration = Duration::from_mins(1);
/// As much of an error's page is read for its message.
const ERROR_BYTES: usize = 16 * 1024;
const AGENT: &str = concat!("berth/", env!("CARGO_PKG_VERSION"));

/// A request.
#[derive(Clone)]
pub struct Ask {
    pub method: Method,
    pub url: Url,
    pub accept: Option<&'static str>,
    /// Ask for the bytes from here on.
    pub offset: u64,
    /// Sent to the host of `url` and to no other.
    pub authorization: Option<HeaderValue>,
}

impl Ask {
    pub const fn get(url: Url) -> Self {
        Self { method: Method::GET, url, accept: None, offset: 0, authorization: None }
    }

    /// The request in words, without the query: that may hold a signature.
    pub fn what(&self) -> String {
        let mut shown = self.url.clone();
        shown.set_query(None);
        shown.to_string()
    }
}

/// An answer whose body is still to be read.
pub struct Answer {
    pub what: String,
    pub url: Url,
    response: Response<Incoming>,
}

/// The client.
pub struct Http {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    retry: Retry,
}

impl Http {
    pub fn new(retry: Retry) -> Result<Self, SourceError> {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_connect_timeout(Some(CONNECT_PATIENCE));
        plain.set_nodelay(true);
        let builder = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls()?);
        let connector = builder.https_or_http().enable_http1().wrap_connector(plain);
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_max_idle_per_host(8);
        Ok(Self { client: client.build(connector), retry })
    }

    /// Sends a request, again and again where the source says "not now" or nothing; an answer may have any other status.
    pub async fn send(&self, ask: &Ask) -> Result<Answer, SourceError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let answer = self.follow(ask).await;
            let asked = match &answer {
                Ok(answer) if is_passing(answer.status()) => answer.retry_after(),
                Err(error) if error.is_passing() => None,
                _ => return answer,
            };
            let Some(pause) = self.retry.pause(tried, asked) else { return answer };
            tracing::info!(what = ask.what(), ?pause, "the source is asked again after a pause");
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends a request and follows where it is sent on to.
    async fn follow(&self, ask: &Ask) -> Result<Answer, SourceError> {
        let mut ask = ask.clone();
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.once(&ask).await?;
            let Some(target) = answer.redirect()? else { return Ok(answer) };
            if target.origin() != ask.url.origin() {
                ask.authorization = None;
            }
            ask.url = target;
        }
        Err(SourceError::Unusable(format!("{} is redirected more than {MOST_REDIRECTS} times", ask.what())))
    }

    async fn once(&self, ask: &Ask) -> Result<Answer, SourceError> {
        let what = ask.what();
        let failed = |reason: String| SourceError::Unreachable { what: what.clone(), reason };
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request(ask)?)).await;
        let response = answer.map_err(|_| failed("no answer within a minute".to_owned()))?;
        let response = response.map_err(|error| {
            if is_tls(&error) { without_trust(&ask.url, &causes(&error)) } else { failed(causes(&error)) }
        })?;
        Ok(Answer { what, url: ask.url.clone(), response })
    }
}

fn request(ask: &Ask) -> Result<Request<Empty<Bytes>>, SourceError> {
    let unusable = |_| SourceError::Unusable(format!("{} cannot be asked for", clip(&ask.what())));
    let mut request = Request::builder().method(&ask.method).uri(ask.url.as_str()).header(USER_AGENT, AGENT);
    if let Some(accept) = ask.accept {
        request = request.header(ACCEPT, accept);
    }
    if ask.offset > 0 {
        request = request.header(RANGE, format!("bytes={}-", ask.offset));
    }
    if let Some(authorization) = &ask.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    request.body(Empty::new()).map_err(unusable)
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.header(RETRY_AFTER.as_str()).and_then(retry_after)
    }

    /// Where the request is sent on to. Never from TLS to none, and never with credentials in the address.
    fn redirect(&self) -> Result<Option<Url>, SourceError> {
        if !matches!(self.status(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let refused = |why| SourceError::Unusable(format!("{} is redirected {why}", self.what));
        let location = self.header(LOCATION.as_str()).ok_or_else(|| refused("to nowhere"))?;
        let target = self.url.join(location).map_err(|_| refused("to what is no address"))?;
        match target.scheme() {
            _ if !target.username().is_empty() || target.password().is_some() => {
                Err(refused("to an address with a password"))
            }
            "https" => Ok(Some(target)),
            "http" if self.url.scheme() == "http" => Ok(Some(target)),
            _ => Err(refused("to where there is no TLS")),
        }
    }

    /// The whole body, which may have at most `limit` bytes.
    pub async fn body(self, limit: usize) -> Result<Bytes, SourceError> {
        let what = self.what.clone();
        let (bytes, whole) = self.beginning(limit).await?;
        if whole { Ok(bytes) } else { Err(SourceError::Unusable(format!("{what} has more than {limit} bytes"))) }
    }

    /// The first bytes of the body, and whether they are all.
    async fn beginning(self, limit: usize) -> Result<(Bytes, bool), SourceError> {
        let what = self.what;
        let mut body = self.response.into_body();
        let mut bytes = Vec::new();
        while let Some(chunk) = chunk(&mut body, &what).await? {
            let room = limit - bytes.len();
            bytes.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if chunk.len() > room {
                return Ok((bytes.into(), false));
            }
        }
        Ok((bytes.into(), true))
    }

    /// The body as it comes.
    pub fn stream(self) -> ByteStream {
        let start = (self.response.into_body(), self.what);
        Box::pin(stream::try_unfold(start, |(mut body, what)| async move {
            let chunk = chunk(&mut body, &what).await?;
            Ok(chunk.map(|chunk| (chunk, (body, what))))
        }))
    }

    /// The error that this answer is, with the source's words where it has some for us.
    pub async fn refusal(self) -> SourceError {
        let (what, status) = (self.what.clone(), self.status());
        let page = self.beginning(ERROR_BYTES).await.map(|(bytes, _)| bytes).unwrap_or_default();
        let said = said(&page);
        match status {
            404 => SourceError::Missing(what),
            401 | 403 => SourceError::Denied { what, said: said.unwrap_or_else(|| format!("status {status}")) },
            _ => SourceError::Status { what, status, said: said.map(|said| format!(": {said}")).unwrap_or_default() },
        }
    }
}

async fn chunk(body: &mut Incoming, what: &str) -> Result<Option<Bytes>, SourceError> {
    let failed = |reason: String| SourceError::Unreachable { what: what.to_owned(), reason };
    loop {
        let frame = tokio::time::timeout(PATIENCE, body.frame()).await;
        match frame.map_err(|_| failed("no byte for a minute".to_owned()))? {
            None => return Ok(None),
            Some(Err(error)) => return Err(failed(causes(&error))),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// The first message of an error as registries write it (distribution spec, "Error Codes").
fn said(page: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Page {
        errors: Vec<Said>,
    }
    #[derive(serde::Deserialize)]
    struct Said {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let page: Page = serde_json::from_slice(page).ok()?;
    let first = page.errors.into_iter().next()?;
    Some(clip(&format!("{} {}", first.code, first.message)).trim().to_owned()).filter(|text| !text.is_empty())
}

/// Whether it was TLS that failed: asking again will not help then.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let inner = inner.map(|inner| inner as &(dyn std::error::Error + 'static));
    error.is::<rustls::Error>() || inner.or_else(|| error.source()).is_some_and(is_tls)
}

fn without_trust(url: &Url, reason: &str) -> SourceError {
    let host = url.host_str().unwrap_or_default();
    SourceError::NotASource(format!(
        "TLS with {host} fails ({reason}): write http:// where it has no TLS; where its certificate is from an authority of your own, name that one's certificate in SSL_CERT_FILE"
    ))
}

/// An error with everything that led to it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    clip(&text)
}

/// The roots that the system trusts, or those in the files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
fn tls() -> Result<rustls::ClientConfig, SourceError> {
    let mut roots = rustls::RootCertStore::empty();
    let (_, unreadable) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    tracing::debug!(roots = roots.len(), unreadable, "certificates of this system");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SourceError::NotASource(format!("TLS cannot be used: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_words_are_short_and_plain() {
        let table = [
            (r#"{"errors":[{"code":"DENIED","message":"not you"}]}"#, Some("DENIED not you")),
            ("{\"errors\":[{\"code\":\"\\u001b[31mX\",\"message\":\"a\\nb\"}]}", Some("[31mX ab")),
            (r#"{"errors":[{}]}"#, None),
            (r#"{"errors":[]}"#, None),
            ("<html>", None),
            ("", None),
        ];
        for (page, expected) in table {
            assert_eq!(said(page.as_bytes()).as_deref(), expected, "{page}");
        }
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(5000));
        assert_eq!(said(long.as_bytes()).unwrap().len(), 199);
    }
}
