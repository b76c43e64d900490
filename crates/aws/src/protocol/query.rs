//! The Query protocol's requests: parameters whose names are paths, such as `Tags.member.1.Key`.

mod build;
mod tree;

pub(super) use build::text;
pub(super) use tree::scalar;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Form, Operation, ProtocolError, Service, validate};

/// The operation that a form asks for.
pub fn operation(service: &Service, form: &Form) -> Result<&'static Operation, ProtocolError> {
    let action = form.action().ok_or(ProtocolError::MissingAction)?;
    let version = form.version();
    let found = service.operation(action).filter(|_| version == Some(service.version));
    found.ok_or_else(|| ProtocolError::InvalidAction {
        action: action.to_owned(),
        version: version.unwrap_or("NO_VERSION_SPECIFIED").to_owned(),
    })
}

/// Reads the input of an operation, whose constraints it satisfies then. Parameters that the input has not are ignored.
pub fn parse_query<T: DeserializeOwned>(operation: &Operation, form: &Form) -> Result<T, ProtocolError> {
    let tree = read_tree(operation, form)?;
    validate(operation.input, &tree)?;
    super::json::from_tree(tree)
}

/// Reads the input of an operation as a tree, whose values are of the right types and else unchecked.
pub fn read_tree(operation: &Operation, form: &Form) -> Result<Value, ProtocolError> {
    tree::read(operation.input, form)
}

/// Writes a request: a form with the operation and its input.
pub fn build_request<T: Serialize>(
    service: &Service,
    operation: &Operation,
    input: &T,
) -> Result<String, ProtocolError> {
    let tree = super::json::to_tree(input)?;
    Ok(build::form(service, operation, &tree))
}

#[cfg(test)]
mod tests;
