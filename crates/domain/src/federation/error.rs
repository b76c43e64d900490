//! Why nobody was let in by what an identity provider says. Kinds and texts follow STS (`AssumeRoleWithWebIdentity`,
//! `AssumeRoleWithSAML`: "Errors").

/// Why there are no credentials for a token or an assertion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FederationError {
    /// The role does not trust it, or is not there: which of the two is told to nobody.
    #[error("Not authorized to perform {0}")]
    NotAuthorized(&'static str),
    /// The token or assertion is not one, is not true, or is for somebody else (`InvalidIdentityToken`).
    #[error("{0}")]
    InvalidToken(String),
    /// It was good once (`ExpiredTokenException`).
    #[error("{0}")]
    Expired(String),
    /// The provider vouches for it no more, or says what no session can be made of (`IDPRejectedClaim`).
    #[error("{0}")]
    Rejected(String),
    /// The provider could not be asked, and what it said before is too old: try again (`IDPCommunicationError`).
    #[error("{0}")]
    Communication(String),
}
