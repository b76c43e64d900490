//! From the domain's errors to the codes of IAM and STS, in one exhaustive match.
//!
//! Codes and statuses are those of "Common Error Types" in the references of the IAM and STS APIs, and of the errors that
//! their operations declare.

use berth_aws::protocol::{Fault, Protocol, ProtocolError};
use berth_aws::sigv4::SigV4Error;
use berth_domain::Error;
use berth_domain::federation::FederationError;
use berth_domain::identity::IdentityError;
use berth_store::{BlobStoreError, StoreError};

/// Why an operation of the Query protocol was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The domain did not do it.
    #[error(transparent)]
    Domain(#[from] Error),
    /// The request could not be read.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        Self::Domain(error.into())
    }
}

impl Failure {
    /// How many seconds a client should wait before it asks again, where that helps.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Domain(error) => retry_after(error),
            Self::Protocol(_) => None,
        }
    }

    /// The HTTP status and the fault that a server of this protocol answers.
    pub fn fault(&self, protocol: Protocol) -> (u16, Fault) {
        match self {
            Self::Domain(error) => fault(error),
            Self::Protocol(error @ ProtocolError::Answer(_)) => internal(error),
            Self::Protocol(error) => (error.http_status(), error.fault(protocol)),
        }
    }
}

/// How many seconds a client should wait after an error of the domain, where that helps.
pub fn retry_after(error: &Error) -> Option<u64> {
    match error {
        Error::Throttled { retry_after } => Some(retry_after.as_secs()),
        _ => None,
    }
}

/// The HTTP status and the fault for an error of the domain. What failed inside the registry is logged and not told.
pub fn fault(error: &Error) -> (u16, Fault) {
    match error {
        Error::Unauthenticated => missing_token(),
        Error::Denied { .. } | Error::OutOfScope => refuse(403, "AccessDenied", error),
        Error::InvalidClientToken | Error::WrongCredentials => refuse(403, "InvalidClientTokenId", error),
        Error::ExpiredToken | Error::ExpiredLogin => refuse(403, "ExpiredToken", error),
        Error::Signature(kind) => signature(kind),
        Error::Identity(kind) => identity(kind),
        Error::Federation(kind) => federation(kind),
        Error::RegistryUnknown(_) => refuse(400, "ValidationError", error),
        Error::Throttled { .. } => refuse(400, "ThrottlingException", &"Rate exceeded"),
        Error::ReadOnly | Error::OutOfSpace => refuse(503, "ServiceUnavailable", error),
        Error::Database(StoreError::Unavailable(_)) | Error::BlobStore(BlobStoreError::Unavailable { .. }) => {
            tracing::error!(%error, "the registry cannot reach its stores");
            refuse(503, "ServiceUnavailable", &"The request has failed due to a temporary failure of the server.")
        }
        Error::Database(_)
        | Error::BlobStore(_)
        | Error::WrongServerKey
        | Error::RestoreUnfinished(_)
        // Of images and uploads, which no operation here is about.
        | Error::Ecr(_)
        | Error::RepositoryUnknown(_)
        | Error::BlobUnknown(_)
        | Error::ManifestUnknown(_)
        | Error::UploadUnknown
        | Error::UploadRange { .. }
        | Error::UploadBusy { .. }
        | Error::DigestMismatch { .. }
        | Error::ManifestInvalid(_)
        | Error::ReferencesMissing(_)
        | Error::SizeMismatch { .. }
        | Error::BlobInUse { .. }
        | Error::ManifestInUse { .. }
        | Error::LayerTooLarge { .. }
        | Error::QuotaExceeded { .. }
        | Error::TooManyUploads { .. }
        | Error::Damaged(_)
        | Error::Body(_) => internal(error),
    }
}

fn identity(error: &IdentityError) -> (u16, Fault) {
    let (status, code) = match error {
        IdentityError::NoSuch { .. } => (404, "NoSuchEntity"),
        IdentityError::Exists { .. } => (409, "EntityAlreadyExists"),
        IdentityError::Limit(_) => (409, "LimitExceeded"),
        IdentityError::Conflict(_) => (409, "DeleteConflict"),
        IdentityError::MalformedPolicy(_) => (400, "MalformedPolicyDocument"),
        IdentityError::Invalid(_) => (400, "InvalidInput"),
        IdentityError::Validation(_) => (400, "ValidationError"),
        IdentityError::PackedTooLarge(_) => (400, "PackedPolicyTooLarge"),
        IdentityError::NotYours(_) | IdentityError::SessionToken => (403, "AccessDenied"),
    };
    refuse(status, code, error)
}

fn federation(error: &FederationError) -> (u16, Fault) {
    let (status, code) = match error {
        FederationError::NotAuthorized(_) => (403, "AccessDenied"),
        FederationError::InvalidToken(_) => (400, "InvalidIdentityToken"),
        FederationError::Expired(_) => (400, "ExpiredTokenException"),
        FederationError::Rejected(_) => (403, "IDPRejectedClaim"),
        FederationError::Communication(_) => (400, "IDPCommunicationError"),
    };
    refuse(status, code, error)
}

fn signature(error: &SigV4Error) -> (u16, Fault) {
    match error {
        SigV4Error::MissingAuthenticationToken => missing_token(),
        SigV4Error::Missing { .. }
        | SigV4Error::MissingDate
        | SigV4Error::Malformed(_)
        | SigV4Error::Algorithm
        | SigV4Error::Ambiguous(_)
        | SigV4Error::TooLarge(_)
        | SigV4Error::Expires => refuse(400, "IncompleteSignature", error),
        SigV4Error::Terminator(_)
        | SigV4Error::Region { .. }
        | SigV4Error::Service(_)
        | SigV4Error::Date { .. }
        | SigV4Error::Expired { .. }
        | SigV4Error::NotYetCurrent { .. }
        | SigV4Error::HostNotSigned
        | SigV4Error::HeaderNotSigned(_)
        | SigV4Error::HeaderAbsent(_)
        | SigV4Error::UnsignedPayload
        | SigV4Error::PayloadMismatch
        | SigV4Error::SignatureMismatch => refuse(403, "SignatureDoesNotMatch", error),
    }
}

fn missing_token() -> (u16, Fault) {
    refuse(403, "MissingAuthenticationToken", &"Request is missing Authentication Token")
}

fn internal(error: &dyn std::fmt::Display) -> (u16, Fault) {
    tracing::error!(%error, "an operation failed inside the registry");
    let message = "The request processing has failed because of an unknown error, exception or failure.";
    refuse(500, "InternalFailure", &message)
}

fn refuse(status: u16, code: &str, message: &dyn std::fmt::Display) -> (u16, Fault) {
    (status, Fault { sender: status < 500, code: code.to_owned(), message: message.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_codes_of_aws() {
        let denied = Error::Denied {
            principal: "arn:aws:iam::000000000000:user/a".to_owned(),
            action: "iam:GetUser",
            resource: "*".to_owned(),
            because: "because no identity-based policy allows the iam:GetUser action".to_owned(),
        };
        let no_such = IdentityError::NoSuch { kind: "user", name: "a".to_owned() };
        let exists = IdentityError::Exists { kind: "User", name: "a".to_owned() };
        let missing = SigV4Error::Missing { form: berth_aws::sigv4::Form::Header, part: "Signature" };
        for (error, status, code) in [
            (denied, 403, "AccessDenied"),
            (Error::OutOfScope, 403, "AccessDenied"),
            (Error::Unauthenticated, 403, "MissingAuthenticationToken"),
            (Error::InvalidClientToken, 403, "InvalidClientTokenId"),
            (Error::WrongCredentials, 403, "InvalidClientTokenId"),
            (Error::ExpiredToken, 403, "ExpiredToken"),
            (Error::ExpiredLogin, 403, "ExpiredToken"),
            (SigV4Error::MissingAuthenticationToken.into(), 403, "MissingAuthenticationToken"),
            (missing.into(), 400, "IncompleteSignature"),
            (SigV4Error::Expires.into(), 400, "IncompleteSignature"),
            (SigV4Error::Expired { moment: 0, now: 901, allowed: 900 }.into(), 403, "SignatureDoesNotMatch"),
            (SigV4Error::SignatureMismatch.into(), 403, "SignatureDoesNotMatch"),
            (no_such.into(), 404, "NoSuchEntity"),
            (exists.into(), 409, "EntityAlreadyExists"),
            (IdentityError::Limit(String::new()).into(), 409, "LimitExceeded"),
            (IdentityError::Conflict("go").into(), 409, "DeleteConflict"),
            (IdentityError::MalformedPolicy(String::new()).into(), 400, "MalformedPolicyDocument"),
            (IdentityError::Invalid(String::new()).into(), 400, "InvalidInput"),
            (IdentityError::Validation(String::new()).into(), 400, "ValidationError"),
            (IdentityError::PackedTooLarge(101).into(), 400, "PackedPolicyTooLarge"),
            (IdentityError::NotYours(String::new()).into(), 403, "AccessDenied"),
            (IdentityError::SessionToken.into(), 403, "AccessDenied"),
            (FederationError::NotAuthorized("sts:AssumeRoleWithSAML").into(), 403, "AccessDenied"),
            (FederationError::InvalidToken(String::new()).into(), 400, "InvalidIdentityToken"),
            (FederationError::Expired(String::new()).into(), 400, "ExpiredTokenException"),
            (FederationError::Rejected(String::new()).into(), 403, "IDPRejectedClaim"),
            (FederationError::Communication(String::new()).into(), 400, "IDPCommunicationError"),
            (Error::RegistryUnknown(String::new()), 400, "ValidationError"),
            (Error::Throttled { retry_after: std::time::Duration::from_secs(1) }, 400, "ThrottlingException"),
            (Error::ReadOnly, 503, "ServiceUnavailable"),
            (Error::OutOfSpace, 503, "ServiceUnavailable"),
            (Error::UploadUnknown, 500, "InternalFailure"),
        ] {
            let (found, fault) = fault(&error);
            assert_eq!((found, fault.code.as_str(), fault.sender), (status, code, status < 500), "{error}");
        }
    }

    #[test]
    fn what_failed_inside_is_not_told() {
        let broken = StoreError::Statement { statement: "SELECT hush".to_owned(), reason: "hush".to_owned() };
        let away = StoreError::Unavailable("hush".to_owned());
        let protocol = Protocol::Query { xml_namespace: "x" };
        for (failure, status) in [
            (Failure::from(Error::Database(broken)), 500),
            (Failure::from(Error::Database(away)), 503),
            (Failure::from(Error::RestoreUnfinished("hush".to_owned())), 500),
            (Failure::from(ProtocolError::Answer("hush".to_owned())), 500),
        ] {
            let (found, fault) = failure.fault(protocol);
            assert!(found == status && !fault.sender && !fault.message.contains("hush"), "{fault:?}");
        }
    }
}
