//! From a tree to elements.

use serde_json::Value;

use crate::protocol::query::text;
use crate::protocol::{Kind, Member, Shape};

pub(super) fn root(name: &str, namespace: &str, body: &str) -> String {
    if namespace.is_empty() {
        return element(name, body);
    }
    format!("<{name} xmlns=\"{}\">{body}</{name}>", escape(namespace))
}

pub(super) fn wrap(wrapper: Option<&str>, body: &str) -> String {
    wrapper.map_or_else(|| body.to_owned(), |name| element(name, body))
}

/// An element around what is XML already.
pub(super) fn element(name: &str, body: &str) -> String {
    if body.is_empty() { format!("<{name}/>") } else { format!("<{name}>{body}</{name}>") }
}

/// The members of a structure that have a value.
pub(super) fn members(shape: &Shape, tree: &Value, out: &mut String) {
    for member in shape.members() {
        if let Some(value) = tree.get(member.name).filter(|value| !value.is_null()) {
            write_member(member, value, out);
        }
    }
}

fn write_member(member: &Member, value: &Value, out: &mut String) {
    let name = member.wire_name;
    match (&member.shape.kind, value) {
        (Kind::List { member, flattened: true, .. }, Value::Array(values)) => {
            out.extend(values.iter().map(|value| element(name, &body(member, value))));
        }
        (Kind::Map { flattened: true, .. }, Value::Object(_)) => {
            out.extend(entries(member.shape, value).iter().map(|entry| element(name, entry)));
        }
        (_, value) => out.push_str(&element(name, &body(member.shape, value))),
    }
}

fn body(shape: &Shape, value: &Value) -> String {
    let mut out = String::new();
    match (&shape.kind, value) {
        (Kind::Structure { .. }, Value::Object(_)) => members(shape, value, &mut out),
        (Kind::List { member, member_name, .. }, Value::Array(values)) => {
            out.extend(values.iter().map(|value| element(member_name, &body(member, value))));
        }
        (Kind::Map { .. }, Value::Object(_)) => {
            out.extend(entries(shape, value).iter().map(|entry| element("entry", entry)));
        }
        _ => out = escape(&text(shape, value)),
    }
    out
}

/// What each entry of a map holds: its key and its value.
fn entries(shape: &Shape, tree: &Value) -> Vec<String> {
    let (Kind::Map { value, key_name, value_name, .. }, Value::Object(values)) = (&shape.kind, tree) else {
        return Vec::new();
    };
    let entry =
        |(name, below): (&String, &Value)| element(key_name, &escape(name)) + &element(value_name, &body(value, below));
    values.iter().map(entry).collect()
}

/// Text as XML 1.0 holds it. A carriage return would be read as a line feed if it were written as it is.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#xD;"),
            '\t' | '\n' => escaped.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            // Readers that know XML 1.1 take these for the ends of lines.
            '\u{85}' => escaped.push_str("&#x85;"),
            '\u{2028}' => escaped.push_str("&#x2028;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        for (text, escaped) in [
            ("", ""),
            ("a<b>&\"'", "a&lt;b&gt;&amp;&quot;'"),
            ("]]>", "]]&gt;"),
            ("\t\n\r", "\t\n&#xD;"),
            ("\0\u{1b}\u{ffff}", "\u{fffd}\u{fffd}\u{fffd}"),
            ("é😀\u{7f}", "é😀\u{7f}"),
            ("\u{85}", "&#x85;"),
        ] {
            assert_eq!(escape(text), escaped, "{text:?}");
        }
    }
}
