//! Why ECR refuses a setting.

/// The exception and its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// The exception.
    pub exception: Exception,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// The exceptions that say that a value is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// `InvalidParameterException`.
    InvalidParameter,
    /// `ValidationException`.
    Validation,
    /// `LimitExceededException`.
    LimitExceeded,
    /// `InvalidTagParameterException`.
    InvalidTagParameter,
    /// `TooManyTagsException`.
    TooManyTags,
    /// `UnsupportedUpstreamRegistryException`.
    UnsupportedUpstreamRegistry,
    /// `KmsException`.
    Kms,
}

impl Exception {
    /// Its name on the wire.
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
