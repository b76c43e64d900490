//! What of a request's parameters is on record: by their shapes, without secrets, and not more than so many bytes.

use berth_aws::protocol::{Kind, Operation, Shape};
use berth_domain::audit;
use serde::Serialize;
use serde_json::{Map, Value};

/// What stands for a secret, as CloudTrail has it.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// The longest text, in bytes; what is longer is cut. Policy documents are shorter.
const LONGEST_TEXT: usize = 10 * 1024;
/// All texts of a request together, in bytes; what comes behind is left out.
const LONGEST: usize = 64 * 1024;
/// The most elements of a list.
const MOST_ELEMENTS: usize = 200;
/// Members that are secret although their shapes do not say so.
const SECRET: &[&str] =
    &["WebIdentityToken", "SAMLAssertion", "ContextAssertion", "TokenCode", "Password", "OldPassword", "NewPassword"];

/// Says what an operation was asked.
pub(crate) fn asked(operation: &Operation, input: &impl Serialize) {
    audit::parameters_text(|| {
        let tree = serde_json::to_value(input).unwrap_or(Value::Null);
        shown(operation, &tree).to_string()
    });
}

/// The same, where it is a tree already.
pub(crate) fn asked_tree(operation: &Operation, tree: &Value) {
    audit::parameters_text(|| shown(operation, tree).to_string());
}

/// The input of an operation as records show it; null where there is none.
fn shown(operation: &Operation, tree: &Value) -> Value {
    let mut left = LONGEST;
    match of_shape(operation.input, tree, &mut left) {
        Value::Object(members) if members.is_empty() => Value::Null,
        shown => shown,
    }
}

fn of_shape(shape: &Shape, value: &Value, left: &mut usize) -> Value {
    if shape.is_sensitive() || matches!(shape.kind, Kind::Blob { .. }) {
        return HIDDEN.into();
    }
    match (&shape.kind, value) {
        (Kind::Structure { members, .. }, Value::Object(given)) => {
            let mut shown = Map::new();
            for member in *members {
                let Some(value) = given.get(member.name).filter(|value| !value.is_null()) else { continue };
                let is_secret = SECRET.contains(&member.name);
                let value = if is_secret { HIDDEN.into() } else { of_shape(member.shape, value, left) };
                shown.insert(lower_first(member.name), value);
            }
            Value::Object(shown)
        }
        (Kind::List { member, .. }, Value::Array(given)) => {
            given.iter().take(MOST_ELEMENTS).map(|value| of_shape(member, value, left)).collect()
        }
        (Kind::Map { value: of_values, .. }, Value::Object(given)) => {
            let entries = given.iter().take(MOST_ELEMENTS);
            entries.map(|(key, value)| (text(key, left), of_shape(of_values, value, left))).collect()
        }
        // Times may be texts.
        (Kind::String { .. } | Kind::Timestamp, Value::String(given)) => text(given, left).into(),
        (_, Value::Number(_) | Value::Bool(_)) => value.clone(),
        // What does not fit its shape was refused, and nobody knows what it is.
        _ => Value::Null,
    }
}

/// CloudTrail writes the names of parameters with a small letter first.
fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + characters.as_str())
}

fn text(given: &str, left: &mut usize) -> String {
    let most = LONGEST_TEXT.min(*left);
    let end = (0..=most.min(given.len())).rev().find(|end| given.is_char_boundary(*end)).unwrap_or(0);
    *left -= end;
    let kept = given.get(..end).unwrap_or_default();
    if end < given.len() { format!("{kept}\u{2026}") } else { kept.to_owned() }
}

#[cfg(test)]
mod tests {
    use berth_aws::ecr::ECR;
    use berth_aws::iam::IAM;
    use berth_aws::protocol::Service;
    use berth_aws::sts::STS;
    use serde_json::json;

    use super::*;
    use crate::iam::berth::BERTH;

    const MARK: &str = "a-secret-that-nobody-may-read";

    /// A value of a shape, whose sensitive texts and blobs are secrets, and all others too where `all` is set.
    fn filled(shape: &Shape, all: bool, depth: usize) -> Value {
        let secret = all || shape.is_sensitive();
        match &shape.kind {
            Kind::Structure { members, .. } if depth < 6 => {
                let of = |shape| filled(shape, all, depth + 1);
                Value::Object(members.iter().map(|member| (member.name.to_owned(), of(member.shape))).collect())
            }
            Kind::List { member, .. } if depth < 6 => json!([filled(member, all, depth + 1)]),
            Kind::Map { value, .. } if depth < 6 => json!({ "key": filled(value, all, depth + 1) }),
            Kind::Structure { .. } | Kind::Map { .. } => json!({}),
            Kind::List { .. } => json!([]),
            Kind::String { .. } if secret => MARK.into(),
            Kind::String { .. } => "plain".into(),
            Kind::Blob { .. } => MARK.into(),
            Kind::Integer { .. } | Kind::Long { .. } | Kind::Double => 1.into(),
            Kind::Boolean => true.into(),
            Kind::Timestamp => 0.into(),
        }
    }

    fn all() -> Vec<(&'static Service, &'static Operation)> {
        let of = |service: &'static Service| service.operations.iter().map(move |operation| (service, *operation));
        [&IAM, &STS, &ECR, &BERTH].into_iter().flat_map(of).collect()
    }

    #[test]
    fn no_operation_shows_what_its_shapes_call_secret() {
        for (service, operation) in all() {
            let shown = shown(operation, &filled(operation.input, false, 0)).to_string();
            assert!(!shown.contains(MARK), "{} {}: {shown}", service.name, operation.name);
        }
    }

    /// A name that looks like a secret's is one of those that are hidden, or known to be none.
    #[test]
    fn no_member_with_the_name_of_a_secret_is_shown() {
        const HARMLESS: &[&str] =
            &["nextToken", "clientRequestToken", "NextToken", "AssertionEncryptionMode", "MinimumSessionTokenSize"];
        fn walk(shape: &Shape, depth: usize, found: &mut Vec<String>) {
            match &shape.kind {
                Kind::Structure { members, .. } if depth < 6 => {
                    for member in *members {
                        let name = member.name.to_lowercase();
                        let is_like =
                            ["password", "secret", "token", "assertion"].iter().any(|word| name.contains(word));
                        let is_hidden = SECRET.contains(&member.name) || member.shape.is_sensitive();
                        if is_like && !is_hidden && !HARMLESS.contains(&member.name) {
                            found.push(member.name.to_owned());
                        }
                        walk(member.shape, depth + 1, found);
                    }
                }
                Kind::List { member, .. } if depth < 6 => walk(member, depth + 1, found),
                Kind::Map { value, .. } if depth < 6 => walk(value, depth + 1, found),
                _ => {}
            }
        }
        let mut found = Vec::new();
        for (_, operation) in all() {
            walk(operation.input, 0, &mut found);
        }
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        let operation = IAM.operation("CreateUser").unwrap();
        let tree = json!({ "UserName": "bob", "Path": null, "Tags": [{ "Key": "a", "Value": "b" }] });
        let expected = json!({ "userName": "bob", "tags": [{ "key": "a", "value": "b" }] });
        assert_eq!(shown(operation, &tree), expected);
        assert_eq!(shown(operation, &json!({})), Value::Null);
    }

    #[test]
    fn long_texts_are_cut_and_many_left_out() {
        let operation = ECR.operation("PutImage").unwrap();
        let long = "\u{e9}".repeat(LONGEST);
        let shown_long = shown(operation, &json!({ "imageManifest": long }));
        assert_eq!(shown_long["imageManifest"].as_str().unwrap().len(), LONGEST_TEXT + 3);
        let operation = ECR.operation("TagResource").unwrap();
        let tags: Vec<Value> = (0..1000).map(|_| json!({ "Key": long, "Value": long })).collect();
        assert!(shown(operation, &json!({ "tags": tags })).to_string().len() < 2 * LONGEST);
    }
}
