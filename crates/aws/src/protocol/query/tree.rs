//! From the parameters of a form to a tree, guided by the input's shape.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::protocol::{Form, Kind, Member, ProtocolError, Shape, Timestamp, value};

/// Parts that a parameter's name may have: `A.member.1.B.entry.1.value` has seven.
const MAX_DEPTH: usize = 32;

/// What the parameters say below one path.
#[derive(Default)]
struct Node<'a> {
    value: Option<&'a str>,
    below: BTreeMap<&'a str, Node<'a>>,
}

pub(super) fn read(shape: &Shape, form: &Form) -> Result<Value, ProtocolError> {
    let mut root = Node::default();
    // Only what the shape knows is taken apart: signatures in a query string, and the like, are not looked at.
    let known = |name: &str| shape.members().iter().any(|member| name.split('.').next() == Some(member.wire_name));
    for (name, value) in form.parameters().filter(|(name, _)| known(name)) {
        root.insert(name, value)?;
    }
    structure(shape.members(), &root, 0).map(Value::Object)
}

impl<'a> Node<'a> {
    fn insert(&mut self, name: &'a str, value: &'a str) -> Result<(), ProtocolError> {
        if name.split('.').count() > MAX_DEPTH {
            return Err(ProtocolError::MalformedQuery(format!("a parameter's name has more than {MAX_DEPTH} parts")));
        }
        let node = name.split('.').fold(self, |node, part| node.below.entry(part).or_default());
        node.value = Some(value);
        Ok(())
    }

    /// What is below a name of several elements, in the order of their numbers. Numbers may be missing.
    fn numbered(&self) -> Result<Vec<&Node<'a>>, ProtocolError> {
        let mut numbered = BTreeMap::new();
        for (part, node) in &self.below {
            let digits = part.bytes().all(|b| b.is_ascii_digit());
            let number = part.parse::<u32>().ok().filter(|_| digits);
            let number = number.ok_or_else(|| malformed(&format!("{part} is no index of a list")))?;
            if numbered.insert(number, node).is_some() {
                return Err(ProtocolError::DuplicateParameter(format!("Duplicate index: {number}")));
            }
        }
        Ok(numbered.into_values().collect())
    }
}

fn malformed(what: &str) -> ProtocolError {
    ProtocolError::Serialization(what.to_owned())
}

fn structure(members: &[Member], node: &Node<'_>, depth: usize) -> Result<Map<String, Value>, ProtocolError> {
    let mut tree = Map::new();
    for member in members {
        let found = node.below.get(member.wire_name);
        if let Some(value) = found.map(|below| read_node(member.shape, below, depth + 1)).transpose()?.flatten() {
            tree.insert(member.name.to_owned(), value);
        }
    }
    Ok(tree)
}

/// The value at a node; none where parameters are only of members that the shape has not.
fn read_node(shape: &Shape, node: &Node<'_>, depth: usize) -> Result<Option<Value>, ProtocolError> {
    if depth > MAX_DEPTH {
        return Ok(None);
    }
    match &shape.kind {
        Kind::Structure { members, .. } => {
            let tree = structure(members, node, depth)?;
            Ok((!tree.is_empty() || node.value == Some("") || node.below.is_empty()).then_some(Value::Object(tree)))
        }
        Kind::List { member, member_name, flattened, .. } => {
            let elements = if *flattened { Some(node) } else { node.below.get(member_name) };
            list(member, node, elements, depth).map(Some)
        }
        Kind::Map { key, value, key_name, value_name, flattened, .. } => {
            let entries = if *flattened { Some(node) } else { node.below.get("entry") };
            map((key, value), (key_name, value_name), entries, depth).map(Some)
        }
        _ => node.value.map(|text| scalar(shape, text)).transpose(),
    }
}

fn list(member: &Shape, node: &Node<'_>, elements: Option<&Node<'_>>, depth: usize) -> Result<Value, ProtocolError> {
    // Clients write an empty list as its name with no value.
    if node.value.is_some_and(|text| !text.is_empty()) {
        return Err(malformed("a list is given as `NAME.member.N`"));
    }
    let mut values = Vec::new();
    for element in elements.map(Node::numbered).transpose()?.unwrap_or_default() {
        values.extend(read_node(member, element, depth + 1)?);
    }
    Ok(Value::Array(values))
}

fn map(
    shapes: (&Shape, &Shape),
    names: (&str, &str),
    entries: Option<&Node<'_>>,
    depth: usize,
) -> Result<Value, ProtocolError> {
    let mut tree = Map::new();
    for entry in entries.map(Node::numbered).transpose()?.unwrap_or_default() {
        let key = entry.below.get(names.0).and_then(|key| key.value);
        let key = key.ok_or_else(|| malformed("an entry of a map has no key"))?;
        let Some(node) = entry.below.get(names.1) else { return Err(malformed("an entry of a map has no value")) };
        let value = read_node(shapes.1, node, depth + 1)?.unwrap_or(Value::Null);
        if tree.insert(key.to_owned(), value).is_some() {
            return Err(ProtocolError::DuplicateParameter("Duplicate key of a map".to_owned()));
        }
    }
    Ok(Value::Object(tree))
}

/// Reads a text of a form or of XML as its shape wants it.
pub(in crate::protocol) fn scalar(shape: &Shape, text: &str) -> Result<Value, ProtocolError> {
    let read = match shape.kind {
        Kind::String { .. } => Some(Value::from(text)),
        Kind::Integer { .. } => text.parse::<i32>().ok().map(Value::from),
        Kind::Long { .. } => text.parse::<i64>().ok().map(Value::from),
        Kind::Boolean => text.parse::<bool>().ok().map(Value::from),
        Kind::Double => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
        Kind::Timestamp => Timestamp::parse(text).map(|time| Value::from(time.0)),
        Kind::Blob { .. } => value::blob_length(text).map(|_| Value::from(text)),
        Kind::Structure { .. } | Kind::List { .. } | Kind::Map { .. } => None,
    };
    read.ok_or_else(|| malformed(&format!("a value is no {}", shape.type_name())))
}
