//! JSON as policies are read from: a member named twice is refused, and so is nesting deeper than any policy needs.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::PolicyError;

/// Document, statements, statement, condition, operator, values: six levels, and some to spare.
const MAX_DEPTH: usize = 12;

/// A JSON value; members keep their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    /// As text: policies compare numbers by their own rules.
    Number(String),
    String(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Reads a document.
pub(super) fn read(text: &str) -> Result<Node, PolicyError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let node = Depth(MAX_DEPTH).deserialize(&mut deserializer);
    let node = node.and_then(|node| deserializer.end().map(|()| node));
    node.map_err(|error| PolicyError::Json { line: error.line(), column: error.column() })
}

/// How many levels may still follow.
struct Depth(usize);

impl Depth {
    fn below<E: Error>(&self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(self.below()?)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some(name) = object.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("a member twice"));
            }
            members.push((name, object.next_value_seed(self.below()?)?));
        }
        Ok(Node::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let node = read(r#" {"a": [1, -2, 1.5, true, null, "x"]} "#).unwrap();
        let list = ["1", "-2", "1.5"].map(|n| Node::Number(n.into())).into_iter();
        let list = list.chain([Node::Bool(true), Node::Null, Node::String("x".into())]).collect();
        assert_eq!(node, Node::Object(vec![("a".into(), Node::List(list))]));
    }

    #[test]
    fn what_is_no_plain_json_is_refused() {
        let deep = "[".repeat(100_000);
        for bad in
            ["", "{", "{} x", r#"{"a":1,"a":2}"#, r#"{"b":{"a":1,"\u0061":2}}"#, "[[[[[[[[[[[[[1]]]]]]]]]]]]]", &deep]
        {
            assert!(matches!(read(bad), Err(PolicyError::Json { .. })), "{}", bad.len());
        }
    }
}
