//! The JSON 1.1 protocol: both its requests and its answers.

mod reader;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value, json};

use super::{Fault, Kind, Operation, Protocol, ProtocolError, Service, Shape, Timestamp, validate, value};

/// The operation that the header `X-Amz-Target` names: `PREFIX.Operation`.
pub fn operation(service: &Service, target: &str) -> Result<&'static Operation, ProtocolError> {
    let unknown = || ProtocolError::InvalidAction { action: target.to_owned(), version: service.version.to_owned() };
    let Protocol::Json11 { target_prefix } = service.protocol else { return Err(unknown()) };
    let name = target.strip_prefix(target_prefix).and_then(|rest| rest.strip_prefix('.'));
    name.and_then(|name| service.operation(name)).ok_or_else(unknown)
}

/// Reads the input of an operation, whose constraints it satisfies then. An empty body is an empty object; members that
/// the input has not are ignored, and null is as good as left out. No member may come twice.
pub fn parse_json<T: DeserializeOwned>(operation: &Operation, body: &[u8]) -> Result<T, ProtocolError> {
    let tree = read_tree(operation, body)?;
    validate(operation.input, &tree)?;
    from_tree(tree)
}

/// Reads the input of an operation as a tree, whose values are of the right types and else unchecked.
pub fn read_tree(operation: &Operation, body: &[u8]) -> Result<Value, ProtocolError> {
    decode_body(operation.input, body)
}

/// Writes a request.
pub fn build_request<T: Serialize>(operation: &Operation, input: &T) -> Result<String, ProtocolError> {
    Ok(encode(operation.input, &to_tree(input)?).to_string())
}

/// Writes an answer; `{}` where the operation answers nothing.
pub fn render_json<T: Serialize>(operation: &Operation, output: &T) -> Result<String, ProtocolError> {
    let tree = to_tree(output)?;
    Ok(operation.output.map_or_else(|| "{}".to_owned(), |shape| encode(shape, &tree).to_string()))
}

/// Writes the answer that something went wrong.
pub fn render_fault(fault: &Fault) -> String {
    json!({ "__type": fault.code, "message": fault.message }).to_string()
}

/// Reads an answer; `T` may be `()` where the operation answers nothing.
pub fn parse_result<T: DeserializeOwned>(operation: &Operation, body: &[u8]) -> Result<T, ProtocolError> {
    let Some(shape) = operation.output else { return from_answer(Value::Null) };
    from_answer(decode_body(shape, body).map_err(|error| ProtocolError::Answer(error.to_string()))?)
}

/// Reads the answer that something went wrong. A namespace before the code is cut off, as the protocol wants; `status` is
/// that of the answer.
pub fn parse_fault(body: &[u8], status: u16) -> Result<Fault, ProtocolError> {
    let tree: Value = serde_json::from_slice(body).map_err(|_| ProtocolError::Answer("no JSON".to_owned()))?;
    let text = |name: &str| tree.get(name).and_then(Value::as_str);
    let code = text("__type").and_then(|code| code.rsplit('#').next()).unwrap_or("Unknown");
    let message = text("message").or_else(|| text("Message")).unwrap_or_default();
    Ok(Fault { sender: status < 500, code: code.to_owned(), message: message.to_owned() })
}

/// The Rust structure of an answer's tree; `()` of null.
pub(super) fn from_answer<T: DeserializeOwned>(tree: Value) -> Result<T, ProtocolError> {
    from_tree(tree).map_err(|error| ProtocolError::Answer(error.to_string()))
}

/// The Rust structure of a tree.
pub(super) fn from_tree<T: DeserializeOwned>(tree: Value) -> Result<T, ProtocolError> {
    serde_json::from_value(tree).map_err(|_| unfit())
}

/// The tree of a Rust structure.
pub(super) fn to_tree<T: Serialize>(value: &T) -> Result<Value, ProtocolError> {
    serde_json::to_value(value).map_err(|_| unfit())
}

/// An error of serde repeats the value that it did not like, which may be secret.
fn unfit() -> ProtocolError {
    ProtocolError::Serialization("the values are not those of the structure".to_owned())
}

fn decode_body(shape: &Shape, body: &[u8]) -> Result<Value, ProtocolError> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    Ok(reader::read(shape, body)?.unwrap_or_else(|| json!({})))
}

fn unexpected(shape: &Shape, found: &str) -> ProtocolError {
    ProtocolError::Serialization(match found {
        "START_ARRAY" => "Start of list found where not expected".to_owned(),
        "START_OBJECT" => "Start of structure or map found where not expected.".to_owned(),
        _ => format!("{found} can not be converted to a {}", shape.type_name()),
    })
}

fn scalar(shape: &Shape, value: Value) -> Option<Value> {
    let right = match (&shape.kind, &value) {
        (Kind::String { .. }, Value::String(_))
        | (Kind::Boolean, Value::Bool(_))
        | (Kind::Double, Value::Number(_)) => true,
        (Kind::Integer { .. }, Value::Number(number)) => number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        (Kind::Long { .. }, Value::Number(number)) => number.as_i64().is_some(),
        (Kind::Blob { .. }, Value::String(text)) => value::blob_length(text).is_some(),
        (Kind::Timestamp, Value::Number(number)) => return milliseconds(number).map(Value::from),
        _ => false,
    };
    right.then_some(value)
}

fn milliseconds(seconds: &Number) -> Option<i64> {
    if let Some(whole) = seconds.as_i64() {
        return whole.checked_mul(1000);
    }
    let exact = (seconds.as_f64()? * 1000.0).round();
    #[allow(clippy::cast_possible_truncation, reason = "a time so far away is none, as the next line finds")]
    let milliseconds = exact as i64;
    Timestamp(milliseconds).to_iso8601().map(|_| milliseconds)
}

/// From a tree to what JSON holds: they differ in timestamps alone.
fn encode(shape: &Shape, tree: &Value) -> Value {
    match (&shape.kind, tree) {
        (Kind::Structure { members, .. }, Value::Object(values)) => {
            let present = members.iter().filter_map(|member| Some((member, values.get(member.name)?)));
            let present = present.filter(|(_, value)| !value.is_null());
            present.map(|(member, value)| (member.name.to_owned(), encode(member.shape, value))).collect()
        }
        (Kind::List { member, .. }, Value::Array(values)) => values.iter().map(|value| encode(member, value)).collect(),
        (Kind::Map { value: shape, .. }, Value::Object(values)) => {
            values.iter().map(|(key, value)| (key.clone(), encode(shape, value))).collect()
        }
        (Kind::Timestamp, Value::Number(number)) => number.as_i64().map_or(Value::Null, seconds),
        _ => tree.clone(),
    }
}

fn seconds(milliseconds: i64) -> Value {
    if milliseconds % 1000 == 0 {
        return Value::from(milliseconds / 1000);
    }
    #[allow(clippy::cast_precision_loss, reason = "a time of this age has its milliseconds in 53 bits")]
    Value::from(milliseconds as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecr::ECR;
    use crate::ecr::shapes::GetAuthorizationTokenRequest;

    const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";

    #[test]
    fn targets_name_operations() {
        assert_eq!(operation(&ECR, TARGET).unwrap().name, "GetAuthorizationToken");
        for bad in
            ["", "GetAuthorizationToken", "AmazonEC2ContainerRegistry_V20150921.Fly", "Other.GetAuthorizationToken"]
        {
            let error = operation(&ECR, bad).unwrap_err();
            assert_eq!(error.code(ECR.protocol), "UnknownOperationException", "{bad}");
        }
        assert!(operation(&crate::iam::IAM, "GetUser").is_err());
    }

    #[test]
    fn inputs_become_structures() {
        let parse = |body: &str| parse_json::<GetAuthorizationTokenRequest>(operation(&ECR, TARGET)?, body.as_bytes());
        for (body, ids) in [
            ("", None),
            ("{}", None),
            ("null", None),
            (
                r#"{"registryIds": null, "other": [1, -1, 1.5, "a", null, true, {"a": {"a": 1}, "a": 2}], "other": 3}"#,
                None,
            ),
            (r#"{"registryIds": ["123456789012"]}"#, Some(vec!["123456789012".to_owned()])),
        ] {
            assert_eq!(parse(body), Ok(GetAuthorizationTokenRequest { registry_ids: ids }), "{body}");
        }
        for (body, code) in [
            ("[]", "SerializationException"),
            ("{", "SerializationException"),
            ("\u{0}", "SerializationException"),
            (r#"{"registryIds": "123456789012"}"#, "SerializationException"),
            (r#"{"registryIds": [123456789012]}"#, "SerializationException"),
            (r#"{"registryIds": [["123456789012"]]}"#, "SerializationException"),
            (r#"{"registryIds": []}"#, "ValidationException"),
            (r#"{"registryIds": ["1"]}"#, "ValidationException"),
            (r#"{"registryIds": [null]}"#, "ValidationException"),
            (r#"{"registryIds": null, "registryIds": null}"#, "SerializationException"),
            (r#"{"registryIds": ["123456789012"], "registry\u0049ds": null}"#, "SerializationException"),
            (r#"{"other": "\ud800"}"#, "SerializationException"),
            (r#"{"other": 1e400}"#, "SerializationException"),
            (r"{} {}", "SerializationException"),
            (&format!(r#"{{"other": {}{}}}"#, "[".repeat(200), "]".repeat(200)), "SerializationException"),
        ] {
            assert_eq!(parse(body).unwrap_err().code(ECR.protocol), code, "{body}");
        }
    }

    #[test]
    fn answers_have_times_in_seconds() {
        let operation = ECR.operation("GetAuthorizationToken").unwrap();
        let answer = |milliseconds: i64| {
            render_json(operation, &json!({ "authorizationData": [{ "expiresAt": milliseconds }], "other": 1 }))
                .unwrap()
        };
        assert_eq!(answer(1_795_860_000_000), r#"{"authorizationData":[{"expiresAt":1795860000}]}"#);
        assert_eq!(answer(1_795_860_000_125), r#"{"authorizationData":[{"expiresAt":1795860000.125}]}"#);
        for bad in ["1e300", "-1e300", "\"now\"", "9223372036854775807"] {
            let body = format!(r#"{{"authorizationData":[{{"expiresAt":{bad}}}]}}"#);
            let read = parse_result::<Value>(operation, body.as_bytes());
            assert!(matches!(read, Err(ProtocolError::Answer(_))), "{bad}");
        }
    }

    #[test]
    fn faults_are_read_without_namespace() {
        let read = parse_fault(br#"{"__type":"com.amazon#ServerException","Message":"no"}"#, 500).unwrap();
        assert_eq!(read, Fault { sender: false, code: "ServerException".to_owned(), message: "no".to_owned() });
        assert!(parse_fault(b"no", 500).is_err());
    }
}
