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
}

impl Failure {
    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Configuration(_) => 2,
            Self::CouldNotRun(_) => 3,
        }
    }

    /// The failure for machines.
    pub fn json(&self) -> Value {
        match self {
            Self::Configuration(problems) => json!({ "error": self.to_string(), "problems": problems }),
            Self::Usage(_) | Self::CouldNotRun(_) => json!({ "error": self.to_string() }),
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
