//! From the domain's errors to ECR's exceptions, in one exhaustive match.

use berth_aws::ecr::ECR;
use berth_aws::protocol::ProtocolError;
use berth_domain::ecr_error::EcrError;
use berth_domain::{Error, audit};
use berth_oci::name::RepositoryName;
use berth_store::{BlobStoreError, StoreError};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::query;

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The domain did not do it.
    #[error(transparent)]
    Domain(#[from] Error),
    /// The request could not be read.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// An upload of a layer did not go on.
    #[error("{error}")]
    Upload {
        /// Why.
        error: Box<Error>,
        /// For which repository.
        repository: String,
        /// Which one.
        upload: String,
    },
    /// There is no address that clients could be told.
    #[error(
        "the registry does not know by which address clients reach it: send a Host header, or set server.public_url"
    )]
    NoAddress,
    /// An operation without code.
    #[error("{0} is not served")]
    NotServed(String),
}

impl From<EcrError> for Failure {
    fn from(error: EcrError) -> Self {
        Self::Domain(error.into())
    }
}

/// An exception: its status, its name, its text and what else it has.
struct Exception {
    status: u16,
    name: &'static str,
    message: String,
    more: Map<String, Value>,
}

/// The status and the JSON of a failure in the registry of an account.
pub(super) fn render(failure: &Failure, account: &str) -> (StatusCode, String) {
    let Exception { status, name, message, mut more } = failure.exception(account);
    audit::failed(name, message.as_str());
    more.insert("__type".to_owned(), name.into());
    more.insert("message".to_owned(), message.into());
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Value::Object(more).to_string())
}

/// The status, the name and the text of an error in the words that the JSON services of AWS have in common.
pub(crate) fn common_fault(error: &Error) -> (u16, &'static str, String) {
    let Exception { status, name, message, .. } = of_domain(error, "");
    (status, name, message)
}

impl Exception {
    fn new(status: u16, name: &'static str, message: &(impl ToString + ?Sized)) -> Self {
        Self { status, name, message: message.to_string(), more: Map::new() }
    }
}

impl Failure {
    /// How many seconds a client should wait before it asks again, where that helps.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Domain(error) => query::retry_after(error),
            Self::Upload { error, .. } => query::retry_after(error),
            Self::Protocol(_) | Self::NoAddress | Self::NotServed(_) => None,
        }
    }

    fn exception(&self, account: &str) -> Exception {
        match self {
            Self::Protocol(ProtocolError::Validation(_)) => refuse("InvalidParameterException", &validation(self)),
            Self::Protocol(error) => Exception::new(error.http_status(), error.code(ECR.protocol), error),
            Self::NoAddress => refuse("InvalidParameterException", self),
            Self::NotServed(_) => Exception::new(501, "UnsupportedOperationException", self),
            Self::Upload { error, repository, upload } => of_upload(error, account, repository, upload),
            Self::Domain(error) => of_domain(error, account),
        }
    }
}

/// What the shapes say of a value, in ECR's words.
fn validation(failure: &Failure) -> String {
    let text = failure.to_string();
    let told = text.split_once(" detected: ").map_or(text.as_str(), |(_, told)| told);
    let first = told.split_once(" failed to satisfy constraint: ");
    match first.and_then(|(place, constraint)| Some((place.rsplit_once("at '")?.1, constraint))) {
        Some((place, constraint)) => {
            format!("Invalid parameter at '{place} failed to satisfy constraint: '{constraint}'")
        }
        None => text,
    }
}

fn refuse(name: &'static str, message: &(impl ToString + ?Sized)) -> Exception {
    Exception::new(400, name, message)
}

fn of_domain(error: &Error, account: &str) -> Exception {
    match error {
        Error::Ecr(kind) => of_ecr(kind),
        Error::RepositoryUnknown(name) => refuse("RepositoryNotFoundException", &repository_unknown(name, account)),
        Error::BlobUnknown(_) | Error::ReferencesMissing(_) => refuse("LayersNotFoundException", &told(error)),
        Error::ManifestUnknown(_) => refuse("ImageNotFoundException", error),
        Error::UploadUnknown => refuse("UploadNotFoundException", error),
        Error::UploadRange { .. } | Error::UploadBusy { .. } => refuse("InvalidLayerPartException", error),
        Error::DigestMismatch { .. } => refuse("InvalidLayerException", error),
        Error::LayerTooLarge { .. } | Error::QuotaExceeded { .. } | Error::TooManyUploads { .. } => {
            refuse("LimitExceededException", error)
        }
        Error::ManifestInvalid(_) | Error::SizeMismatch { .. } => refuse("InvalidParameterException", &manifest(error)),
        Error::BlobInUse { .. }
        | Error::ManifestInUse { .. }
        | Error::RegistryUnknown(_)
        | Error::Body(_)
        | Error::Identity(_)
        | Error::Federation(_) => refuse("InvalidParameterException", error),
        Error::ReadOnly | Error::OutOfSpace | Error::Damaged(_) => Exception::new(503, "ServerException", error),
        Error::Unauthenticated
        | Error::WrongCredentials
        | Error::Denied { .. }
        | Error::OutOfScope
        | Error::ExpiredLogin
        | Error::InvalidClientToken
        | Error::ExpiredToken
        | Error::Throttled { .. }
        | Error::Signature(_)
        | Error::WrongServerKey
        | Error::RestoreUnfinished(_)
        | Error::Database(StoreError::Unavailable(_) | _)
        | Error::BlobStore(BlobStoreError::Unavailable { .. } | _) => shared(error),
    }
}

/// What the doors of AWS share, with the names that JSON services give it.
fn shared(error: &Error) -> Exception {
    let (status, fault) = query::fault(error);
    let name = match fault.code.as_str() {
        "AccessDenied" => "AccessDeniedException",
        "InvalidClientTokenId" => "UnrecognizedClientException",
        "ExpiredToken" => "ExpiredTokenException",
        "IncompleteSignature" => "IncompleteSignatureException",
        "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch" => "InvalidSignatureException",
        "ThrottlingException" => "ThrottlingException",
        "InternalFailure" | "ServiceUnavailable" => "ServerException",
        _ => "InvalidParameterException",
    };
    Exception::new(if fault.sender { 400 } else { status }, name, &fault.message)
}

fn of_ecr(error: &EcrError) -> Exception {
    let name = match error {
        EcrError::Invalid(invalid) => return of_setting(invalid),
        EcrError::NotServed(_) => return Exception::new(501, "UnsupportedOperationException", error),
        EcrError::InvalidParameter(_) => "InvalidParameterException",
        EcrError::RepositoryExists { .. } => "RepositoryAlreadyExistsException",
        EcrError::RepositoryNotEmpty { .. } => "RepositoryNotEmptyException",
        EcrError::TagImmutable { .. } => "ImageTagAlreadyExistsException",
        EcrError::ImageExists { .. } => "ImageAlreadyExistsException",
        EcrError::ImageDigestMismatch { .. } => "ImageDigestDoesNotMatchException",
        EcrError::ImageUnknown { .. } => "ImageNotFoundException",
        EcrError::ChildrenMissing(_) => "ReferencedImagesNotFoundException",
        EcrError::LayersUnknown(_) => "LayersNotFoundException",
        EcrError::LayerInaccessible(_) => "LayerInaccessibleException",
        EcrError::LayerExists(_) => "LayerAlreadyExistsException",
        EcrError::LayerPartTooSmall { .. } => "LayerPartTooSmallException",
        EcrError::EmptyUpload => "EmptyUploadException",
        EcrError::InvalidLayerPart { .. } => "InvalidLayerPartException",
        EcrError::InvalidLayer { .. } => "InvalidLayerException",
        EcrError::LimitExceeded { .. } => "LimitExceededException",
        EcrError::RepositoryPolicyUnknown(_) => "RepositoryPolicyNotFoundException",
        EcrError::RegistryPolicyUnknown(_) => "RegistryPolicyNotFoundException",
        EcrError::LifecyclePolicyUnknown(_) => "LifecyclePolicyNotFoundException",
        EcrError::SigningConfigurationUnknown => "SigningConfigurationNotFoundException",
        EcrError::TemplateUnknown(_) => "TemplateNotFoundException",
        EcrError::TemplateExists(_) => "TemplateAlreadyExistsException",
        EcrError::PullThroughRuleUnknown(_) => "PullThroughCacheRuleNotFoundException",
        EcrError::PullThroughRuleExists(_) => "PullThroughCacheRuleAlreadyExistsException",
        EcrError::ExclusionUnknown(_) => "ExclusionNotFoundException",
        EcrError::ExclusionExists(_) => "ExclusionAlreadyExistsException",
    };
    refuse(name, error)
}

fn of_setting(invalid: &berth_aws::ecr::Invalid) -> Exception {
    let mut exception = refuse(invalid.exception.as_str(), invalid);
    if invalid.exception == berth_aws::ecr::Exception::Kms {
        exception.more.insert("kmsError".to_owned(), "NotSupported".into());
    }
    exception
}

/// An upload that did not go on, and where the client may go on.
fn of_upload(error: &Error, account: &str, repository: &str, upload: &str) -> Exception {
    let last = match error {
        Error::Ecr(EcrError::InvalidLayerPart { last_valid, .. }) => *last_valid,
        Error::UploadRange { offset } | Error::UploadBusy { offset } => super::context::bytes(*offset) - 1,
        Error::UploadUnknown => {
            let message =
                format!("The upload with id '{upload}' does not exist in the repository with name '{repository}'");
            return refuse("UploadNotFoundException", &message);
        }
        _ => return of_domain(error, account),
    };
    let mut exception = refuse("InvalidLayerPartException", error);
    let more = json!({ "registryId": account, "repositoryName": repository, "uploadId": upload, "lastValidByteReceived": last });
    if let Value::Object(more) = more {
        exception.more = more;
    }
    exception
}

fn repository_unknown(name: &RepositoryName, account: &str) -> String {
    format!("The repository with name '{name}' does not exist in the registry with id '{account}'")
}

/// With the digests that are missing.
fn told(error: &Error) -> String {
    let Error::ReferencesMissing(missing) = error else { return error.to_string() };
    EcrError::LayersUnknown(missing.clone()).to_string()
}

fn manifest(error: &Error) -> String {
    format!("Invalid parameter at 'imageManifest' failed to satisfy constraint: '{error}'")
}
