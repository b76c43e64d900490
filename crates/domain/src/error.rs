//! What can be wrong, by kind. Each door has one exhaustive match from here to its own codes.

use std::time::Duration;

use berth_aws::sigv4::SigV4Error;
use berth_oci::digest::Digest;
use berth_oci::manifest::ManifestError;
use berth_oci::name::RepositoryName;
use berth_store::{BlobStoreError, StoreError};

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is logged in, and what was asked is not open to everybody.
    #[error("authentication required: log in with an access key")]
    Unauthenticated,
    /// The access key is unknown or its secret is wrong.
    #[error("the access key id or the secret access key is wrong")]
    WrongCredentials,
    /// The caller may not do this. The words are AWS's.
    #[error("User: {principal} is not authorized to perform: {action} on resource: {resource}{}", behind(.because))]
    Denied {
        /// Who asked.
        principal: String,
        /// The action.
        action: &'static str,
        /// On what.
        resource: String,
        /// Which policy denies it, or which kind of policy does not allow it; empty where that would tell too much.
        because: String,
    },
    /// The token opens less than this.
    #[error("the token does not cover this: ask for one with the scope of the challenge")]
    OutOfScope,
    /// The authorization token was good once.
    #[error("Your authorization token has expired. Reauthenticate and try again.")]
    ExpiredLogin,
    /// The access key of a signature is unknown or switched off, or its session token is not its own.
    #[error("The security token included in the request is invalid.")]
    InvalidClientToken,
    /// Temporary credentials have ended.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// A signature is wrong.
    #[error(transparent)]
    Signature(#[from] SigV4Error),
    /// IAM or STS refuse.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What an identity provider says opens nothing.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// The rules of ECR refuse.
    #[error(transparent)]
    Ecr(#[from] EcrError),
    /// There is no such registry: no such account, or a region that is not served. Names it.
    #[error("there is no registry {0} here")]
    RegistryUnknown(String),
    /// There is no such repository.
    #[error("repository {0} does not exist in this registry")]
    RepositoryUnknown(RepositoryName),
    /// The repository links no such blob.
    #[error("blob {0} is not in this repository")]
    BlobUnknown(Digest),
    /// The repository holds no such manifest or tag.
    #[error("manifest {0} is not in this repository")]
    ManifestUnknown(String),
    /// There is no such upload, or it is somebody else's.
    #[error("this upload does not exist or has expired: begin a new one")]
    UploadUnknown,
    /// The bytes sent do not continue the upload.
    #[error("the upload holds {offset} bytes: go on from there")]
    UploadRange {
        /// The true offset.
        offset: u64,
    },
    /// Another request is writing to the upload.
    #[error("another request is writing to this upload: ask for its status, then go on from there")]
    UploadBusy {
        /// Bytes held when asked.
        offset: u64,
    },
    /// The bytes are not what the digest says.
    #[error("the content has digest {actual}, not {expected}: nothing was stored")]
    DigestMismatch {
        /// What was promised.
        expected: Digest,
        /// What the bytes are.
        actual: Digest,
    },
    /// The manifest cannot be accepted.
    #[error(transparent)]
    ManifestInvalid(#[from] ManifestError),
    /// The manifest refers to content that the repository does not hold.
    #[error("the manifest refers to content that this repository does not hold: push it first, then the manifest")]
    ReferencesMissing(Vec<Digest>),
    /// The manifest gives a size that is not the content's.
    #[error("the manifest says that {digest} has {declared} bytes, but it has {actual}")]
    SizeMismatch {
        /// The content.
        digest: Digest,
        /// What the manifest says.
        declared: u64,
        /// What it is.
        actual: u64,
    },
    /// The blob is part of an image.
    #[error("blob {digest} is used by manifest {used_by}: delete that manifest first")]
    BlobInUse {
        /// The blob.
        digest: Digest,
        /// A manifest that uses it.
        used_by: Digest,
    },
    /// The manifest is part of an index.
    #[error("manifest {digest} is a child of index {used_by}: delete that index first")]
    ManifestInUse {
        /// The manifest.
        digest: Digest,
        /// An index that lists it.
        used_by: Digest,
    },
    /// The blob is larger than allowed.
    #[error("a layer may have at most {limit} bytes (limits.layer_bytes)")]
    LayerTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The repository or account would link more than allowed.
    #[error("this push would take {scope} over its limit of {limit} bytes: delete images or ask for more")]
    QuotaExceeded {
        /// `the repository` or `the account`.
        scope: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// The account has too many uploads open.
    #[error("{limit} uploads are open already: finish or cancel some, or try again later")]
    TooManyUploads {
        /// The limit.
        limit: u64,
    },
    /// There were too many calls of this kind, or too many failed log-ins.
    #[error("too many requests: wait {} s, then try again", retry_after.as_secs())]
    Throttled {
        /// How long to wait: whole seconds, at least one.
        retry_after: Duration,
    },
    /// The registry takes no writes.
    #[error("the registry is read-only at the moment: pulls go on, pushes must wait")]
    ReadOnly,
    /// The disk is nearly full.
    #[error("the registry is out of disk space: its operator must free some")]
    OutOfSpace,
    /// The bytes were found damaged or gone; they are not served.
    #[error("the stored bytes of {0} are damaged and are not served: push the content again to repair it")]
    Damaged(Digest),
    /// The request's body broke off or came too slowly; what was received is kept.
    #[error("the request body ended early: {0}")]
    Body(#[from] BodyFailed),
    /// The server key is not the one that secrets were sealed with.
    #[error("the server key does not open this registry's secrets: give the key that it was started with first")]
    WrongServerKey,
    /// A restore was begun and has not ended.
    #[error("backup {0} was not restored to its end: run `berth restore` again, or begin with an empty database")]
    RestoreUnfinished(String),
    /// The database failed.
    #[error(transparent)]
    Database(StoreError),
    /// The blob store failed.
    #[error(transparent)]
    BlobStore(BlobStoreError),
}

use crate::body::BodyFailed;
use crate::ecr_error::EcrError;
use crate::federation::FederationError;
use crate::identity::IdentityError;

impl Error {
    /// A refusal of what would be served after so long.
    pub(crate) fn throttled(wait: Duration) -> Self {
        let seconds = u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        Self::Throttled { retry_after: Duration::from_secs(seconds.max(1)) }
    }
}

impl From<berth_aws::ecr::Invalid> for Error {
    fn from(invalid: berth_aws::ecr::Invalid) -> Self {
        Self::Ecr(invalid.into())
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full(_) => Self::OutOfSpace,
            other => Self::Database(other),
        }
    }
}

impl From<BlobStoreError> for Error {
    fn from(error: BlobStoreError) -> Self {
        match error {
            BlobStoreError::Full(_) => Self::OutOfSpace,
            BlobStoreError::DigestMismatch { expected, actual } => Self::DigestMismatch { expected, actual },
            other => Self::BlobStore(other),
        }
    }
}

/// The end of a sentence, where there is one.
fn behind(because: &str) -> String {
    if because.is_empty() { String::new() } else { format!(" {because}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_without_a_reason_ends_with_the_resource() {
        let denied = |because: &str| {
            let principal = "arn:aws:iam::000000000000:user/a".to_owned();
            let (resource, because) = ("*".to_owned(), because.to_owned());
            Error::Denied { principal, action: "sts:AssumeRole", resource, because }.to_string()
        };
        let begin =
            "User: arn:aws:iam::000000000000:user/a is not authorized to perform: sts:AssumeRole on resource: *";
        assert_eq!(denied(""), begin);
        assert_eq!(denied("because of that"), format!("{begin} because of that"));
    }
}
