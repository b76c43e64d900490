//! What the doors of the Query protocol (IAM, STS) share: reading a form, and writing an answer or a fault as XML.

pub mod faults;

use berth_aws::protocol::xml::render_fault;
use berth_aws::protocol::{Form, Operation, ProtocolError, Service, parse_query, render_result};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use faults::{Failure, fault, retry_after};

/// Reads the input of an operation from a form. A text with the character NUL is refused whatever its shape says, because
/// databases refuse it too.
pub fn read<T: DeserializeOwned>(operation: &Operation, form: &Form) -> Result<T, Failure> {
    if form.parameters().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(ProtocolError::Validation("A parameter contains the character NUL.".to_owned()).into());
    }
    Ok(parse_query(operation, form)?)
}

/// Writes the output of an operation as XML. Where it answers nothing, `output` may be `()`.
pub fn write<T: Serialize>(
    service: &Service,
    operation: &Operation,
    output: &T,
    request_id: &str,
) -> Result<String, Failure> {
    // What the registry answers is its own fault, not that of the request.
    Ok(render_result(service, operation, output, request_id)
        .map_err(|error| ProtocolError::Answer(error.to_string()))?)
}

/// The whole answer: 200 with the XML of a result, or the status and the XML of a fault.
pub fn respond(service: &Service, result: Result<String, Failure>, request_id: &str) -> (StatusCode, String) {
    match result {
        Ok(xml) => (StatusCode::OK, xml),
        Err(failure) => {
            let (status, fault) = failure.fault(service.protocol);
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, render_fault(service, &fault, request_id))
        }
    }
}
