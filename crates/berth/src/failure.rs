//! How a command fails: with a text that says what to do, and an exit code.

use serde_json::{Value, json};

use crate::config::Problem;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Wrong usage: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Wrong configuration, all of what is wrong with it: exit code 2.
    #[error("{}", lines(.0))]
    Configuration(Vec<Problem>),
    /// It could not run: exit code 3.
    #[error("{0}")]
    CouldNotRun(String),
    /// The server said no, in AWS's terms: exit code 2 where the request is to blame, else 3.
    #[error("{code}: {message}{}", next_step(code))]
    Refused {
        /// AWS's code, such as `NoSuchEntity`.
        code: String,
        /// Its words.
        message: String,
        /// Whether another request would help; not so where it is about who asks, or about the server.
        by_request: bool,
    },
}

/// What to do about a code of AWS, where that is not in its message.
fn next_step(code: &str) -> &'static str {
    match code {
        "InvalidClientTokenId" | "UnrecognizedClientException" => {
            "; the access key is unknown there: check the key, the profile, and --endpoint-url"
        }
        "SignatureDoesNotMatch" | "InvalidSignatureException" => "; check the secret access key",
        "ExpiredToken" | "ExpiredTokenException" => "; get new credentials, for instance with berth role assume",
        _ => "",
    }
}

impl Failure {
    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Configuration(_) | Self::Refused { by_request: true, .. } => 2,
            Self::CouldNotRun(_) | Self::Refused { .. } => 3,
        }
    }

    /// The failure for machines.
    pub fn json(&self) -> Value {
        match self {
            Self::Configuration(problems) => json!({ "error": self.to_string(), "problems": problems }),
            Self::Refused { code, .. } => json!({ "error": self.to_string(), "code": code }),
            Self::Usage(_) | Self::CouldNotRun(_) => json!({ "error": self.to_string() }),
        }
    }

    /// The failure, and at which step of several it came.
    #[must_use]
    pub fn at(self, step: &str) -> Self {
        match self {
            Self::Usage(text) => Self::Usage(format!("{step}: {text}")),
            Self::CouldNotRun(text) => Self::CouldNotRun(format!("{step}: {text}")),
            Self::Refused { code, message, by_request } => {
                Self::Refused { code, message: format!("{message} At {step}."), by_request }
            }
            Self::Configuration(problems) => Self::Configuration(problems),
        }
    }

    /// Something that could not be done, and why.
    pub fn doing(what: &str, error: impl std::fmt::Display) -> Self {
        Self::CouldNotRun(format!("{what}: {error}"))
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Configuration(problems)
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl From<berth_domain::Error> for Failure {
    fn from(error: berth_domain::Error) -> Self {
        match error {
            berth_domain::Error::RepositoryUnknown(_) => Self::Usage(error.to_string()),
            other => Self::CouldNotRun(other.to_string()),
        }
    }
}
