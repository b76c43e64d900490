//! Why a request could not be read, in the words of AWS.

use super::{Fault, Protocol};

/// Why a request or an answer could not be read. Values that must not be shown are in no message.
///
/// Codes and statuses follow the lists of common errors in the references of the IAM and ECR APIs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The form is none: percent signs, characters, names or their number.
    #[error("{0}")]
    MalformedQuery(String),
    /// A parameter stands twice.
    #[error("{0}")]
    DuplicateParameter(String),
    /// The request names no operation.
    #[error("Missing Action")]
    MissingAction,
    /// The service has no such operation.
    #[error("Could not find operation {action} for version {version}")]
    InvalidAction {
        /// What was asked for.
        action: String,
        /// The version that it was asked of, or `NO_VERSION_SPECIFIED`.
        version: String,
    },
    /// Values break the constraints of their shapes.
    #[error("{0}")]
    Validation(String),
    /// Values are not of the type of their shapes.
    #[error("{0}")]
    Serialization(String),
    /// What a service answered is not what its model says. Only clients meet it.
    #[error("unexpected answer: {0}")]
    Answer(String),
}

impl ProtocolError {
    /// The code that a server of this protocol answers.
    pub fn code(&self, protocol: Protocol) -> &'static str {
        let query = matches!(protocol, Protocol::Query { .. });
        match self {
            Self::MalformedQuery(_) => "MalformedQueryString",
            Self::DuplicateParameter(_) => "InvalidParameterValue",
            Self::MissingAction if query => "MissingAction",
            Self::InvalidAction { .. } if query => "InvalidAction",
            Self::MissingAction | Self::InvalidAction { .. } => "UnknownOperationException",
            Self::Validation(_) if query => "ValidationError",
            Self::Validation(_) => "ValidationException",
            Self::Serialization(_) if query => "MalformedInput",
            Self::Serialization(_) => "SerializationException",
            Self::Answer(_) => "InternalFailure",
        }
    }

    /// The status that goes with it.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::MalformedQuery(_) => 404,
            Self::Answer(_) => 500,
            _ => 400,
        }
    }

    /// The answer that a server of this protocol gives.
    pub fn fault(&self, protocol: Protocol) -> Fault {
        let sender = !matches!(self, Self::Answer(_));
        Fault { sender, code: self.code(protocol).to_owned(), message: self.to_string() }
    }
}
