//! From the domain's errors to ECR's exceptions.

use berth_aws::ecr::ECR;
use berth_aws::protocol::{Fault, ProtocolError};
use berth_domain::Error;

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
    /// A parameter is wrong.
    #[error("{0}")]
    InvalidParameter(String),
    /// An operation without code.
    #[error("{0} is not served")]
    NotServed(String),
}

impl Failure {
    /// The HTTP status and the fault. Codes that the doors share are those of the Query protocol with `Exception` behind them.
    pub(super) fn fault(&self) -> (u16, Fault) {
        match self {
            Self::Protocol(error) => (error.http_status(), error.fault(ECR.protocol)),
            Self::InvalidParameter(message) => refuse(400, "InvalidParameterException", message),
            Self::NotServed(_) => refuse(501, "UnsupportedOperationException", &self.to_string()),
            Self::Domain(error) => {
                let (status, fault) = query::fault(error);
                let status = if fault.sender { 400 } else { status };
                (status, Fault { code: code(&fault.code).to_owned(), ..fault })
            }
        }
    }
}

/// JSON services name the common errors otherwise than those of the Query protocol.
fn code(of_query: &str) -> &str {
    match of_query {
        "AccessDenied" => "AccessDeniedException",
        "InvalidClientTokenId" => "UnrecognizedClientException",
        "ExpiredToken" => "ExpiredTokenException",
        "IncompleteSignature" => "IncompleteSignatureException",
        "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch" => "InvalidSignatureException",
        "InternalFailure" | "ServiceUnavailable" => "ServerException",
        _ => "InvalidParameterException",
    }
}

fn refuse(status: u16, code: &str, message: &str) -> (u16, Fault) {
    (status, Fault { sender: status < 500, code: code.to_owned(), message: message.to_owned() })
}
