//! What the author of a policy may not have meant: grants to everybody, and statements that match nothing.

use std::fmt;

use super::condition::{Condition, Set};
use super::glob::Glob;
use super::known_actions::{SERVICES, actions_of};
use super::statement::{Effect, Statement};
use super::{Policy, PolicyKind, Version};

/// Something about a statement that is worth a warning. Its `Display` is one English sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The statement's place in the policy, counted from 0.
    pub statement: usize,
    /// What it is.
    pub problem: Problem,
}

/// What a statement is warned about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Allows everybody, also without credentials: `*` as principal, and no condition.
    Public,
    /// An action pattern that matches no action there is; the pattern as compared, in lower case.
    UnknownAction(String),
    /// None of the statement's actions exists, so it never applies.
    NeverApplies(Effect),
    /// Conditions that no request meets together, on this key.
    Contradiction {
        /// The condition key.
        key: String,
        /// Whether what never applies was to allow or to deny.
        effect: Effect,
    },
    /// `${` in a policy of version 2008-10-17, where it is no variable.
    VariableInOldPolicy,
}

/// All findings of a policy, in the order of its statements.
pub(super) fn of(policy: &Policy) -> Vec<Finding> {
    let old = policy.version() == Version::V2008 && policy.text().contains("${");
    let of_document = old.then_some(Finding { statement: 0, problem: Problem::VariableInOldPolicy });
    let of_statements = policy.statements().iter().enumerate().flat_map(|(index, statement)| {
        let problems = problems(statement, policy.kind());
        problems.into_iter().map(move |problem| Finding { statement: index, problem })
    });
    of_document.into_iter().chain(of_statements).collect()
}

fn problems(statement: &Statement, kind: PolicyKind) -> Vec<Problem> {
    let mut problems = Vec::new();
    let everyone = statement.principals.as_ref().is_some_and(super::principal::Principals::everyone);
    if kind != PolicyKind::Identity && statement.effect == Effect::Allow && everyone && statement.conditions.is_empty()
    {
        problems.push(Problem::Public);
    }
    let patterns = &statement.actions.patterns;
    let unknown: Vec<&Glob> = patterns.iter().filter(|pattern| !exists(pattern)).collect();
    problems.extend(unknown.iter().map(|pattern| Problem::UnknownAction(pattern.to_string())));
    if unknown.len() == patterns.len() && !statement.actions.negated {
        problems.push(Problem::NeverApplies(statement.effect));
    }
    let effect = statement.effect;
    problems.extend(contradiction(&statement.conditions).map(|key| Problem::Contradiction { key, effect }));
    problems
}

/// Whether a pattern matches an action of the services here. Of a service whose actions are not listed, all exist.
fn exists(pattern: &Glob) -> bool {
    SERVICES.iter().any(|service| match actions_of(service) {
        Some(names) => names.iter().any(|name| pattern.matches(&format!("{service}:{}", name.to_ascii_lowercase()))),
        None => pattern.may_begin_with(&format!("{service}:")),
    })
}

/// A key on which two conditions cannot both hold.
fn contradiction(conditions: &[Condition]) -> Option<String> {
    let pair = |(index, one): (usize, &Condition)| {
        let mut others = conditions.iter().skip(index + 1).filter(|other| other.key == one.key);
        others.any(|other| excludes(one, other) || excludes(other, one)).then(|| one.key.to_string())
    };
    conditions.iter().enumerate().find_map(pair)
}

/// Whether `other` fails for every value, or lack of one, for which `one` holds.
fn excludes(one: &Condition, other: &Condition) -> bool {
    if !needs_value(one) {
        return false;
    }
    if other.demands_absence() {
        return true;
    }
    let (Some(wanted), Some(others)) = (one.literals(), other.literals()) else { return false };
    if one.operator.set != Set::None || other.operator.set != Set::None {
        return false;
    }
    let excluded = |value: &&str| others.contains(value) == other.operator.negated;
    wanted.iter().all(excluded)
}

/// Whether the condition holds only where the key has a value.
fn needs_value(condition: &Condition) -> bool {
    let operator = condition.operator;
    !operator.if_exists && !operator.negated && operator.set != Set::All && !condition.is_null()
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.statement + 1;
        match &self.problem {
            Problem::Public => write!(f, "Statement {number} allows everybody, also without credentials."),
            Problem::UnknownAction(pattern) => write!(f, "Statement {number}: no action is named {pattern}."),
            Problem::NeverApplies(effect) => {
                write!(f, "Statement {number} {}: none of its actions exists.", never(*effect))
            }
            Problem::Contradiction { key, effect } => {
                write!(f, "Statement {number} {}: its conditions on {key} contradict each other.", never(*effect))
            }
            Problem::VariableInOldPolicy => {
                f.write_str("The policy holds ${, which is a variable only in policies of Version 2012-10-17.")
            }
        }
    }
}

fn never(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "never allows anything",
        Effect::Deny => "never denies anything",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(statement: &str, kind: PolicyKind) -> Vec<String> {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
        Policy::parse(&text, kind, 10_000).unwrap().findings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everybody_is_allowed() {
        let open = r#"{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}"#;
        let found = findings(open, PolicyKind::Resource);
        assert_eq!(found, ["Statement 1 allows everybody, also without credentials."]);
        for other in [
            r#"{"Effect":"Deny","Principal":"*","Action":"ecr:BatchGetImage"}"#,
            r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"ecr:BatchGetImage"}"#,
            r#"{"Effect":"Allow","Principal":"*","Action":"ecr:*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}"#,
        ] {
            assert_eq!(findings(other, PolicyKind::Resource), [""; 0], "{other}");
        }
    }

    #[test]
    fn actions_that_do_not_exist() {
        let table = [
            ("ecr:*", None),
            ("*", None),
            ("ecr:Batch*", None),
            ("ECR:batchgetimage", None),
            ("iam:CreateUser", None),
            ("sts:Assume*", None),
            ("ecr:BatchGetImages", Some("ecr:batchgetimages")),
            ("ecr:?utImages?", Some("ecr:?utimages?")),
            ("s3:GetObject", Some("s3:getobject")),
        ];
        for (action, expected) in table {
            let statement = format!(r#"{{"Effect":"Deny","Action":["ecr:PutImage","{action}"],"Resource":"*"}}"#);
            let expected: Vec<String> =
                expected.iter().map(|name| format!("Statement 1: no action is named {name}.")).collect();
            assert_eq!(findings(&statement, PolicyKind::Identity), expected, "{action}");
        }
        let found = findings(r#"{"Effect":"Deny","Action":"ecr:Nothing","Resource":"*"}"#, PolicyKind::Identity);
        assert!(
            found.contains(&"Statement 1 never denies anything: none of its actions exists.".to_owned()),
            "{found:?}"
        );
        let not = findings(r#"{"Effect":"Deny","NotAction":"ecr:Nothing","Resource":"*"}"#, PolicyKind::Identity);
        assert_eq!(not, ["Statement 1: no action is named ecr:nothing."]);
    }

    #[test]
    fn conditions_that_exclude_each_other() {
        let contradictory = [
            r#"{"StringEquals":{"aws:a":"x"},"StringNotEquals":{"AWS:A":["x","y"]}}"#,
            r#"{"StringEquals":{"aws:a":"x"},"Null":{"aws:a":"true"}}"#,
            r#"{"Null":{"aws:a":true},"IpAddress":{"aws:a":"192.0.2.1"}}"#,
            r#"{"Null":{"aws:a":true},"ForAnyValue:StringLike":{"aws:a":"*"}}"#,
            r#"{"StringEquals":{"aws:a":["x","y"]},"StringEqualsIfExists":{"aws:a":"z"}}"#,
        ];
        let fine = [
            r#"{"StringEquals":{"aws:a":["x","y"]},"StringNotEquals":{"aws:a":"x"}}"#,
            r#"{"StringEquals":{"aws:a":"x"},"StringNotEquals":{"aws:b":"x"}}"#,
            r#"{"StringEquals":{"aws:a":"x"},"Null":{"aws:a":"false"}}"#,
            r#"{"StringEqualsIfExists":{"aws:a":"x"},"Null":{"aws:a":"true"}}"#,
            r#"{"StringNotEquals":{"aws:a":"x"},"Null":{"aws:a":"true"}}"#,
            r#"{"Null":{"aws:a":["true","false"]}}"#,
            r#"{"StringLike":{"aws:a":"x*"},"StringNotEquals":{"aws:a":"x"}}"#,
            r#"{"ForAllValues:StringEquals":{"aws:a":"x"},"Null":{"aws:a":"true"}}"#,
        ];
        for (condition, expected) in contradictory.into_iter().map(|c| (c, 1)).chain(fine.into_iter().map(|c| (c, 0))) {
            let statement = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#);
            let found = findings(&statement, PolicyKind::Identity);
            assert_eq!(found.len(), expected, "{condition}: {found:?}");
        }
    }

    #[test]
    fn a_variable_in_an_old_policy() {
        let text = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:ecr:::${aws:username}"}}"#;
        let found = Policy::parse(text, PolicyKind::Identity, 1000).unwrap().findings();
        assert_eq!(found, [Finding { statement: 0, problem: Problem::VariableInOldPolicy }]);
    }
}
