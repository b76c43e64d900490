//! JSON as it stands: a member that is named twice stays twice, and a whole number differs from one with a point.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::refused;
use crate::ecr::Invalid;
use crate::ecr::invalid::shown;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Integer(i64),
    /// With a point or an exponent, or out of range.
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Reads a text. Values may be within each other up to 127 deep, which is `serde_json`'s bound.
pub(super) fn read(text: &str) -> Result<Node, Invalid> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        refused(format!("Could not map policyString into LifecyclePolicy: no JSON at line {line}, column {column}"))
    })
}

/// A value as messages show it: short, whatever it is.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Text(value) => write!(f, "\"{}\"", shown(value)),
            Self::List(_) => f.write_str("a list"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        // All that matters of greater ones is that they are too great.
        Ok(Node::Integer(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = object.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_are_written() {
        let table = [
            ("null", Node::Null),
            ("true", Node::Bool(true)),
            ("-3", Node::Integer(-3)),
            ("18446744073709551615", Node::Integer(i64::MAX)),
            ("1.0", Node::Number(1.0)),
            ("1e2", Node::Number(100.0)),
            (r#""\u0061""#, Node::Text("a".into())),
            ("[1, []]", Node::List(vec![Node::Integer(1), Node::List(vec![])])),
            (
                r#"{"a": 1, "\u0061": 2}"#,
                Node::Object(vec![("a".into(), Node::Integer(1)), ("a".into(), Node::Integer(2))]),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        let deep = "[".repeat(30_000);
        for text in ["", "{", "{} x", "{'a': 1}", "[1,]", "NaN", "1e999", &deep] {
            let error = read(text).unwrap_err();
            assert!(
                error.message.contains("Could not map policyString into LifecyclePolicy: no JSON at line"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_shown_value_is_short() {
        let text = read(&format!("{:?}", "x".repeat(10_000))).unwrap();
        assert_eq!(text.to_string().len(), 102);
        for (text, expected) in [("1.0", "1.0"), ("[1, 2]", "a list"), ("{}", "an object"), ("null", "null")] {
            assert_eq!(read(text).unwrap().to_string(), expected);
        }
    }
}
