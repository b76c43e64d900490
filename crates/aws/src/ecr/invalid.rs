//! Why a setting is refused.

use std::fmt::Display;

/// Why ECR refuses a setting: the exception and its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// By which programs tell errors apart.
    pub exception: Exception,
    /// What was wrong and what is allowed, for people.
    pub message: String,
}

/// The exceptions of ECR's model that the rules here answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exception {
    /// A value is not what its parameter takes.
    InvalidParameter,
    /// The request is not what the operation takes.
    Validation,
    /// There is one too many.
    LimitExceeded,
    /// A tag of a resource is none.
    InvalidTagParameter,
    /// A resource would have too many tags.
    TooManyTags,
    /// A registry that a pull through cache cannot ask.
    UnsupportedUpstreamRegistry,
    /// Of encryption with keys of KMS.
    Kms,
}

impl Exception {
    /// The name of its shape in the model, for instance `InvalidParameterException`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidParameter => "InvalidParameterException",
            Self::Validation => "ValidationException",
            Self::LimitExceeded => "LimitExceededException",
            Self::InvalidTagParameter => "InvalidTagParameterException",
            Self::TooManyTags => "TooManyTagsException",
            Self::UnsupportedUpstreamRegistry => "UnsupportedUpstreamRegistryException",
            Self::Kms => "KmsException",
        }
    }
}

impl Invalid {
    pub(super) fn new(exception: Exception, message: impl Into<String>) -> Self {
        Self { exception, message: message.into() }
    }

    /// `InvalidParameterException`, in the words that ECR has for it.
    pub fn parameter(member: &str, constraint: impl Display) -> Self {
        Self::new(Exception::InvalidParameter, failed(member, constraint))
    }

    /// `ValidationException`, for operations that have it: a value of the right form that goes against a rule.
    pub fn validation(member: &str, constraint: impl Display) -> Self {
        Self::new(Exception::Validation, failed(member, constraint))
    }

    /// `LimitExceededException`: there are as many of `what` already as there may be.
    pub(super) fn limit(what: &str, limit: usize) -> Self {
        let message = format!("The limit of {limit} {what} of this registry is reached; delete one to make room.");
        Self::new(Exception::LimitExceeded, message)
    }
}

fn failed(member: &str, constraint: impl Display) -> String {
    format!("Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'")
}

/// As much of a text as a message repeats.
pub(super) fn shown(text: &str) -> &str {
    const LONGEST: usize = 100;
    text.char_indices().nth(LONGEST).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecr::shapes::errors;

    #[test]
    fn exceptions_are_those_of_the_model() {
        let table = [
            (Exception::InvalidParameter, &errors::INVALID_PARAMETER_EXCEPTION),
            (Exception::Validation, &errors::VALIDATION_EXCEPTION),
            (Exception::LimitExceeded, &errors::LIMIT_EXCEEDED_EXCEPTION),
            (Exception::InvalidTagParameter, &errors::INVALID_TAG_PARAMETER_EXCEPTION),
            (Exception::TooManyTags, &errors::TOO_MANY_TAGS_EXCEPTION),
            (Exception::UnsupportedUpstreamRegistry, &errors::UNSUPPORTED_UPSTREAM_REGISTRY_EXCEPTION),
            (Exception::Kms, &errors::KMS_EXCEPTION),
        ];
        for (exception, shape) in table {
            assert_eq!(exception.as_str(), shape.code);
        }
    }

    #[test]
    fn a_message_repeats_little() {
        assert_eq!(shown("short"), "short");
        assert_eq!(shown(&"ä".repeat(1000)), "ä".repeat(100));
    }
}
