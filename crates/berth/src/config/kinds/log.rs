//! What is logged, and how.

use serde_json::Value;
use tracing_subscriber::filter::Targets;

use crate::config::setting::Kind;

/// Which events are logged.
#[derive(Debug, Clone, PartialEq)]
pub struct LogFilter {
    text: String,
    targets: Targets,
}

impl LogFilter {
    /// The filter for the subscriber.
    pub fn targets(&self) -> Targets {
        self.targets.clone()
    }
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// `LEVEL` or `target=LEVEL`, with nothing that the subscriber would take for something else: it reads a lone word that is
/// no level as a target, so that `inof` would log everything of a crate of that name.
fn is_directive(text: &str) -> bool {
    let (target, level) = text.split_once('=').unwrap_or(("berth", text));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b':';
    !target.is_empty() && target.bytes().all(plain) && LEVELS.contains(&level)
}

impl Kind for LogFilter {
    fn expected() -> String {
        "error, warn, info, debug, trace or off, or a list such as info,berth_http=debug".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let valid = text.split(',').all(is_directive);
        let targets = valid.then(|| text.parse().ok()).flatten()?;
        Some(Self { text: text.to_owned(), targets })
    }

    fn show(&self) -> Value {
        Value::from(self.text.as_str())
    }
}

impl Kind for LogFormat {
    fn expected() -> String {
        "text or json".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    fn show(&self) -> Value {
        Value::from(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}
