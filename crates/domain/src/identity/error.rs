//! What IAM and STS refuse, by kind. Texts follow those of AWS.

/// Why an operation on identities was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// There is nothing of that name.
    #[error("The {kind} with name {name} cannot be found.")]
    NoSuch {
        /// `user`, `group`, `role`, `policy`, ...
        kind: &'static str,
        /// The name or ARN.
        name: String,
    },
    /// The name is taken.
    #[error("{kind} with name {name} already exists.")]
    Exists {
        /// `User`, `Group`, ...
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// There would be too much of something.
    #[error("{0}")]
    Limit(String),
    /// It still has something that must go first.
    #[error("Cannot delete entity, must {0} first.")]
    Conflict(&'static str),
    /// A policy document is wrong.
    #[error("{0}")]
    MalformedPolicy(String),
    /// A parameter is wrong in a way that its shape does not tell.
    #[error("{0}")]
    Invalid(String),
    /// A parameter is outside of what is possible.
    #[error("{0}")]
    Validation(String),
    /// A session policy or its tags are too large.
    #[error("Packed size of session tags and policies consumes {0}% of allotted space.")]
    PackedTooLarge(u64),
    /// What belongs to Berth cannot be changed.
    #[error("The policy {0} comes with Berth and cannot be changed.")]
    NotYours(String),
    /// Credentials of `GetSessionToken` at IAM.
    #[error("Credentials of GetSessionToken cannot call IAM: use the access key itself, or assume a role")]
    SessionToken,
}
