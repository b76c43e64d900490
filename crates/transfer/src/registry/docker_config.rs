//! What `docker login` left: the `config.json` of Docker, podman and their kin.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A user and what proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password or token.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A parsed file.
#[derive(Default, serde::Deserialize)]
pub struct DockerConfig {
    #[serde(default)]
    auths: Option<BTreeMap<String, Auth>>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
    #[serde(default, rename = "credHelpers")]
    helpers: Option<BTreeMap<String, String>>,
}

#[derive(Default, serde::Deserialize)]
struct Auth {
    #[serde(default, rename = "auth")]
    encoded: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
}

/// What a file says about one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Credentials.
    Credentials(Credentials),
    /// A program has them, which is not run here.
    Elsewhere(String),
    /// Nothing.
    Nothing,
}

/// A file that is no such configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no configuration as docker login writes it: {0}")]
pub struct DockerConfigError(String);

impl DockerConfig {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, DockerConfigError> {
        // The message of the parser tells a place, never the content: that may be a secret.
        let place = |error: &serde_json::Error| format!("line {} column {}", error.line(), error.column());
        serde_json::from_slice(bytes).map_err(|error| DockerConfigError(place(&error)))
    }

    /// What there is for a registry, by its host and port.
    pub fn find(&self, host: &str) -> Found {
        let named = self.auths.iter().flatten().find(|(key, _)| is_for(key, host));
        if let Some(credentials) = named.and_then(|(_, auth)| auth.credentials()) {
            return Found::Credentials(credentials);
        }
        let helper = self.helpers.iter().flatten().find(|(key, _)| is_for(key, host)).map(|(_, program)| program);
        match helper.or(named.and(self.store.as_ref())) {
            Some(program) => Found::Elsewhere(crate::error::clip(program)),
            None => Found::Nothing,
        }
    }
}

impl Auth {
    fn credentials(&self) -> Option<Credentials> {
        let plain = self.username.clone().zip(self.password.clone());
        let plain = plain.map(|(username, password)| Credentials { username, password });
        plain.or_else(|| self.encoded.as_deref().and_then(decode)).filter(|found| !found.username.is_empty())
    }
}

fn decode(text: &str) -> Option<Credentials> {
    let either = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = GeneralPurpose::new(&STANDARD, either).decode(text.trim()).ok()?;
    // Some old clients wrote a zero behind the password.
    let text = String::from_utf8(decoded).ok()?;
    let (username, password) = text.trim_end_matches('\0').split_once(':')?;
    Some(Credentials { username: username.to_owned(), password: password.to_owned() })
}

/// Whether a key of `auths` means this host: keys are hosts or addresses, of which all but the host is ignored.
fn is_for(key: &str, host: &str) -> bool {
    let without_scheme = key.split_once("://").map_or(key, |(_, rest)| rest);
    let own = without_scheme.split('/').next().unwrap_or_default();
    canonical(own).eq_ignore_ascii_case(canonical(host))
}

/// Docker Hub logs in under one name and serves under another.
fn canonical(host: &str) -> &str {
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(config: &str, host: &str) -> Found {
        DockerConfig::parse(config.as_bytes()).unwrap().find(host)
    }

    fn is(username: &str, password: &str) -> Found {
        Found::Credentials(Credentials { username: username.to_owned(), password: password.to_owned() })
    }

    #[test]
    fn credentials_are_found_by_host() {
        // user:secret, user:se:cret, user:secret\0
        let table = [
            (r#"{"auths":{"a.example":{"auth":"dXNlcjpzZWNyZXQ="}}}"#, "a.example", is("user", "secret")),
            (r#"{"auths":{"a.example":{"auth":"dXNlcjpzZWNyZXQ"}}}"#, "a.example", is("user", "secret")),
            (r#"{"auths":{"A.EXAMPLE":{"auth":"dXNlcjpzZTpjcmV0"}}}"#, "a.example", is("user", "se:cret")),
            (r#"{"auths":{"a.example":{"auth":"dXNlcjpzZWNyZXQA"}}}"#, "a.example", is("user", "secret")),
            (
                r#"{"auths":{"http://a.example:5000/v2/":{"username":"u","password":"p"}}}"#,
                "a.example:5000",
                is("u", "p"),
            ),
            (
                r#"{"auths":{"https://index.docker.io/v1/":{"username":"u","password":"p"}}}"#,
                "registry-1.docker.io",
                is("u", "p"),
            ),
            (r#"{"auths":{"a.example":{"auth":"dXNlcjpzZWNyZXQ="}}}"#, "b.example", Found::Nothing),
            (r#"{"auths":{"a.example":{"auth":"dXNlcjpzZWNyZXQ="}}}"#, "a.example:5000", Found::Nothing),
            (r#"{"auths":{"a.example":{"auth":"dXNlcjpzZWNyZXQ="}}}"#, "example", Found::Nothing),
            (r#"{"auths":{"a.example":{"auth":"%%%"}}}"#, "a.example", Found::Nothing),
            (r#"{"auths":{"a.example":{"auth":"dXNlcg=="}}}"#, "a.example", Found::Nothing),
            (r#"{"auths":{"a.example":{}},"credsStore":"pass"}"#, "a.example", Found::Elsewhere("pass".to_owned())),
            (r#"{"auths":{"b.example":{}},"credsStore":"pass"}"#, "a.example", Found::Nothing),
            (r#"{"credHelpers":{"a.example":"ecr-login"}}"#, "a.example", Found::Elsewhere("ecr-login".to_owned())),
            (r#"{"auths":null,"HttpHeaders":{"x":"y"}}"#, "a.example", Found::Nothing),
            ("{}", "a.example", Found::Nothing),
        ];
        for (config, host, expected) in table {
            assert_eq!(found(config, host), expected, "{config} {host}");
        }
    }

    #[test]
    fn a_message_about_a_bad_file_has_no_secret() {
        for bad in
            [r#"{"auths":{"a":{"auth":["hunter2secret"]}}}"#, r#"{"auths":"hunter2secret"}"#, "hunter2secret", ""]
        {
            let message = DockerConfig::parse(bad.as_bytes()).err().unwrap().to_string();
            assert!(!message.contains("hunter2"), "{message}");
        }
        let shown = format!("{:?}", Credentials { username: "u".to_owned(), password: "hunter2".to_owned() });
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    proptest! {
        #[test]
        fn what_docker_writes_is_read(username in "[^:\\p{Cc}]{1,20}", password in "[^\\p{Cc}]{0,20}") {
            let auth = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
            let config = format!(r#"{{"auths":{{"a.example":{{"auth":"{auth}"}}}}}}"#);
            prop_assert_eq!(found(&config, "a.example"), is(&username, &password));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, host in ".{0,20}") {
            if let Ok(config) = DockerConfig::parse(&bytes) {
                let _ = config.find(&host);
            }
        }
    }
}
