//! Answering challenges: Basic, and tokens of a token server (distribution's "Token Authentication Specification").

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use tokio::sync::OnceCell;
use url::Url;

use super::address::RegistryAddress;
use super::challenge::{self, Challenge};
use super::docker_config::Credentials;
use super::http::{Answer, Ask, Http};
use crate::SourceError;

const TOKEN_BYTES: usize = 1024 * 1024;
/// Tokens kept: one for each repository that is being read.
const KEPT: usize = 64;

/// Token servers on hosts of their own that belong to a registry.
const TOKEN_SERVERS: [(&str, &str); 2] =
    [("registry-1.docker.io", "auth.docker.io"), ("registry.gitlab.com", "gitlab.com")];

/// What is known about getting in.
pub struct Login {
    credentials: Option<Credentials>,
    /// The host of a token server that the operator trusts with the password.
    token_server: Option<String>,
    granted: Mutex<HashMap<String, HeaderValue>>,
    /// What the registry's root asks for; nothing where it lets everybody in.
    wanted: OnceCell<Vec<Challenge>>,
}

#[derive(serde::Deserialize)]
struct Token {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

impl Login {
    pub fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, token_server: None, granted: Mutex::default(), wanted: OnceCell::new() }
    }

    /// The same, with a token server that may be told the password: a host, with a port where it is not 443.
    pub fn trusting(self, token_server: Option<String>) -> Self {
        Self { token_server, ..self }
    }

    /// What let us in last time.
    pub fn granted(&self, scope: &str) -> Option<HeaderValue> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned()
    }

    fn remember(&self, scope: &str, header: &HeaderValue) {
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        if granted.len() >= KEPT {
            granted.clear();
        }
        granted.insert(scope.to_owned(), header.clone());
    }

    /// Logs in before anything is asked for: a registry that shows a part to everybody shows the rest only then. Nothing
    /// where there is no login, or the registry wants none.
    pub async fn begin(
        &self,
        http: &Http,
        home: &RegistryAddress,
        scope: &str,
    ) -> Result<Option<HeaderValue>, SourceError> {
        if self.credentials.is_none() {
            return Ok(None);
        }
        let wanted = self.wanted.get_or_try_init(|| async {
            let answer = http.send(&Ask::get(home.at("/v2/"))).await?;
            let at_home = answer.status() == 401 && home.is_home_of(&answer.url);
            Ok::<_, SourceError>(if at_home { challenges(&answer) } else { Vec::new() })
        });
        match wanted.await? {
            wanted if wanted.is_empty() => Ok(None),
            wanted => self.meet(http, home, wanted, scope).await.map(Some),
        }
    }

    /// What the challenge of an answer asks for.
    pub async fn answer(
        &self,
        http: &Http,
        home: &RegistryAddress,
        answer: &Answer,
        scope: &str,
    ) -> Result<HeaderValue, SourceError> {
        self.meet(http, home, &challenges(answer), scope).await
    }

    async fn meet(
        &self,
        http: &Http,
        home: &RegistryAddress,
        challenges: &[Challenge],
        scope: &str,
    ) -> Result<HeaderValue, SourceError> {
        let of = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let header = match (of("bearer"), of("basic")) {
            (Some(bearer), _) => self.token(http, home, bearer, scope).await?,
            (None, Some(_)) => self.basic().ok_or_else(|| self.refused(home))?,
            (None, None) => {
                let text = format!("{} asks for a login in a way that is not known here", home.host());
                return Err(SourceError::Login(text));
            }
        };
        self.remember(scope, &header);
        Ok(header)
    }

    /// The error of one who did not get in.
    pub fn refused(&self, home: &RegistryAddress) -> SourceError {
        let host = home.host();
        SourceError::Login(match &self.credentials {
            None => format!(
                "{host} asks for a login: set BERTH_IMPORT_USERNAME and BERTH_IMPORT_PASSWORD, or log in with docker login {host}"
            ),
            Some(credentials) => format!(
                "{host} refuses the login of {}: check the password, and whether this user may pull what is to be imported",
                crate::error::clip(&credentials.username)
            ),
        })
    }

    fn basic(&self) -> Option<HeaderValue> {
        let Credentials { username, password } = self.credentials.as_ref()?;
        secret(&format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
    }

    async fn token(
        &self,
        http: &Http,
        home: &RegistryAddress,
        challenge: &Challenge,
        scope: &str,
    ) -> Result<HeaderValue, SourceError> {
        let broken = |why: &str| SourceError::Login(format!("the login of {} cannot be used: {why}", home.host()));
        let realm = challenge.parameter("realm").and_then(|realm| Url::parse(realm).ok());
        let mut url = realm.ok_or_else(|| broken("it names no token server"))?;
        let scope = challenge.parameter("scope").unwrap_or(scope);
        {
            let mut query = url.query_pairs_mut();
            challenge.parameter("service").map(|service| query.append_pair("service", service));
            query.append_pair("scope", scope);
        }
        let is_trusted = may_know(home, &url, self.token_server.as_deref());
        let (authorization, server) = (self.basic().filter(|_| is_trusted), host(&url));
        let answer = http.send(&Ask { authorization, ..Ask::get(url) }).await?;
        match answer.status() {
            200 => {}
            401 | 403 if self.credentials.is_some() && !is_trusted => {
                return Err(broken(&format!(
                    "its token server {server} is another host, which is not told the password unless --token-server {server} \
                     names it, and both have TLS"
                )));
            }
            401 | 403 => return Err(self.refused(home)),
            _ => return Err(answer.refusal().await),
        }
        let token: Token = serde_json::from_slice(&answer.body(TOKEN_BYTES).await?)
            .map_err(|_| broken("the token server's answer is no token"))?;
        let token = token.token.or(token.access_token).filter(|token| !token.is_empty());
        let header = token.and_then(|token| secret(&format!("Bearer {token}")));
        header.ok_or_else(|| broken("the token server gave none"))
    }
}

fn challenges(answer: &Answer) -> Vec<Challenge> {
    let headers = answer.headers().get_all(WWW_AUTHENTICATE);
    headers.iter().filter_map(|value| value.to_str().ok()).flat_map(challenge::parse).collect()
}

/// Whether a token server may be told the password: the registry itself, or by TLS on both sides one that is known to belong to
/// it or that the operator names. That the registry names it is not enough: its answer would then decide who gets the password.
fn may_know(home: &RegistryAddress, realm: &Url, named: Option<&str>) -> bool {
    let is_plain = realm.username().is_empty() && realm.password().is_none();
    let server = host(realm);
    let is_known = || {
        let ours = TOKEN_SERVERS.iter().any(|(registry, token)| *registry == home.host() && *token == server);
        home.is_secure() && realm.scheme() == "https" && (ours || named == Some(server.as_str()))
    };
    is_plain && (home.is_home_of(realm) || is_known())
}

/// The host of an address, and its port where that is not the scheme's own.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_goes_to_the_registry_or_over_tls_to_a_token_server_that_is_trusted() {
        let named = Some("auth.example");
        let table = [
            ("https://a.example", "https://a.example/token", None, true),
            ("https://a.example", "https://auth.example/token", None, false),
            ("https://a.example", "https://auth.example/token", named, true),
            ("https://a.example", "https://auth.example:444/token", named, false),
            ("https://a.example", "https://auth.example.evil.example/token", named, false),
            ("https://a.example", "http://auth.example/token", named, false),
            ("https://a.example", "http://a.example/token", None, false),
            ("http://a.example", "http://a.example/token", None, true),
            ("http://a.example", "http://a.example:81/token", None, false),
            ("http://a.example", "https://auth.example/token", named, false),
            ("https://a.example", "https://u:p@a.example/token", None, false),
            ("docker.io", "https://auth.docker.io/token", None, true),
            ("docker.io", "https://gitlab.com/jwt/auth", None, false),
            ("registry.gitlab.com", "https://gitlab.com/jwt/auth", None, true),
            ("a.example", "https://auth.docker.io/token", None, false),
        ];
        for (home, realm, named, expected) in table {
            let home = RegistryAddress::parse(home).unwrap();
            assert_eq!(may_know(&home, &Url::parse(realm).unwrap(), named), expected, "{home:?} {realm}");
        }
    }
}
