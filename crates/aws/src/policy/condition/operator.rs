//! The names of condition operators: `ForAllValues:StringNotEqualsIfExists` and what it is made of.

use super::Relation;

/// An operator's name, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Operator {
    pub(super) family: Family,
    pub(super) relation: Relation,
    pub(in super::super) negated: bool,
    pub(in super::super) set: Set,
    pub(in super::super) if_exists: bool,
}

/// What is compared, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    String,
    StringIgnoreCase,
    StringLike,
    Numeric,
    Date,
    Bool,
    Binary,
    Ip,
    Arn,
    Null,
}

/// Which of the request's values have to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Set {
    None,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

impl Operator {
    /// Reads a name, which has to be spelt as documented.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (set, rest) = match name.split_once(':') {
            None => (Set::None, name),
            Some(("ForAllValues", rest)) => (Set::All, rest),
            Some(("ForAnyValue", rest)) => (Set::Any, rest),
            Some(_) => return None,
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (family, relation, negated) = base_operator(base)?;
        let valid = !(if_exists && family == Family::Null);
        valid.then_some(Self { family, relation, negated, set, if_exists })
    }
}

fn base_operator(name: &str) -> Option<(Family, Relation, bool)> {
    let (family, rest) = match name {
        "StringEqualsIgnoreCase" => return Some((Family::StringIgnoreCase, Relation::Equal, false)),
        "StringNotEqualsIgnoreCase" => return Some((Family::StringIgnoreCase, Relation::Equal, true)),
        "StringLike" => return Some((Family::StringLike, Relation::Equal, false)),
        "StringNotLike" => return Some((Family::StringLike, Relation::Equal, true)),
        "Bool" => return Some((Family::Bool, Relation::Equal, false)),
        "Null" => return Some((Family::Null, Relation::Equal, false)),
        "IpAddress" => return Some((Family::Ip, Relation::Equal, false)),
        "NotIpAddress" => return Some((Family::Ip, Relation::Equal, true)),
        "ArnLike" => return Some((Family::Arn, Relation::Equal, false)),
        "ArnNotLike" => return Some((Family::Arn, Relation::Equal, true)),
        "BinaryEquals" => return Some((Family::Binary, Relation::Equal, false)),
        _ => family(name)?,
    };
    match (family, rest) {
        (_, "Equals") => Some((family, Relation::Equal, false)),
        (_, "NotEquals") => Some((family, Relation::Equal, true)),
        (Family::Numeric | Family::Date, rest) => Some((family, order(rest)?, false)),
        _ => None,
    }
}

fn family(name: &str) -> Option<(Family, &str)> {
    let families =
        [("String", Family::String), ("Numeric", Family::Numeric), ("Date", Family::Date), ("Arn", Family::Arn)];
    families.into_iter().find_map(|(word, family)| Some((family, name.strip_prefix(word)?)))
}

fn order(name: &str) -> Option<Relation> {
    match name {
        "LessThan" => Some(Relation::Less),
        "LessThanEquals" => Some(Relation::LessOrEqual),
        "GreaterThan" => Some(Relation::Greater),
        "GreaterThanEquals" => Some(Relation::GreaterOrEqual),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_name_is_read() {
        let names = [
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringLike",
            "StringNotLike",
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
            "Bool",
            "BinaryEquals",
            "IpAddress",
            "NotIpAddress",
            "ArnEquals",
            "ArnLike",
            "ArnNotEquals",
            "ArnNotLike",
        ];
        for name in names {
            for (prefix, set) in [("", Set::None), ("ForAllValues:", Set::All), ("ForAnyValue:", Set::Any)] {
                for (suffix, if_exists) in [("", false), ("IfExists", true)] {
                    let operator = Operator::parse(&format!("{prefix}{name}{suffix}")).unwrap();
                    assert_eq!((operator.set, operator.if_exists), (set, if_exists), "{name}");
                    assert_eq!(operator.negated, name.contains("Not"), "{name}");
                }
            }
        }
        assert!(Operator::parse("Null").is_some());
    }

    #[test]
    fn other_names_are_refused() {
        let bad =
            ["", "stringEquals", "String", "BoolEquals", "BinaryNotEquals", "NullIfExists", "ForSome:StringEquals"];
        let more = ["StringLessThan", "ArnLessThan", "IfExists", "StringEqualsIfExistsIfExists", "NumericLike", "Date"];
        for name in bad.into_iter().chain(more) {
            assert_eq!(Operator::parse(name), None, "{name}");
        }
    }
}
