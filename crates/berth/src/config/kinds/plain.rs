//! Switches, whole numbers, paths, and the words of AWS.

use std::path::PathBuf;

use berth_aws::{AccountId, Region};
use serde_json::Value;

use crate::config::setting::Kind;

impl Kind for bool {
    const IS_SWITCH: bool = true;

    fn expected() -> String {
        "true or false".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn read(value: &Value) -> Option<Self> {
        value.as_bool().or_else(|| Self::parse(value.as_str()?))
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }
}

/// TOML's integers end at 2^63 - 1, and so do these.
fn whole_number(value: &Value) -> Option<u64> {
    let number = match value {
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
        other => other.as_u64()?,
    };
    (i64::try_from(number).is_ok()).then_some(number)
}

impl Kind for u64 {
    fn expected() -> String {
        "a whole number".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Self::read(&Value::from(text))
    }

    fn read(value: &Value) -> Option<Self> {
        whole_number(value)
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }

    fn magnitude(&self) -> u64 {
        *self
    }
}

impl Kind for u32 {
    fn expected() -> String {
        "a whole number up to 4294967295".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Self::read(&Value::from(text))
    }

    fn read(value: &Value) -> Option<Self> {
        whole_number(value)?.try_into().ok()
    }

    fn show(&self) -> Value {
        Value::from(*self)
    }

    fn magnitude(&self) -> u64 {
        (*self).into()
    }
}

impl Kind for String {
    fn expected() -> String {
        "text without control characters".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        (text.len() <= 1024 && !text.chars().any(char::is_control)).then(|| text.to_owned())
    }

    fn show(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl Kind for PathBuf {
    fn expected() -> String {
        "a path".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| text.into())
    }

    fn show(&self) -> Value {
        Value::from(self.to_string_lossy())
    }
}

impl Kind for AccountId {
    fn expected() -> String {
        "an account id: 12 digits, in quotes".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }
}

impl Kind for Region {
    fn expected() -> String {
        "a region such as us-east-1".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }
}
