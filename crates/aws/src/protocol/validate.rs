//! The constraints of shapes, and what AWS says where a value breaks them.

use serde_json::{Map, Value};

use super::{Kind, Member, ProtocolError, Shape, value};

/// Shapes that may be within each other. Models nest some ten deep; this ends what refers to itself.
const MAX_DEPTH: usize = 64;

/// Violations that a message tells of. Their number is always told.
const MAX_TOLD: usize = 100;

/// Checks a tree against its shape: what is required, lengths, patterns, enumerations and ranges. The error names the
/// violations, in the words of AWS; values of sensitive shapes are not in it.
pub fn validate(shape: &Shape, tree: &Value) -> Result<(), ProtocolError> {
    let mut violations = Vec::new();
    check(shape, tree, "", MAX_DEPTH, &mut violations);
    if violations.is_empty() {
        return Ok(());
    }
    let told = violations.get(..MAX_TOLD).unwrap_or(&violations);
    let plural = if violations.len() == 1 { "" } else { "s" };
    let head = format!("{} validation error{plural} detected: ", violations.len());
    Err(ProtocolError::Validation(head + &told.join("; ")))
}

fn check(shape: &Shape, tree: &Value, path: &str, depth: usize, violations: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else {
        violations.push(format!("Value at '{path}' failed to satisfy constraint: Member is nested too deeply"));
        return;
    };
    let own = constraints(shape, tree).filter(|broken| !broken.is_empty());
    for constraint in own.into_iter().flatten() {
        violations.push(violation(shape, tree, path, &constraint));
    }
    match (&shape.kind, tree) {
        (Kind::Structure { members, .. }, Value::Object(values)) => structure(members, values, path, depth, violations),
        (Kind::List { member, .. }, Value::Array(values)) => list(shape, member, values, path, depth, violations),
        (Kind::Map { key, value, .. }, Value::Object(values)) => {
            for (name, below) in values {
                check(key, &Value::from(name.as_str()), &format!("{path}.key"), depth, violations);
                check(value, below, &format!("{path}.{name}.member"), depth, violations);
            }
        }
        _ => {}
    }
}

fn structure(members: &[Member], values: &Map<String, Value>, path: &str, depth: usize, violations: &mut Vec<String>) {
    for member in members {
        let path = join(path, member.name);
        match values.get(member.name) {
            Some(value) if !value.is_null() => check(member.shape, value, &path, depth, violations),
            _ if member.required => violations.push(violation(member.shape, &Value::Null, &path, NOT_NULL)),
            _ => {}
        }
    }
}

const NOT_NULL: &str = "Member must not be null";

/// Elements that are structures are told of one by one; of others it is told once that the list has a wrong one.
fn list(shape: &Shape, member: &Shape, values: &[Value], path: &str, depth: usize, violations: &mut Vec<String>) {
    if matches!(member.kind, Kind::Structure { .. } | Kind::List { .. } | Kind::Map { .. }) {
        for (index, value) in values.iter().enumerate() {
            check(member, value, &format!("{path}.{}.member", index + 1), depth, violations);
        }
    } else if values.iter().any(|value| constraints(member, value).is_none_or(|broken| !broken.is_empty())) {
        let constraint = format!("Member must satisfy constraint: [{}]", all_constraints(member).join(", "));
        violations.push(violation(shape, &Value::from(values), path, &constraint));
    }
}

fn violation(shape: &Shape, tree: &Value, path: &str, constraint: &str) -> String {
    let value = match tree {
        tree if holds_secret(shape, tree) => "Value".to_owned(),
        Value::Null => "Value null".to_owned(),
        tree => format!("Value '{}'", shown(tree)),
    };
    format!("{value} at '{path}' failed to satisfy constraint: {constraint}")
}

/// Whether showing a value would show what must not be. Of structures and maps no values are shown.
fn holds_secret(shape: &Shape, tree: &Value) -> bool {
    match (&shape.kind, tree) {
        (Kind::List { member, .. }, Value::Array(values)) => values.iter().any(|value| holds_secret(member, value)),
        (Kind::Map { key, .. }, _) => key.is_sensitive(),
        _ => shape.is_sensitive(),
    }
}

/// A value as messages show it: a list without the quotes of its texts.
fn shown(tree: &Value) -> String {
    match tree {
        Value::String(text) => text.clone(),
        Value::Array(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(values) => format!("{{{}}}", values.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// The path of a member as AWS writes it: the first letter of each name small.
fn join(path: &str, name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    let name = first.into_iter().chain(letters).collect::<String>();
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

/// The constraints that a value breaks by itself; none where it is not of the shape's type.
fn constraints(shape: &Shape, tree: &Value) -> Option<Vec<String>> {
    let mut broken = Vec::new();
    match (&shape.kind, tree) {
        (Kind::String { min, max, pattern, enumeration, .. }, Value::String(text)) => {
            broken.extend(length(text.chars().count(), *min, *max));
            broken.extend(pattern.as_ref().filter(|pattern| !pattern.matches(text)).map(|p| matching(p.source())));
            let unknown = !enumeration.is_empty() && !enumeration.contains(&text.as_str());
            broken.extend(unknown.then(|| one_of(enumeration)));
        }
        (Kind::Integer { min, max } | Kind::Long { min, max }, Value::Number(number)) => {
            broken.extend(range(number.as_i64()?, *min, *max));
        }
        (Kind::Blob { min, max, .. }, Value::String(text)) => {
            broken.extend(length(value::blob_length(text)?, *min, *max));
        }
        (Kind::List { min, max, .. }, Value::Array(values)) => broken.extend(length(values.len(), *min, *max)),
        (Kind::Map { min, max, .. }, Value::Object(values)) => broken.extend(length(values.len(), *min, *max)),
        (Kind::Structure { union, .. }, Value::Object(values)) => {
            let one = values.values().filter(|value| !value.is_null()).count() == 1;
            broken.extend((*union && !one).then(|| "Member must have exactly one of its members".to_owned()));
        }
        (Kind::Boolean, Value::Bool(_)) | (Kind::Double | Kind::Timestamp, Value::Number(_)) => {}
        (_, Value::Null) => broken.push(NOT_NULL.to_owned()),
        _ => broken.push(format!("Member must be a {}", shape.type_name())),
    }
    Some(broken)
}

fn length(length: usize, min: Option<u64>, max: Option<u64>) -> impl Iterator<Item = String> {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    let long = max.filter(|max| length > *max).map(at_most);
    let short = min.filter(|min| length < *min).map(at_least);
    long.into_iter().chain(short)
}

fn range(number: i64, min: Option<i64>, max: Option<i64>) -> impl Iterator<Item = String> {
    let great =
        max.filter(|max| number > *max).map(|max| format!("Member must have value less than or equal to {max}"));
    let small =
        min.filter(|min| number < *min).map(|min| format!("Member must have value greater than or equal to {min}"));
    great.into_iter().chain(small)
}

fn at_most(max: u64) -> String {
    format!("Member must have length less than or equal to {max}")
}

fn at_least(min: u64) -> String {
    format!("Member must have length greater than or equal to {min}")
}

fn matching(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

fn one_of(enumeration: &[&str]) -> String {
    format!("Member must satisfy enum value set: [{}]", enumeration.join(", "))
}

/// All constraints of a shape that is no structure, list or map, broken or not.
fn all_constraints(shape: &Shape) -> Vec<String> {
    match &shape.kind {
        Kind::String { min, max, pattern, enumeration, .. } => {
            let lengths = max.map(at_most).into_iter().chain(min.map(at_least));
            let pattern = pattern.as_ref().map(|pattern| matching(pattern.source()));
            let enumeration = (!enumeration.is_empty()).then(|| one_of(enumeration));
            lengths.chain(pattern).chain(enumeration).chain([NOT_NULL.to_owned()]).collect()
        }
        Kind::Integer { min, max } | Kind::Long { min, max } => {
            range(i64::MAX, None, *max).chain(range(i64::MIN, *min, None)).chain([NOT_NULL.to_owned()]).collect()
        }
        _ => vec![NOT_NULL.to_owned()],
    }
}

#[cfg(test)]
mod tests;
