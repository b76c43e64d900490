//! Where PostgreSQL is.

use berth_store_sql::postgres::PostgresUrl;
use serde_json::Value;

use crate::config::setting::Kind;

/// A connection string without a password, so that it can be printed.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The connection string for the engine; `None` never comes of a setting that was read.
    pub fn connection(&self) -> Option<PostgresUrl> {
        PostgresUrl::parse(&self.0).ok()
    }
}

impl Kind for DatabaseUrl {
    fn expected() -> String {
        "postgres://user@host:5432/database without a password, which BERTH_DATABASE_PASSWORD gives".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let url = PostgresUrl::parse(text).ok()?;
        (!url.has_password()).then(|| Self(text.to_owned()))
    }

    fn show(&self) -> Value {
        Value::from(self.0.as_str())
    }
}
