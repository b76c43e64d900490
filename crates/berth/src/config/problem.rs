//! What is wrong with a configuration.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use super::origin::Origin;
use super::setting::Setting;

/// Values longer than this are cut in messages, in characters.
const SHOWN: usize = 80;

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it stands.
    #[serde(serialize_with = "as_text")]
    pub origin: Origin,
    /// The setting concerned, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setting: Option<Cow<'static, str>>,
    /// What was given, where that was a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// What is wrong with it, and what is expected.
    pub message: String,
}

fn as_text<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(origin)
}

impl Problem {
    /// A problem of no setting in particular.
    pub fn new(origin: Origin, message: impl Into<String>) -> Self {
        Self { origin, setting: None, given: None, message: message.into() }
    }

    /// A value that its setting does not accept.
    pub fn refused(origin: Origin, key: impl Into<Cow<'static, str>>, setting: &Setting, given: &str) -> Self {
        let message = format!("expected {}", setting.expected());
        Self { origin, setting: Some(key.into()), given: Some(cut(given)), message }
    }

    /// A value that does not go with the others.
    pub fn unfit(origin: Origin, key: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { origin, setting: Some(key.into()), given: None, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if let Some(setting) = &self.setting {
            write!(f, "{setting}: ")?;
        }
        if let Some(given) = &self.given {
            write!(f, "got {given}, ")?;
        }
        f.write_str(&self.message)
    }
}

fn cut(text: &str) -> String {
    printable(&without_password(text), SHOWN)
}

/// Addresses may have credentials before their host; no setting takes them, and no message repeats them.
fn without_password(text: &str) -> Cow<'_, str> {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((before, host))) if before.len() > scheme.len() => {
            format!("{scheme}://...@{host}").into()
        }
        _ => text.into(),
    }
}

/// `text` with at most `longest` characters and no control characters, which a file could use to write on a terminal.
pub(super) fn printable(text: &str, longest: usize) -> String {
    let mut short: String = text.chars().take(longest).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(longest).is_some() {
        short.push('…');
    }
    short
}
