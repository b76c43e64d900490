//! The replication configuration of a registry.

use std::collections::HashSet;

use super::Invalid;
use super::shapes as s;

const MEMBER: &str = "replicationConfiguration";

/// A registry: an account in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Registry<'a> {
    /// The twelve digits of the account, which are the registry's id.
    pub account: &'a str,
    /// The region, for instance `us-east-1`.
    pub region: &'a str,
}

/// How much a configuration may hold. The model's own bounds are wider and are checked with the shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rules of a registry.
    pub rules: usize,
    /// Different destinations of all rules together.
    pub destinations: usize,
    /// Filters of a rule.
    pub filters: usize,
}

/// "Amazon ECR service quotas".
impl Default for Limits {
    fn default() -> Self {
        Self { rules: 10, destinations: 25, filters: 100 }
    }
}

/// Checks the configuration of the registry `own`. One without rules is good: it ends replication.
///
/// `ValidationException` where a rule has no destination, the registry itself or the same destination twice, and
/// where there are more rules, destinations or filters than `limits` allow. Follows `PutReplicationConfiguration`.
pub fn check(configuration: &s::ReplicationConfiguration, own: &Registry<'_>, limits: Limits) -> Result<(), Invalid> {
    let rules = &configuration.rules;
    within("a configuration", "rules", rules.len(), limits.rules)?;
    let mut all = HashSet::new();
    for (index, rule) in rules.iter().enumerate() {
        let name = format!("rule {}", index + 1);
        all.extend(destinations(&name, rule, own)?);
        let filters = rule.repository_filters.as_ref().map_or(0, Vec::len);
        within(&name, "repository filters", filters, limits.filters)?;
    }
    within("a configuration", "different destinations", all.len(), limits.destinations)
}

fn destinations<'a>(
    name: &str,
    rule: &'a s::ReplicationRule,
    own: &Registry<'_>,
) -> Result<HashSet<Registry<'a>>, Invalid> {
    if rule.destinations.is_empty() {
        return Err(Invalid::validation(MEMBER, format!("{name} has no destination, it needs at least one")));
    }
    let mut seen = HashSet::new();
    for destination in &rule.destinations {
        let registry = Registry { account: &destination.registry_id, region: &destination.region };
        if registry == *own {
            let constraint = format!("Replication destination cannot be the same as the source registry ({name})");
            return Err(Invalid::validation(MEMBER, constraint));
        }
        if !seen.insert(registry) {
            let Registry { account, region } = registry;
            let constraint = format!("{name} has the destination {account} in {region} twice, it may stand once");
            return Err(Invalid::validation(MEMBER, constraint));
        }
    }
    Ok(seen)
}

fn within(whose: &str, what: &str, count: usize, limit: usize) -> Result<(), Invalid> {
    if count <= limit {
        return Ok(());
    }
    Err(Invalid::validation(MEMBER, format!("{whose} may have {limit} {what} at most, and has {count}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecr::Exception;

    const OWN: Registry<'_> = Registry { account: "111122223333", region: "us-east-1" };

    fn rule(destinations: &[(&str, &str)], filters: usize) -> s::ReplicationRule {
        let destination = |(account, region): &(&str, &str)| s::ReplicationDestination {
            registry_id: (*account).to_owned(),
            region: (*region).to_owned(),
        };
        let filter =
            |number| s::RepositoryFilter { filter: format!("team{number}"), filter_type: "PREFIX_MATCH".into() };
        s::ReplicationRule {
            destinations: destinations.iter().map(destination).collect(),
            repository_filters: (filters > 0).then(|| (0..filters).map(filter).collect()),
            delete_replication: None,
        }
    }

    fn checked(rules: Vec<s::ReplicationRule>, limits: Limits) -> Result<(), Invalid> {
        check(&s::ReplicationConfiguration { rules }, &OWN, limits)
    }

    const WEST: (&str, &str) = ("111122223333", "us-west-2");
    const OTHER: (&str, &str) = ("444455556666", "us-east-1");

    #[test]
    fn good_configurations() {
        let table = [
            vec![],
            vec![rule(&[WEST], 0)],
            vec![rule(&[OTHER, WEST], 100)],
            // The same destination for different repositories.
            vec![rule(&[WEST], 1), rule(&[WEST], 2)],
            vec![rule(&[WEST], 1); 10],
        ];
        for rules in table {
            assert_eq!(checked(rules.clone(), Limits::default()), Ok(()), "{rules:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let regions: Vec<String> = (0..26).map(|number| format!("region-{number}")).collect();
        let many: Vec<_> = regions.iter().map(|region| ("444455556666", region.as_str())).collect();
        let table = [
            (vec![rule(&[WEST], 0), rule(&[], 0)], "'rule 2 has no destination, it needs at least one'"),
            (vec![rule(&[WEST, ("111122223333", "us-east-1")], 0)], "cannot be the same as the source registry"),
            (vec![rule(&[WEST, OTHER, WEST], 0)], "rule 1 has the destination 111122223333 in us-west-2 twice"),
            (vec![rule(&[WEST], 0); 11], "a configuration may have 10 rules at most, and has 11"),
            (vec![rule(&[WEST], 101)], "rule 1 may have 100 repository filters at most, and has 101"),
            (vec![rule(&many[..13], 0), rule(&many[13..], 0)], "25 different destinations at most, and has 26"),
        ];
        for (rules, text) in table {
            let error = checked(rules, Limits::default()).unwrap_err();
            assert_eq!(error.exception, Exception::Validation);
            let head = "Invalid parameter at 'replicationConfiguration' failed to satisfy constraint: '";
            assert!(error.message.starts_with(head) && error.message.contains(text), "{error}");
        }
    }

    #[test]
    fn limits_are_the_callers() {
        let limits = Limits { rules: 1, destinations: 1, filters: 1 };
        assert!(checked(vec![rule(&[WEST], 1)], limits).is_ok());
        assert!(checked(vec![rule(&[WEST], 1), rule(&[WEST], 1)], limits).is_err());
        assert!(checked(vec![rule(&[WEST, OTHER], 1)], limits).is_err());
        assert!(checked(vec![rule(&[WEST], 2)], limits).is_err());
    }
}
