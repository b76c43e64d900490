//! Quotas of calls.

use berth_domain::throttle::{Profile, RateRule};
use serde_json::Value;

use crate::config::setting::Kind;

impl Kind for Profile {
    fn expected() -> String {
        "off or ecr".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "ecr" => Some(Self::Ecr),
            _ => None,
        }
    }

    fn show(&self) -> Value {
        Value::from(match self {
            Self::Off => "off",
            Self::Ecr => "ecr",
        })
    }
}

impl Kind for RateRule {
    fn expected() -> String {
        "a quota such as PutImage=20/40, iam:*=5 or principal:ecr:BatchGetImage=100".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn show(&self) -> Value {
        Value::from(self.to_string())
    }
}
