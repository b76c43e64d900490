//! Values made from shapes: valid by their constraints, and as hard to write and read as those allow.

use berth_aws::protocol::{Kind, Shape};
use serde_json::{Map, Value, json};

/// Texts to choose from, those first that are likely to break something.
const TEXTS: &[&str] = &[
    "a<b>&amp;\"'é\r\n\t 😀 +%2B=;&#x41; ]]>",
    " spaced  out ",
    "",
    "{\"Version\": \"2012-10-17\",\r\n\t\"Statement\": []}",
    "%7B%22Version%22%3A%222012-10-17%22%7D",
    "plain",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "1b4e28ba-2fa1-41d2-883f-0016d3cca427",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/quay-AbCdEf",
    "arn:aws:signer:us-east-1:123456789012:/signing-profiles/release",
    "arn:aws:kms:us-east-1:123456789012:key/1b4e28ba",
    "arn:aws:iam::123456789012:role/team/app",
    "é ٣_.:/=+-@",
    "alice+dev=1,2.x@example-org",
    "a-b-c",
    "/",
    "/team/a~b/",
    "v12.x-1",
    "123456",
    "123456789012",
    "AKIAIOSFODNN7EXAMPLE",
    "AROAIOSFODNN7EXAMPLE",
    "arn:aws:iam::123456789012:policy/team/read",
    "o-abcdefghij",
    "o-abcdefghij/r-abcd",
    "p-abcdefgh",
];

/// Which members and elements a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// All members, lists of three or what their bounds allow.
    Full,
    /// The required members alone.
    Required,
    /// All members, lists as short as they may be.
    Short,
}

/// Several values of a shape.
pub fn trees(shape: &Shape) -> Vec<Value> {
    let full = (0..8).map(|seed| tree(shape, Fill::Full, seed));
    full.chain([tree(shape, Fill::Required, 1), tree(shape, Fill::Short, 2)]).collect()
}

fn tree(shape: &Shape, fill: Fill, seed: usize) -> Value {
    match &shape.kind {
        Kind::Structure { members, union: true } => {
            let member = &members[seed % members.len()];
            json!({ member.name: tree(member.shape, fill, seed) })
        }
        Kind::Structure { members, union: false } => {
            let wanted = members.iter().filter(|member| member.required || fill != Fill::Required);
            let values = wanted.enumerate().map(|(at, m)| (m.name.to_owned(), tree(m.shape, fill, seed + at)));
            Value::Object(values.collect())
        }
        Kind::List { member, min, max, .. } => {
            let count = count(fill, *min, *max);
            (0..count).map(|at| tree(member, fill, seed + at)).collect()
        }
        Kind::Map { key, value, min, max, .. } => {
            let mut entries = Map::new();
            for at in 0..count(fill, *min, *max) {
                let key = tree(key, fill, seed + at);
                entries.insert(key.as_str().unwrap().to_owned(), tree(value, fill, seed + at));
            }
            Value::Object(entries)
        }
        Kind::Integer { min, max } | Kind::Long { min, max } => {
            let choices = [*min, *max, Some(7)];
            let valid = |n: &i64| min.is_none_or(|min| *n >= min) && max.is_none_or(|max| *n <= max);
            let valid: Vec<i64> = choices.into_iter().flatten().filter(valid).collect();
            json!(valid[seed % valid.len()])
        }
        Kind::Boolean => json!(seed.is_multiple_of(2)),
        Kind::Double => json!(1.5),
        // JSON has these as a number with a fraction, where there is a rest.
        Kind::Timestamp => json!([1_795_860_000_000_i64, 1_795_860_000_125, 0][seed % 3]),
        Kind::Blob { .. } => json!("AP8H"),
        Kind::String { .. } => json!(text(shape, seed)),
    }
}

fn count(fill: Fill, min: Option<u64>, max: Option<u64>) -> usize {
    let few = if fill == Fill::Short { 0 } else { 3 };
    usize::try_from(few.max(min.unwrap_or(0)).min(max.unwrap_or(u64::MAX))).unwrap()
}

/// One of the texts that satisfy a shape, made long enough where it has to be longer.
fn text(shape: &Shape, seed: usize) -> String {
    let Kind::String { min, max, pattern, enumeration, .. } = &shape.kind else {
        panic!("{} is no string", shape.name)
    };
    if !enumeration.is_empty() {
        return enumeration[seed % enumeration.len()].to_owned();
    }
    let (min, max) = (usize::try_from(min.unwrap_or(0)).unwrap(), max.unwrap_or(u64::MAX));
    let long = |text: &str| {
        let length = text.chars().count();
        if length >= min || length == 0 { text.to_owned() } else { text.repeat(min.div_ceil(length)) }
    };
    let valid = |text: &String| {
        let length = text.chars().count();
        length >= min && length as u64 <= max && pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
    };
    let valid: Vec<String> = TEXTS.iter().map(|text| long(text)).filter(valid).collect();
    assert!(!valid.is_empty(), "no example satisfies {}", shape.name);
    valid[seed % valid.len()].clone()
}
