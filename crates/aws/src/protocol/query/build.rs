//! From a tree to the parameters of a form, as the clients of AWS write them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::protocol::{Kind, Operation, Service, Shape, Timestamp};

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) fn form(service: &Service, operation: &Operation, tree: &Value) -> String {
    let mut parameters =
        vec![("Action".to_owned(), operation.name.to_owned()), ("Version".to_owned(), service.version.to_owned())];
    write(operation.input, tree, "", &mut parameters);
    let pairs = parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn write(shape: &Shape, tree: &Value, path: &str, parameters: &mut Vec<(String, String)>) {
    match (&shape.kind, tree) {
        (Kind::Structure { members, .. }, Value::Object(values)) => {
            for member in *members {
                if let Some(value) = values.get(member.name).filter(|value| !value.is_null()) {
                    write(member.shape, value, &join(path, member.wire_name), parameters);
                }
            }
        }
        (Kind::List { .. }, Value::Array(values)) if values.is_empty() => {
            parameters.push((path.to_owned(), String::new()));
        }
        (Kind::List { member, member_name, flattened, .. }, Value::Array(values)) => {
            let path = if *flattened { path.to_owned() } else { join(path, member_name) };
            for (index, value) in values.iter().enumerate() {
                write(member, value, &format!("{path}.{}", index + 1), parameters);
            }
        }
        (Kind::Map { key, value, key_name, value_name, flattened, .. }, Value::Object(values)) => {
            let path = if *flattened { path.to_owned() } else { join(path, "entry") };
            for (index, (name, below)) in values.iter().enumerate() {
                let entry = format!("{path}.{}", index + 1);
                write(key, &Value::from(name.as_str()), &join(&entry, key_name), parameters);
                write(value, below, &join(&entry, value_name), parameters);
            }
        }
        _ => parameters.push((path.to_owned(), text(shape, tree))),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The text that a value has in a form or in XML; empty for what has none.
pub(in crate::protocol) fn text(shape: &Shape, value: &Value) -> String {
    match (&shape.kind, value) {
        (Kind::Timestamp, Value::Number(number)) => {
            number.as_i64().and_then(|milliseconds| Timestamp(milliseconds).to_iso8601()).unwrap_or_default()
        }
        (_, Value::String(text)) => text.clone(),
        (_, Value::Number(number)) => number.to_string(),
        (_, Value::Bool(flag)) => flag.to_string(),
        _ => String::new(),
    }
}
