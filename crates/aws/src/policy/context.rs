//! What a request tells about itself beyond action and resource: the values of condition keys.

use std::borrow::Cow;
use std::collections::HashMap;

/// Condition keys and their values. Asked only for keys that a condition or variable names, so an implementation may
/// make a value at the moment it is asked.
///
/// Keys come in lower case, except that what follows a `/` stays as the policy wrote it
/// (`aws:resourcetag/CostCenter`). An implementation compares all of it without regard to case, as "IAM JSON policy
/// elements: Condition" says of key names.
pub trait Context {
    /// The values of a key, or nothing where the request has none.
    fn values(&self, key: &str) -> Option<Values<'_>>;
}

/// The values of one condition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Values<'a> {
    /// Of a key that has at most one value.
    Single(Cow<'a, str>),
    /// Of a key that may have several, such as `aws:TagKeys`. No value at all is like an absent key.
    Many(Vec<Cow<'a, str>>),
}

impl Values<'_> {
    /// Whether any value, or every value, passes a test.
    pub(super) fn any(&self, test: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Single(value) => test(value),
            Self::Many(values) => values.iter().any(|value| test(value)),
        }
    }

    pub(super) fn all(&self, test: impl Fn(&str) -> bool) -> bool {
        !self.any(|value| !test(value))
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Many(values) if values.is_empty())
    }
}

/// A context in a map, for simulating requests and for tests.
#[derive(Debug, Clone, Default)]
pub struct MapContext(HashMap<String, Stored>);

#[derive(Debug, Clone)]
enum Stored {
    Single(String),
    Many(Vec<String>),
}

impl MapContext {
    /// An empty context.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key with one value.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.0.insert(key.to_lowercase(), Stored::Single(value.into()));
        self
    }

    /// Adds a key that may have several values.
    #[must_use]
    pub fn with_many<T: Into<String>>(mut self, key: &str, values: impl IntoIterator<Item = T>) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.0.insert(key.to_lowercase(), Stored::Many(values));
        self
    }
}

impl Context for MapContext {
    fn values(&self, key: &str) -> Option<Values<'_>> {
        let stored = self.0.get(key).or_else(|| self.0.get(&key.to_lowercase()))?;
        Some(match stored {
            Stored::Single(value) => Values::Single(value.into()),
            Stored::Many(values) => Values::Many(values.iter().map(Into::into).collect()),
        })
    }
}

/// A key as [`Context::values`] is asked for it.
pub(super) fn normal_key(key: &str) -> String {
    match key.split_once('/') {
        None => key.to_ascii_lowercase(),
        Some((name, rest)) => format!("{}/{rest}", name.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_any_case() {
        let context = MapContext::new().with("aws:ResourceTag/Team", "red");
        for key in ["aws:resourcetag/Team", "aws:resourcetag/team"] {
            assert_eq!(context.values(key), Some(Values::Single("red".into())), "{key}");
        }
        assert_eq!(context.values("aws:resourcetag"), None);
        assert_eq!(normal_key("AWS:ResourceTag/CostCenter"), "aws:resourcetag/CostCenter");
    }
}
