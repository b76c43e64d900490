//! Whether pushes make repositories.

use berth_domain::settings::CreateOnPush;
use serde_json::Value;

use crate::config::setting::Kind;

impl Kind for CreateOnPush {
    fn expected() -> String {
        "true, false or template".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "true" => Some(Self::Always),
            "false" => Some(Self::Never),
            "template" => Some(Self::ByTemplate),
            _ => None,
        }
    }

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(true) => Some(Self::Always),
            Value::Bool(false) => Some(Self::Never),
            other => Self::parse(other.as_str()?),
        }
    }

    fn show(&self) -> Value {
        match self {
            Self::Always => Value::from(true),
            Self::Never => Value::from(false),
            Self::ByTemplate => Value::from("template"),
        }
    }
}
