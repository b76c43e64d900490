//! The identity provider: what it says of itself ("`OpenID` Connect Discovery 1.0"), and where the browser goes.

use reqwest::Url;
use serde::Deserialize;

use super::secrets::Secrets;
use crate::failure::Failure;
use crate::remote::connection::{body_of, causes, client, is_loopback};

const MOST_BYTES: usize = 1024 * 1024;
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Who is believed to be the provider.
pub struct Trust {
    /// A file with certificates.
    pub ca: Option<String>,
    /// Whether there may be a provider on this machine without TLS.
    pub allow_http: bool,
}

/// A provider.
pub struct Provider {
    /// Its name.
    pub issuer: String,
    /// Whether it says who it is with every code (RFC 9207).
    pub names_itself: bool,
    authorization: Url,
    token: Url,
    http: reqwest::Client,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Provider {
    /// Asks an issuer what it offers. Redirects are not followed, and it must name itself as it is named here.
    pub async fn discover(issuer: &str, trust: &Trust) -> Result<Self, Failure> {
        let url = checked(&format!("{}{WELL_KNOWN}", issuer.trim_end_matches('/')), trust)
            .map_err(|why| Failure::Usage(format!("--issuer {why}")))?;
        if url.query().is_some() || url.fragment().is_some() || !url.path().ends_with(WELL_KNOWN) {
            return Err(Failure::Usage("--issuer has a query or a fragment".to_owned()));
        }
        let http = client(&url, trust.ca.as_deref().map(|path| (path, "--issuer-ca")))?;
        let wrong = |why: &str| Failure::CouldNotRun(format!("{url}: {why}"));
        let (status, body) = read(http.get(url.clone())).await.map_err(|why| wrong(&why))?;
        if status != 200 {
            return Err(wrong(&format!("status {status}, where the provider should tell of itself")));
        }
        let document = serde_json::from_slice(&body).map_err(|_| wrong("this is no OpenID provider's document"))?;
        Self::new(issuer, document, trust, http).map_err(|why| wrong(&why))
    }

    fn new(issuer: &str, document: Document, trust: &Trust, http: reqwest::Client) -> Result<Self, String> {
        if document.issuer != issuer {
            return Err(format!("it calls itself {:?}, not {issuer:?}", document.issuer));
        }
        if document.code_challenge_methods_supported.is_some_and(|methods| methods.iter().all(|name| name != "S256")) {
            return Err("it does not know PKCE with S256".to_owned());
        }
        let endpoint = |name: &str, text: &str| checked(text, trust).map_err(|why| format!("its {name} {why}"));
        Ok(Self {
            issuer: document.issuer,
            names_itself: document.authorization_response_iss_parameter_supported,
            authorization: endpoint("authorization_endpoint", &document.authorization_endpoint)?,
            token: endpoint("token_endpoint", &document.token_endpoint)?,
            http,
        })
    }

    /// Where the browser goes.
    pub fn address(&self, client_id: &str, scope: &str, return_to: &str, secrets: &Secrets) -> Url {
        let mut url = self.authorization.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", client_id)
            .append_pair("redirect_uri", return_to)
            .append_pair("scope", scope)
            .append_pair("state", &secrets.state)
            .append_pair("nonce", &secrets.nonce)
            .append_pair("code_challenge", &secrets.challenge())
            .append_pair("code_challenge_method", "S256");
        url
    }

    /// Posts a form to the token endpoint; gives status and body.
    pub async fn exchange(&self, form: String) -> Result<(u16, Vec<u8>), Failure> {
        let request = self.http.post(self.token.clone()).body(form);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").header("accept", "application/json");
        read(request).await.map_err(|why| Failure::CouldNotRun(format!("{}: {why}", self.token)))
    }
}

async fn read(request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), String> {
    let response = request.send().await.map_err(|error| format!("it cannot be reached: {}", causes(&error)))?;
    let status = response.status().as_u16();
    let body = body_of(response, MOST_BYTES).await.map_err(|error| causes(&error))?;
    body.map(|body| (status, body)).ok_or_else(|| "its answer is too long".to_owned())
}

/// An address with TLS, or without on this machine where that is allowed.
fn checked(text: &str, trust: &Trust) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is no URL".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user or password".to_owned());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if trust.allow_http && is_loopback(&url) => Ok(url),
        _ => Err("is not of https".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_document_must_be_the_issuers_own() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = json!({
            "issuer": "https://a.example", "authorization_endpoint": "https://a.example/auth?x=1",
            "token_endpoint": "https://b.example/token",
        });
        let with = |name: &str, value: Value| {
            let mut document = base.clone();
            document[name] = value;
            document
        };
        for (document, allow_http, problem) in [
            (base.clone(), false, None),
            (with("code_challenge_methods_supported", json!(["plain", "S256"])), false, None),
            (with("code_challenge_methods_supported", json!(["plain"])), false, Some("PKCE")),
            (with("issuer", json!("https://a.example/")), false, Some("calls itself")),
            (with("issuer", json!("https://evil.example")), false, Some("calls itself")),
            (with("token_endpoint", json!("http://a.example/token")), true, Some("its token_endpoint is not of https")),
            (
                with("token_endpoint", json!("http://127.0.0.1/token")),
                false,
                Some("its token_endpoint is not of https"),
            ),
            (with("token_endpoint", json!("http://127.0.0.1/token")), true, None),
            (with("authorization_endpoint", json!("file:///etc")), true, Some("its authorization_endpoint")),
            (with("authorization_endpoint", json!("https://u:hush@a.example")), true, Some("holds a user")),
        ] {
            let parsed: Document = serde_json::from_value(document.clone()).unwrap();
            let trust = Trust { ca: None, allow_http };
            let made = Provider::new("https://a.example", parsed, &trust, reqwest::Client::new());
            match (made, problem) {
                (Ok(_), None) => {}
                (Err(why), Some(words)) => assert!(why.contains(words) && !why.contains("hush"), "{why}"),
                (made, _) => panic!("{document}: {:?}", made.err()),
            }
        }
    }
}
