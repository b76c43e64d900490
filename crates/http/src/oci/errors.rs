//! From the domain's errors to the spec's codes, in one exhaustive match.

use berth_domain::{Caller, EcrError, Error, audit};
use berth_oci::endpoint::EndpointError;
use berth_oci::error::{ErrorCode, render_errors};
use berth_oci::manifest::ManifestError;
use berth_store::{BlobStoreError, StoreError};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::server::ResponseBody;

/// How long a client should wait where waiting helps, in seconds.
const RETRY_SECONDS: &str = "5";

/// An answer that says no: a status, a code of the spec, and what to do next.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: ErrorCode,
    message: String,
    detail: Option<Value>,
    headers: Vec<(HeaderName, String)>,
    is_too_small: bool,
}

/// Marks an answer to a token that opens something else: an extension of the response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TooSmallToken;

impl Refusal {
    /// A refusal without detail.
    pub fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: None, headers: Vec::new(), is_too_small: false }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    /// What somebody without credentials hears of a request that is wrong in itself: only that credentials are needed.
    pub fn hide_from_strangers(caller: &Caller, refusal: Self) -> Self {
        if caller.is_anonymous() { Error::Unauthenticated.into() } else { refusal }
    }

    /// The response.
    pub fn render(self) -> Response<ResponseBody> {
        audit::failed(self.code.as_str(), self.message.as_str());
        let body = render_errors(self.code, &self.message, self.detail);
        let mut response = Response::new(ResponseBody::full(Bytes::from(body)));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.is_too_small {
            response.extensions_mut().insert(TooSmallToken);
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// A path that is no endpoint.
pub(crate) fn endpoint(error: &EndpointError) -> Refusal {
    let code = match error {
        EndpointError::NotFound => {
            let message = "this is no path of the distribution API: see /v2/";
            return Refusal::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, message);
        }
        EndpointError::Name(_) => ErrorCode::NameInvalid,
        EndpointError::Digest(_) => ErrorCode::DigestInvalid,
        EndpointError::Tag(_) => ErrorCode::TagInvalid,
        EndpointError::UploadId => {
            let message = "this upload does not exist or has expired: begin a new one";
            return Refusal::new(StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown, message);
        }
    };
    Refusal::new(StatusCode::BAD_REQUEST, code, error.to_string())
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let refuse = |status, code| Self::new(status, code, message.clone());
        match error {
            // Nobody signs requests to this door: the last three do not come here.
            Error::Unauthenticated
            | Error::WrongCredentials
            | Error::InvalidClientToken
            | Error::ExpiredToken
            | Error::Signature(_) => {
                refuse(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized).header(WWW_AUTHENTICATE, crate::auth::BASIC)
            }
            Error::OutOfScope => {
                Self { is_too_small: true, ..refuse(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized) }
            }
            Error::Denied { .. } | Error::ExpiredLogin => refuse(StatusCode::FORBIDDEN, ErrorCode::Denied),
            Error::Identity(_) | Error::Federation(_) => refuse(StatusCode::BAD_REQUEST, ErrorCode::Unsupported),
            Error::Ecr(kind) => of_ecr(&kind, message),
            Error::RegistryUnknown(_) => refuse(StatusCode::NOT_FOUND, ErrorCode::NameUnknown),
            Error::RepositoryUnknown(name) => {
                refuse(StatusCode::NOT_FOUND, ErrorCode::NameUnknown).detail(json!({ "name": name.as_str() }))
            }
            Error::BlobUnknown(digest) => {
                refuse(StatusCode::NOT_FOUND, ErrorCode::BlobUnknown).detail(json!({ "digest": digest.to_string() }))
            }
            Error::ManifestUnknown(reference) => {
                refuse(StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown).detail(json!({ "reference": reference }))
            }
            Error::UploadUnknown => refuse(StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown),
            Error::UploadRange { offset } | Error::UploadBusy { offset } => {
                refuse(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::BlobUploadInvalid)
                    .header(RANGE, super::uploads::range_header(offset))
            }
            Error::DigestMismatch { expected, actual } => refuse(StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid)
                .detail(json!({ "expected": expected.to_string(), "actual": actual.to_string() })),
            Error::ManifestInvalid(kind) => manifest(&kind, message),
            Error::ReferencesMissing(digests) => {
                let shown: Vec<String> = digests.iter().take(100).map(ToString::to_string).collect();
                refuse(StatusCode::BAD_REQUEST, ErrorCode::ManifestBlobUnknown).detail(json!({ "missing": shown }))
            }
            Error::SizeMismatch { .. } => refuse(StatusCode::BAD_REQUEST, ErrorCode::SizeInvalid),
            Error::BlobInUse { .. } => refuse(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported),
            Error::ManifestInUse { .. } | Error::QuotaExceeded { .. } => {
                refuse(StatusCode::FORBIDDEN, ErrorCode::Denied)
            }
            Error::LayerTooLarge { .. } => refuse(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid),
            Error::TooManyUploads { .. } => {
                refuse(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests).header(RETRY_AFTER, RETRY_SECONDS)
            }
            Error::Throttled { retry_after } => refuse(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests)
                .header(RETRY_AFTER, retry_after.as_secs().to_string()),
            Error::ReadOnly | Error::Damaged(_) => unavailable(message),
            Error::OutOfSpace => refuse(StatusCode::INSUFFICIENT_STORAGE, ErrorCode::Unavailable),
            Error::Body(_) => refuse(StatusCode::BAD_REQUEST, ErrorCode::BlobUploadInvalid).header(CONNECTION, "close"),
            Error::Database(StoreError::Unavailable(_)) => cannot_reach("database", &message),
            Error::BlobStore(BlobStoreError::Unavailable { .. }) => cannot_reach("blob store", &message),
            Error::WrongServerKey | Error::RestoreUnfinished(_) | Error::Database(_) | Error::BlobStore(_) => {
                tracing::error!(error = %message, "an operation failed inside the registry");
                let message = "the registry failed: nothing was stored; try again, and tell its operator if it goes on";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, message)
            }
        }
    }
}

/// What ECR's rules refuse at this door too; the rest are calls that it does not make.
fn of_ecr(error: &EcrError, message: String) -> Refusal {
    let (status, code) = match error {
        EcrError::TagImmutable { .. } => (StatusCode::BAD_REQUEST, ErrorCode::TagInvalid),
        EcrError::LimitExceeded { .. } => (StatusCode::FORBIDDEN, ErrorCode::Denied),
        EcrError::ChildrenMissing(digests) => {
            let shown: Vec<String> = digests.iter().take(100).map(ToString::to_string).collect();
            return Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::ManifestBlobUnknown, message)
                .detail(json!({ "missing": shown }));
        }
        _ => (StatusCode::BAD_REQUEST, ErrorCode::Unsupported),
    };
    Refusal::new(status, code, message)
}

fn cannot_reach(what: &str, error: &str) -> Refusal {
    tracing::error!(error, "the {what} is unavailable");
    unavailable(format!("the registry cannot reach its {what} at the moment: try again soon"))
}

fn unavailable(message: String) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, message).header(RETRY_AFTER, RETRY_SECONDS)
}

fn manifest(kind: &ManifestError, message: String) -> Refusal {
    let (status, code) = match kind {
        ManifestError::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid),
        ManifestError::SizeInvalid { .. } => (StatusCode::BAD_REQUEST, ErrorCode::SizeInvalid),
        ManifestError::DigestInvalid { .. } => (StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid),
        _ => (StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid),
    };
    Refusal::new(status, code, message)
}
