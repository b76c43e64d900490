//! From elements to a tree, guided by the output's shape.

use serde_json::{Map, Value};

use super::element::Element;
use crate::protocol::query::scalar;
use crate::protocol::{Kind, Member, ProtocolError, Shape};

/// The tree of an element. Elements nest no deeper than their reader allows, so this ends.
pub(super) fn tree(shape: &Shape, element: &Element) -> Result<Value, ProtocolError> {
    match &shape.kind {
        Kind::Structure { members, .. } => structure(members, element),
        Kind::List { member, member_name, .. } => list(member, element.all(member_name)),
        Kind::Map { .. } => map(shape, element.all("entry")),
        _ => scalar(shape, &element.text).map_err(|error| ProtocolError::Answer(error.to_string())),
    }
}

fn structure(members: &[Member], element: &Element) -> Result<Value, ProtocolError> {
    let mut values = Map::new();
    for member in members {
        let mut found = element.all(member.wire_name).peekable();
        if found.peek().is_none() {
            continue;
        }
        let value = match &member.shape.kind {
            Kind::List { member, flattened: true, .. } => list(member, found)?,
            Kind::Map { flattened: true, .. } => map(member.shape, found)?,
            _ => found.next().map(|first| tree(member.shape, first)).transpose()?.unwrap_or_default(),
        };
        values.insert(member.name.to_owned(), value);
    }
    Ok(Value::Object(values))
}

fn list<'a>(shape: &Shape, elements: impl Iterator<Item = &'a Element>) -> Result<Value, ProtocolError> {
    elements.map(|element| tree(shape, element)).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn map<'a>(shape: &Shape, entries: impl Iterator<Item = &'a Element>) -> Result<Value, ProtocolError> {
    let mut values = Map::new();
    if let Kind::Map { value, key_name, value_name, .. } = &shape.kind {
        for entry in entries {
            let (Some(key), Some(below)) = (entry.child(key_name), entry.child(value_name)) else {
                return Err(ProtocolError::Answer("an entry of a map has no key or no value".to_owned()));
            };
            values.insert(key.text.clone(), tree(value, below)?);
        }
    }
    Ok(Value::Object(values))
}
