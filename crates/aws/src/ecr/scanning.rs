//! Which repositories of a registry are scanned, and when.

use std::collections::HashSet;

use super::invalid::{Invalid, shown};
use super::shapes as s;
use super::wildcard::ScanFilter;

const ON_PUSH: &str = "SCAN_ON_PUSH";
const CONTINUOUS: &str = "CONTINUOUS_SCAN";
const MANUAL: &str = "MANUAL";

/// The frequencies of a scan type, the one that wins first.
fn frequencies(scan_type: &str) -> &'static [&'static str] {
    match scan_type {
        "BASIC" => &[ON_PUSH, MANUAL],
        "ENHANCED" => &[CONTINUOUS, ON_PUSH],
        _ => &[],
    }
}

/// Checks the rules of a registry: each has a frequency of the scan type, and no two have the same one.
///
/// `ValidationException` otherwise. How many rules and filters there may be is in their shapes. Follows
/// `PutRegistryScanningConfiguration`.
pub fn check(scan_type: &str, rules: &[s::RegistryScanningRule]) -> Result<(), Invalid> {
    let allowed = frequencies(scan_type);
    let mut seen = HashSet::new();
    for rule in rules {
        let frequency = rule.scan_frequency.as_str();
        if !allowed.contains(&frequency) {
            let constraint = format!(
                "the scan frequency {} is none of the scan type {}, allowed are: {}",
                shown(frequency),
                shown(scan_type),
                allowed.join(", ")
            );
            return Err(Invalid::validation("rules", constraint));
        }
        if !seen.insert(frequency) {
            let constraint = format!("two rules have the scan frequency {frequency}, join their repository filters");
            return Err(Invalid::validation("rules", constraint));
        }
    }
    Ok(())
}

/// How often images of a repository are scanned, and the filters that it is for: `SCAN_ON_PUSH`, `CONTINUOUS_SCAN` or
/// `MANUAL`, and `None` where enhanced scanning leaves it out.
///
/// Continuous scanning wins over scanning on push, and that over scanning by hand. A rule without filters is for no
/// repository. Follows "Scan images for software vulnerabilities" of ECR's user guide.
pub fn frequency_of(
    scan_type: &str,
    rules: &[s::RegistryScanningRule],
    repository: &str,
) -> (Option<&'static str>, Vec<s::ScanningRepositoryFilter>) {
    for frequency in frequencies(scan_type) {
        let of_frequency = rules.iter().filter(|rule| rule.scan_frequency == *frequency);
        let filters = of_frequency.flat_map(|rule| &rule.repository_filters);
        let applied: Vec<_> =
            filters.filter(|filter| ScanFilter::new(&filter.filter).matches(repository)).cloned().collect();
        if !applied.is_empty() {
            return (Some(frequency), applied);
        }
    }
    ((scan_type == "BASIC").then_some(MANUAL), Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecr::Exception;

    fn rule(frequency: &str, filters: &[&str]) -> s::RegistryScanningRule {
        let filter = |filter: &&str| s::ScanningRepositoryFilter {
            filter: (*filter).to_owned(),
            filter_type: "WILDCARD".into(),
        };
        s::RegistryScanningRule {
            scan_frequency: frequency.into(),
            repository_filters: filters.iter().map(filter).collect(),
        }
    }

    #[test]
    fn each_scan_type_has_its_frequencies() {
        let table = [
            ("BASIC", vec![], None),
            ("BASIC", vec![ON_PUSH], None),
            ("BASIC", vec![ON_PUSH, MANUAL], None),
            (
                "BASIC",
                vec![CONTINUOUS],
                Some("CONTINUOUS_SCAN is none of the scan type BASIC, allowed are: SCAN_ON_PUSH"),
            ),
            ("ENHANCED", vec![ON_PUSH, CONTINUOUS], None),
            ("ENHANCED", vec![MANUAL], Some("MANUAL is none of the scan type ENHANCED")),
            ("ENHANCED", vec![CONTINUOUS, CONTINUOUS], Some("two rules have the scan frequency CONTINUOUS_SCAN")),
            ("BASIC", vec![MANUAL, ON_PUSH, MANUAL], Some("two rules have the scan frequency MANUAL")),
        ];
        for (scan_type, frequencies, expected) in table {
            let rules: Vec<_> = frequencies.iter().map(|frequency| rule(frequency, &["*"])).collect();
            match (check(scan_type, &rules), expected) {
                (Ok(()), None) => {}
                (Err(error), Some(text)) => {
                    assert_eq!(error.exception, Exception::Validation);
                    assert!(error.message.contains(text), "{error}");
                }
                (found, _) => panic!("{scan_type} {frequencies:?}: {found:?}"),
            }
        }
    }

    type Row<'a> = (&'a str, &'a [s::RegistryScanningRule], &'a str, Option<&'a str>, &'a [&'a str]);

    #[test]
    fn a_repository_has_a_frequency() {
        let push = rule(ON_PUSH, &["prod", "web/*"]);
        let continuous = rule(CONTINUOUS, &["prod*"]);
        let both = [push.clone(), continuous];
        let by_hand = [rule(MANUAL, &["*"]), push.clone()];
        let push = [push];
        let none: [s::RegistryScanningRule; 0] = [];
        let table: [Row<'_>; 10] = [
            ("BASIC", &none, "prod", Some(MANUAL), &[]),
            ("ENHANCED", &none, "prod", None, &[]),
            ("BASIC", &push, "team/prod", Some(ON_PUSH), &["prod"]),
            ("BASIC", &push, "web/prod", Some(ON_PUSH), &["prod", "web/*"]),
            ("BASIC", &push, "dev", Some(MANUAL), &[]),
            ("BASIC", &by_hand, "dev", Some(MANUAL), &["*"]),
            ("BASIC", &by_hand, "prod", Some(ON_PUSH), &["prod"]),
            ("ENHANCED", &both, "prod1", Some(CONTINUOUS), &["prod*"]),
            ("ENHANCED", &both, "web/prod", Some(ON_PUSH), &["prod", "web/*"]),
            ("ENHANCED", &both, "dev", None, &[]),
        ];
        for (scan_type, rules, repository, frequency, filters) in table {
            let (found, applied) = frequency_of(scan_type, rules, repository);
            let applied: Vec<&str> = applied.iter().map(|filter| filter.filter.as_str()).collect();
            assert_eq!((found, applied.as_slice()), (frequency, filters), "{scan_type} {repository}");
        }
    }
}
