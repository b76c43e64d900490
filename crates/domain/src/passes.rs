//! Passes: everything that stands in for credentials for a while. Session tokens of STS, authorization tokens that docker logs
//! in with, bearer tokens of Docker's token flow.
//!
//! A pass is sealed with the server key, so it opens on every node, needs no row, and says nothing to whoever holds it. It
//! names whom it stands for, who is asked for again at each use: a pass dies with its user, role or access key.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_aws::{AccessKeyId, SecretAccessKey};
use berth_store::{Random, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::access::scopes::{Narrowing, Scope};
use crate::error::Error;
use crate::seal::ServerKey;

/// How long an authorization token is good for, unless the session that it was made with ends sooner.
pub const LOGIN_LIFE: Duration = Duration::from_hours(12);
/// How long a bearer token is good for.
pub const BEARER_LIFE: Duration = Duration::from_hours(1);
/// How long a download pass is good for.
pub const DOWNLOAD_LIFE: Duration = Duration::from_hours(1);
/// Longer texts are no passes of ours.
const MAX_CHARACTERS: usize = 16 * 1024;

/// What a pass may be used for. Each kind is sealed for itself, so one is never taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PassKind {
    /// The session token beside temporary credentials.
    Session,
    /// The password of the user `AWS`.
    Login,
    /// A bearer token.
    Bearer,
    /// What a download URL bears.
    Download,
}

impl PassKind {
    const fn owner(self) -> &'static str {
        match self {
            Self::Session => "session token",
            Self::Login => "authorization token",
            Self::Bearer => "bearer token",
            Self::Download => "download pass",
        }
    }
}

/// Whom a pass stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Holder {
    /// Nobody in particular.
    #[serde(rename = "n")]
    Nobody,
    /// The user of an access key.
    #[serde(rename = "k")]
    Key(String),
    /// Somebody with temporary credentials.
    #[serde(rename = "s")]
    Session(Box<SessionClaims>),
}

/// What temporary credentials say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionClaims {
    /// The access key id of the credentials: `ASIA...`.
    #[serde(rename = "k")]
    pub(crate) access_key_id: String,
    /// The long-term access key that everything began with; empty where a provider vouched.
    #[serde(rename = "o")]
    pub(crate) origin: String,
    /// The unique id of the identity provider that everything began with, and its kind: `oidc` or `saml`.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<(String, String)>,
    /// The unique id of the user or role.
    #[serde(rename = "p")]
    pub(crate) principal: String,
    /// The session's name: roles.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// When it was issued, in milliseconds.
    #[serde(rename = "i")]
    pub(crate) issued_at: Timestamp,
    /// When it ends, in milliseconds.
    #[serde(rename = "e")]
    pub(crate) expires_at: Timestamp,
    /// The session policy.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    /// Managed policies that narrow it like the session policy.
    #[serde(rename = "m", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) policy_arns: Vec<String>,
    /// Session tags.
    #[serde(rename = "t", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<(String, String)>,
    /// Keys of the tags that go on to the next role.
    #[serde(rename = "c", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) transitive: Vec<String>,
    /// Who is behind it.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_identity: Option<String>,
}

/// A pass, opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// Whom it stands for.
    #[serde(rename = "h")]
    pub(crate) holder: Holder,
    /// When it ends, in milliseconds.
    #[serde(rename = "e")]
    pub(crate) expires_at: Timestamp,
    /// To what it is narrowed: bearer tokens.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) scopes: Option<Vec<Scope>>,
    /// The account and region that the scopes are about, where it is not the server's own registry.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(crate) registry: Option<(String, String)>,
}

/// A pass as clients send it. Never printed.
#[derive(Clone)]
pub struct PassText(Zeroizing<String>);

impl PassText {
    /// The text, for the one answer that hands it out.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PassText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PassText(…)")
    }
}

impl Pass {
    /// To what it is narrowed.
    pub(crate) fn narrowing(&self) -> Option<Narrowing> {
        Some(Narrowing { scopes: self.scopes.clone()?, registry: self.registry.clone() })
    }

    /// Seals a pass.
    pub(crate) fn seal(&self, kind: PassKind, key: &ServerKey, random: &dyn Random) -> Result<PassText, Error> {
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(|_| Error::WrongServerKey)?);
        let sealed = key.seal(kind.owner(), &plain, random).ok_or(Error::WrongServerKey)?;
        Ok(PassText(Zeroizing::new(URL_SAFE_NO_PAD.encode(sealed))))
    }

    /// Opens a pass of a kind; `None` where it is not one that this registry sealed. Whether it has ended is not looked at.
    pub(crate) fn open(text: &str, kind: PassKind, key: &ServerKey) -> Option<Self> {
        if text.len() > MAX_CHARACTERS {
            return None;
        }
        let plain = key.open(kind.owner(), &URL_SAFE_NO_PAD.decode(text).ok()?)?;
        serde_json::from_slice(&plain).ok()
    }
}

/// The secret of temporary credentials: it follows from their id and the server key.
pub(crate) fn session_secret(id: &AccessKeyId, key: &ServerKey) -> SecretAccessKey {
    let mut seed = [0; 40];
    let (first, second) = seed.split_at_mut(32);
    first.copy_from_slice(&key.sign(&[b"session secret", id.as_str().as_bytes(), b"1"]));
    second.copy_from_slice(&key.sign(&[b"session secret", id.as_str().as_bytes(), b"2"])[..8]);
    SecretAccessKey::from_random(seed)
}

#[cfg(test)]
mod tests {
    use berth_store::SystemRandom;

    use super::*;

    fn pass() -> Pass {
        Pass {
            holder: Holder::Key("AKIA".to_owned()),
            expires_at: Timestamp::from_millis(7),
            scopes: None,
            registry: None,
        }
    }

    #[test]
    fn a_pass_opens_for_its_kind_and_key_only() {
        let key = ServerKey::generate(&SystemRandom);
        let text = pass().seal(PassKind::Login, &key, &SystemRandom).unwrap();
        assert_eq!(Pass::open(text.reveal(), PassKind::Login, &key), Some(pass()));
        assert_eq!(Pass::open(text.reveal(), PassKind::Session, &key), None);
        assert_eq!(Pass::open(text.reveal(), PassKind::Login, &ServerKey::generate(&SystemRandom)), None);
        for bad in ["", "a", "!!", &"a".repeat(MAX_CHARACTERS + 1), &text.reveal()[1..]] {
            assert_eq!(Pass::open(bad, PassKind::Login, &key), None);
        }
        assert!(!format!("{text:?}").contains(text.reveal()));
    }

    #[test]
    fn every_bit_of_a_pass_counts() {
        let key = ServerKey::generate(&SystemRandom);
        let text = pass().seal(PassKind::Bearer, &key, &SystemRandom).unwrap();
        let sealed = URL_SAFE_NO_PAD.decode(text.reveal()).unwrap();
        for nth in 0..sealed.len() {
            let mut other = sealed.clone();
            other[nth] ^= 1;
            assert_eq!(Pass::open(&URL_SAFE_NO_PAD.encode(other), PassKind::Bearer, &key), None, "{nth}");
        }
    }

    #[test]
    fn a_session_secret_follows_from_id_and_key() {
        let (key, other) = (ServerKey::generate(&SystemRandom), ServerKey::generate(&SystemRandom));
        let id = AccessKeyId::parse("ASIAAAAAAAAAAAAAAAAA").unwrap();
        let secret = session_secret(&id, &key);
        assert!(session_secret(&id, &key).matches(secret.reveal().as_bytes()));
        assert!(!session_secret(&id, &other).matches(secret.reveal().as_bytes()));
    }
}
