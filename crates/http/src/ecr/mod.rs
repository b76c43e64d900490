//! The door of ECR (JSON 1.1).

mod faults;
mod login;

use berth_aws::ecr::ECR;
use berth_aws::protocol::json;
use berth_domain::{Caller, Domain};
use http::StatusCode;

use crate::aws::Call;
pub(crate) use faults::Failure;

/// Answers one call: the operation that the header `X-Amz-Target` names.
pub(crate) fn answer(domain: &Domain, caller: &Caller, call: &Call, target: &str) -> Result<String, Failure> {
    let operation = json::operation(&ECR, target)?;
    match operation.name {
        "GetAuthorizationToken" => login::authorization_token(domain, caller, call),
        other => Err(Failure::NotServed(other.to_owned())),
    }
}

/// The status and the JSON of an answer.
pub(crate) fn respond(answered: Result<String, Failure>) -> (StatusCode, String) {
    match answered {
        Ok(body) => (StatusCode::OK, body),
        Err(failure) => {
            let (status, fault) = failure.fault();
            (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), json::render_fault(&fault))
        }
    }
}
