//! From the domain's errors to the exceptions that CloudTrail has.

use berth_aws::cloudtrail::CLOUD_TRAIL;
use berth_aws::protocol::{Fault, ProtocolError, json};
use berth_domain::Error;
use berth_domain::identity::IdentityError;
use http::StatusCode;

/// Why an operation was not done.
///
/// The exceptions are those of <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The domain did not do it.
    #[error(transparent)]
    Domain(#[from] Error),
    /// The request could not be read.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// More than one attribute, one that there is not, or none of its values.
    #[error("{0}")]
    LookupAttributes(String),
    /// The beginning lies behind the end.
    #[error("StartTime must not be later than EndTime.")]
    TimeRange,
    /// Not 1 to 50.
    #[error("MaxResults must be from 1 to 50, and is {0}.")]
    MaxResults(i64),
    /// Not a token that an answer gave for the same question.
    #[error("NextToken is invalid: use the one of the answer before, with the same other parameters.")]
    NextToken,
    /// Not `insight`.
    #[error("EventCategory must be insight or left out.")]
    EventCategory,
}

impl Failure {
    /// Of a search, in which nothing but the token can be wrong any more.
    pub(super) fn of_lookup(error: Error) -> Self {
        match error {
            Error::Identity(IdentityError::Validation(_)) => Self::NextToken,
            other => Self::Domain(other),
        }
    }

    /// After how many seconds the call may be made again, where it came too soon.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Domain(error) => crate::query::retry_after(error),
            _ => None,
        }
    }

    fn exception(&self) -> (u16, &'static str) {
        let name = match self {
            Self::Domain(error) => {
                let (status, name, _) = crate::ecr::common_fault(error);
                // What ECR calls so is called so in the list of errors that all services have in common.
                return (status, if name == "ServerException" { "InternalFailure" } else { name });
            }
            Self::Protocol(ProtocolError::Validation(_)) => "ValidationException",
            Self::Protocol(error) => return (error.http_status(), error.code(CLOUD_TRAIL.protocol)),
            Self::LookupAttributes(_) => "InvalidLookupAttributesException",
            Self::TimeRange => "InvalidTimeRangeException",
            Self::MaxResults(_) => "InvalidMaxResultsException",
            Self::NextToken => "InvalidNextTokenException",
            Self::EventCategory => "InvalidEventCategoryException",
        };
        (400, name)
    }

    /// The code and the text of the answer.
    pub(crate) fn told(&self) -> (&'static str, String) {
        let message = match self {
            Self::Domain(error) => crate::ecr::common_fault(error).2,
            other => other.to_string(),
        };
        (self.exception().1, message)
    }
}

/// The status and the JSON of a failure.
pub(super) fn render(failure: &Failure) -> (StatusCode, String) {
    let (status, _) = failure.exception();
    let (code, message) = failure.told();
    berth_domain::audit::failed(code, message.as_str());
    let fault = Fault { sender: status < 500, code: code.to_owned(), message };
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), json::render_fault(&fault))
}
