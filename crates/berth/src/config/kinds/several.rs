//! Lists, and values that may be empty.

use serde_json::Value;

use crate::config::setting::Kind;

impl<K: Kind> Kind for Vec<K> {
    const IS_LIST: bool = true;

    fn expected() -> String {
        format!("a list of: {}", K::expected())
    }

    fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self::new());
        }
        text.split(',').map(|item| K::parse(item.trim())).collect()
    }

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Array(items) => items.iter().map(K::read).collect(),
            Value::String(text) => Self::parse(text),
            _ => None,
        }
    }

    fn show(&self) -> Value {
        self.iter().map(K::show).collect()
    }
}

/// Empty text stands for nothing.
impl<K: Kind> Kind for Option<K> {
    fn expected() -> String {
        format!("{}, or nothing", K::expected())
    }

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { K::parse(text).map(Some) }
    }

    fn show(&self) -> Value {
        self.as_ref().map_or_else(|| Value::from(""), K::show)
    }
}
