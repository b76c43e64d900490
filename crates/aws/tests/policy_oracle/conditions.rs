//! Conditions and contexts made at random: every operator, with values that sometimes meet.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::random::Random;

/// Values by key.
pub type Context = BTreeMap<&'static str, ContextValue>;

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum ContextValue {
    One(String),
    Many(Vec<&'static str>),
}

/// What a key is compared with: operators without Not, those with, and values for the policy and for the request.
struct Family {
    keys: &'static [&'static str],
    operators: &'static [&'static str],
    wanted: &'static [&'static str],
    given: &'static [&'static str],
}

const STRINGS: Family = Family {
    keys: &["aws:PrincipalTag/team", "aws:username", "aws:RequestTag/env"],
    operators: &[
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
    ],
    wanted: &[
        "team",
        "TEAM",
        "te*",
        "?eam",
        "*",
        "alice",
        "a*e",
        "prod",
        "${aws:username}",
        "${aws:PrincipalTag/team}",
        "${*}",
        "a${*}e",
    ],
    given: &["team", "Team", "prod", "alice", "a*e", "*"],
};
const NUMBERS: Family = Family {
    keys: &["aws:MultiFactorAuthAge"],
    operators: &[
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
    ],
    wanted: &["5", "10", "10.5", "-1", "0"],
    given: &["5", "10", "11", "10.5", "0"],
};
const DATES: Family = Family {
    keys: &["aws:CurrentTime", "aws:TokenIssueTime"],
    operators: &[
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
    ],
    wanted: &["2024-05-01T00:00:00Z", "2024-06-01T12:00:00Z", "1714521600", "2025-01-01"],
    given: &["2024-05-01T00:00:00Z", "2024-06-01T12:00:00Z", "2026-01-01T00:00:00Z"],
};
const BOOLEANS: Family = Family {
    keys: &["aws:SecureTransport", "aws:MultiFactorAuthPresent"],
    operators: &["Bool"],
    wanted: &["true", "false"],
    given: &["true", "false"],
};
const ADDRESSES: Family = Family {
    keys: &["aws:SourceIp"],
    operators: &["IpAddress", "NotIpAddress"],
    wanted: &["192.0.2.0/24", "192.0.2.7", "198.51.100.0/25", "2001:db8::/32", "0.0.0.0/0", "::/0"],
    given: &["192.0.2.7", "198.51.100.200", "198.51.100.1", "2001:db8::9", "2001:db9::1"],
};
const ARNS: Family = Family {
    keys: &["aws:SourceArn", "aws:PrincipalArn"],
    operators: &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
    wanted: &[
        "arn:aws:iam::111111111111:role/deploy",
        "arn:aws:iam::*:role/*",
        "arn:aws:iam::1111*:*/??ploy",
        "arn:aws:ecr:*:111111111111:repository/team/*",
        "arn:aws:iam::111111111111:user/${aws:username}",
    ],
    given: &[
        "arn:aws:iam::111111111111:role/deploy",
        "arn:aws:ecr:us-east-1:111111111111:repository/team/app",
        "arn:aws:iam::111111111111:user/alice",
    ],
};
const BYTES: Family = Family {
    keys: &["ecr:Blob"],
    operators: &["BinaryEquals"],
    wanted: &["QmluYXJ5", "b3RoZXI="],
    given: &["QmluYXJ5", "eA=="],
};
const MANY: Family = Family {
    keys: &["aws:TagKeys"],
    operators: &["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase"],
    wanted: &["env", "team", "cost", "t*", "ENV"],
    given: &["env", "team", "cost", "other"],
};
const FAMILIES: [&Family; 8] = [&STRINGS, &STRINGS, &NUMBERS, &DATES, &BOOLEANS, &ADDRESSES, &ARNS, &BYTES];

/// What the request tells about itself.
pub fn context(random: &mut Random, principal: Option<&str>) -> Context {
    let mut context = Context::new();
    for family in &FAMILIES[1..] {
        for key in family.keys {
            if random.percent(70) {
                context.insert(key, ContextValue::One((*random.pick(family.given)).to_owned()));
            }
        }
    }
    context.remove("aws:username");
    if let Some(name) = principal.and_then(|arn| arn.split_once(":user/")).map(|(_, name)| name) {
        let name = name.rsplit('/').next().unwrap_or(name);
        context.insert("aws:username", ContextValue::One(name.to_owned()));
    }
    if random.percent(75) {
        let mut keys = random.some(MANY.given, 3);
        keys.dedup();
        context.insert("aws:TagKeys", ContextValue::Many(keys));
    }
    context
}

/// A `Condition` element of one or two operators.
pub fn element(random: &mut Random) -> Value {
    let mut element = Map::new();
    for _ in 0..=random.below(2) {
        let (operator, key, values) = condition(random);
        let keys = element.entry(operator).or_insert_with(|| json!({}));
        keys[key] = values;
    }
    Value::Object(element)
}

fn condition(random: &mut Random) -> (String, &'static str, Value) {
    if random.percent(25) {
        return many(random);
    }
    let family = random.pick(&FAMILIES);
    let key = *random.pick(family.keys);
    if random.percent(10) {
        let absent = random.percent(50);
        return ("Null".to_owned(), key, if random.percent(50) { json!(absent) } else { json!(absent.to_string()) });
    }
    let suffix = if random.percent(25) { "IfExists" } else { "" };
    (format!("{}{suffix}", *random.pick(family.operators)), key, values(random, family))
}

/// A condition on the key that has several values.
fn many(random: &mut Random) -> (String, &'static str, Value) {
    let prefix = random.pick(&["ForAllValues:", "ForAnyValue:"]);
    let suffix = if random.percent(15) { "IfExists" } else { "" };
    (format!("{prefix}{}{suffix}", random.pick(MANY.operators)), "aws:TagKeys", values(random, &MANY))
}

fn values(random: &mut Random, family: &Family) -> Value {
    let most = if family.operators.len() == 1 { 1 } else { 3 };
    let values = random.some(family.wanted, most);
    if values.len() == 1 { json!(values[0]) } else { json!(values) }
}
