//! Conditions: `"StringLike": {"aws:PrincipalTag/team": ["red", "blue*"]}`.
//!
//! Follows "IAM JSON policy elements: Condition operators" and "Set operators for multivalued context keys".

mod date;
mod network;
mod operator;

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::PolicyError;
use super::arn_pattern::{Arn, ArnPattern};
use super::context::{Context, Values, normal_key};
use super::json::Node;
use super::text::{Reading, Text};
use network::Network;
pub(super) use operator::Set;
use operator::{Family, Operator};

/// One key of one operator, with the values that the policy has for it.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) operator: Operator,
    pub(super) key: Box<str>,
    wanted: Wanted,
}

/// The policy's values, by how they compare.
#[derive(Debug, Clone)]
enum Wanted {
    Texts(Vec<Text>),
    TextsInAnyCase(Vec<Text>),
    Numbers(Relation, Vec<f64>),
    Dates(Relation, Vec<Timestamp>),
    Bools(Vec<bool>),
    Bytes(Vec<Vec<u8>>),
    Networks(Vec<Network>),
    Arns(Vec<ArnPattern>),
    /// Whether the key is to be absent.
    Absent(Vec<bool>),
}

/// How the request's value is to stand to the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn holds(self, ordering: Option<Ordering>) -> bool {
        ordering.is_some_and(|ordering| match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        })
    }
}

/// Reads the whole element.
pub(super) fn read(node: &Node, variables: bool) -> Result<Vec<Condition>, PolicyError> {
    let Node::Object(operators) = node else { return Err(PolicyError::Syntax("Condition is no object".into())) };
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let operator = Operator::parse(name).ok_or_else(|| PolicyError::Operator(name.clone()))?;
        let Node::Object(keys) = keys else { return Err(PolicyError::Syntax(format!("{name} is no object"))) };
        for (key, values) in keys {
            conditions.push(Condition::read(name, operator, key, values, variables)?);
        }
    }
    Ok(conditions)
}

impl Condition {
    fn read(name: &str, operator: Operator, key: &str, node: &Node, variables: bool) -> Result<Self, PolicyError> {
        if !key.contains(':') {
            return Err(PolicyError::Vendor(key.to_owned()));
        }
        let wanted = Wanted::read(operator, &values(node)?, variables);
        let wanted = wanted.map_err(|problem| match problem {
            Unreadable::Value(value) => PolicyError::Value { operator: name.to_owned(), value },
            Unreadable::Text(error) => error,
        })?;
        Ok(Self { operator, key: normal_key(key).into(), wanted })
    }

    /// Whether the request meets the condition.
    pub(super) fn holds(&self, context: &dyn Context) -> bool {
        let values = context.values(&self.key).filter(|values| !values.is_empty());
        if let Wanted::Absent(wanted) = &self.wanted {
            return wanted.iter().any(|absent| *absent == values.is_none());
        }
        let Operator { set, negated, if_exists, .. } = self.operator;
        let Some(values) = values else {
            return if_exists || set == Set::All || (set == Set::None && negated);
        };
        let passes = |value: &str| self.wanted.any(value, context) != negated;
        match set {
            Set::All => values == Values::Single("".into()) || values.all(passes),
            // A key with several values wants a set operator; without one none of them may match a negated operator.
            Set::None if negated => values.all(passes),
            Set::Any | Set::None => values.any(passes),
        }
    }

    /// The values of an operator that compares texts, if none has a variable or wildcard.
    pub(super) fn literals(&self) -> Option<Vec<&str>> {
        match &self.wanted {
            Wanted::Texts(texts) => texts.iter().map(Text::literal).collect(),
            _ => None,
        }
    }

    /// Whether the operator is `Null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.wanted, Wanted::Absent(_))
    }

    /// Whether the key has to be absent.
    pub(super) fn demands_absence(&self) -> bool {
        matches!(&self.wanted, Wanted::Absent(wanted) if wanted.iter().all(|absent| *absent) && !wanted.is_empty())
    }
}

enum Unreadable {
    Value(String),
    Text(PolicyError),
}

fn values(node: &Node) -> Result<Vec<String>, PolicyError> {
    let one = |node: &Node| match node {
        Node::String(text) | Node::Number(text) => Ok(text.clone()),
        Node::Bool(value) => Ok(value.to_string()),
        _ => Err(PolicyError::Syntax("a condition's value is neither text, number nor boolean".into())),
    };
    match node {
        Node::List(list) => list.iter().map(one).collect(),
        node => Ok(vec![one(node)?]),
    }
}

impl Wanted {
    fn read(operator: Operator, values: &[String], variables: bool) -> Result<Self, Unreadable> {
        let texts = |wildcards| {
            let reading = Reading { variables, wildcards };
            values.iter().map(|value| reading.text(value)).collect::<Result<_, _>>().map_err(Unreadable::Text)
        };
        Ok(match operator.family {
            Family::String => Self::Texts(texts(false)?),
            Family::StringIgnoreCase => Self::TextsInAnyCase(texts(false)?),
            Family::StringLike => Self::Texts(texts(true)?),
            Family::Numeric => Self::Numbers(operator.relation, each(values, number)?),
            Family::Date => Self::Dates(operator.relation, each(values, date::parse)?),
            Family::Bool => Self::Bools(each(values, boolean)?),
            Family::Null => Self::Absent(each(values, boolean)?),
            Family::Binary => Self::Bytes(each(values, bytes)?),
            Family::Ip => Self::Networks(each(values, Network::parse)?),
            Family::Arn => {
                let arns = values.iter().map(|value| ArnPattern::condition(value, variables));
                Self::Arns(arns.collect::<Result<_, _>>().map_err(Unreadable::Text)?)
            }
        })
    }

    /// Whether the request's value matches one of the policy's. A value that is not of the operator's type matches none.
    fn any(&self, value: &str, context: &dyn Context) -> bool {
        match self {
            Self::Texts(texts) => texts.iter().any(|text| text.matches(value, context)),
            Self::TextsInAnyCase(texts) => texts.iter().any(|text| text.equals_in_any_case(value, context)),
            Self::Numbers(relation, wanted) => compare(number(value), wanted, *relation),
            Self::Dates(relation, wanted) => compare(date::parse(value), wanted, *relation),
            Self::Bools(wanted) | Self::Absent(wanted) => boolean(value).is_some_and(|value| wanted.contains(&value)),
            Self::Bytes(wanted) => bytes(value).is_some_and(|value| wanted.contains(&value)),
            Self::Networks(networks) => {
                network::address(value).is_some_and(|address| networks.iter().any(|network| network.contains(address)))
            }
            Self::Arns(patterns) => {
                let arn = Arn::split(value);
                patterns.iter().any(|pattern| pattern.matches(&arn, context))
            }
        }
    }
}

fn each<T>(values: &[String], read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Unreadable> {
    values.iter().map(|value| read(value).ok_or_else(|| Unreadable::Value(value.clone()))).collect()
}

fn compare<T: PartialOrd>(value: Option<T>, wanted: &[T], relation: Relation) -> bool {
    value.is_some_and(|value| wanted.iter().any(|wanted| relation.holds(value.partial_cmp(wanted))))
}

fn number(text: &str) -> Option<f64> {
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let number: f64 = text.bytes().all(plain).then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Both sides are base64: a context holds text.
fn bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests;
