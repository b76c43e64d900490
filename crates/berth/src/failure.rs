//! How a command fails: with a text that says what to do, and an exit code.

use crate::config::Problem;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Wrong usage or configuration: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It could not run: exit code 3.
    #[error("{0}")]
    CouldNotRun(String),
}

impl Failure {
    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::CouldNotRun(_) => 3,
        }
    }

    /// Something that could not be done, and why.
    pub fn doing(what: &str, error: impl std::fmt::Display) -> Self {
        Self::CouldNotRun(format!("{what}: {error}"))
    }
}

impl From<Vec<Problem>> for Failure {
    fn from(problems: Vec<Problem>) -> Self {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Self::Usage(lines.join("\n"))
    }
}

impl From<berth_domain::Error> for Failure {
    fn from(error: berth_domain::Error) -> Self {
        match error {
            berth_domain::Error::WrongServerKey | berth_domain::Error::RepositoryUnknown(_) => {
                Self::Usage(error.to_string())
            }
            other => Self::CouldNotRun(other.to_string()),
        }
    }
}
