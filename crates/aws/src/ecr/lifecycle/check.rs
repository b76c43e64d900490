//! What the words of rules say together.

use std::collections::HashSet;

use super::parse::refused_rule;
use super::rule::{Action, Count, Rule, StorageClass, TagMatch, TagStatus};
use crate::ecr::Invalid;

/// The least days in the archive before an image may be deleted from there.
const MIN_ARCHIVED: u32 = 90;

/// Checks what a rule says by itself: storage class, count and action go together. The error says why not.
pub(super) fn alone(rule: &Rule) -> Result<(), String> {
    let (class, count) = (rule.selection.storage_class, rule.selection.count);
    match (count, class, rule.action) {
        (Count::SinceTransitioned { .. }, StorageClass::Standard, _) => {
            Err("countType sinceImageTransitioned requires storageClass archive".to_owned())
        }
        (Count::SinceTransitioned { .. }, _, Action::Transition) => {
            Err("countType sinceImageTransitioned goes with the action expire only".to_owned())
        }
        (Count::SinceTransitioned { days: 0..MIN_ARCHIVED }, ..) => Err(format!(
            "countNumber must be {MIN_ARCHIVED} at least, for archived images stay that many days in the archive"
        )),
        (Count::SinceTransitioned { .. }, ..) => Ok(()),
        (_, StorageClass::Archive, _) => {
            Err("storageClass archive goes with countType sinceImageTransitioned only".to_owned())
        }
        (Count::SincePulled { .. }, _, Action::Expire) => {
            Err("countType sinceImagePulled goes with the action transition only".to_owned())
        }
        _ => Ok(()),
    }
}

/// Checks rules, sorted by priority, against each other.
pub(super) fn together(rules: &[Rule]) -> Result<(), Invalid> {
    priorities(rules)?;
    any_is_last(rules)?;
    selections(rules)
}

fn priorities(sorted: &[Rule]) -> Result<(), Invalid> {
    match sorted.windows(2).find(|pair| matches!(pair, [a, b] if a.priority == b.priority)) {
        Some([rule, ..]) => Err(refused_rule(rule, "two rules have this rulePriority, each must have its own")),
        _ => Ok(()),
    }
}

/// Nothing follows a rule for any image. That each storage class has such a rule of its own is in no guide, but clients
/// rely on it: any image is archived by one, and deleted from the archive by the other.
fn any_is_last(sorted: &[Rule]) -> Result<(), Invalid> {
    for class in [StorageClass::Standard, StorageClass::Archive] {
        let mut of_class = sorted.iter().filter(|rule| rule.selection.storage_class == class).peekable();
        while let Some(rule) = of_class.next() {
            if rule.selection.tag_status == TagStatus::Any && of_class.peek().is_some() {
                let why = "Rule for tagStatus=ANY must have the lowest priority per storage class, the highest number";
                return Err(refused_rule(rule, why));
            }
        }
    }
    Ok(())
}

/// What no two rules of a storage class may share. The order of a list and what it says twice make no other list.
#[derive(PartialEq, Eq, Hash)]
enum Share<'a> {
    Untagged,
    Patterns(Vec<&'a str>),
    Prefixes(Vec<&'a str>),
}

fn selections(rules: &[Rule]) -> Result<(), Invalid> {
    let mut seen = HashSet::new();
    for rule in rules {
        let (share, why) = match &rule.selection.tag_status {
            TagStatus::Any => continue,
            TagStatus::Untagged => (Share::Untagged, "Only one rule can select Untagged images per storage class"),
            TagStatus::Tagged(TagMatch::Patterns(patterns)) => {
                let texts = patterns.iter().map(crate::ecr::Wildcard::as_str);
                (Share::Patterns(as_set(texts)), "another rule of the storage class has the same tagPatternList")
            }
            TagStatus::Tagged(TagMatch::Prefixes(prefixes)) => {
                let texts = prefixes.iter().map(String::as_str);
                (Share::Prefixes(as_set(texts)), "another rule of the storage class has the same tagPrefixList")
            }
        };
        if !seen.insert((rule.selection.storage_class, share)) {
            return Err(refused_rule(rule, why));
        }
    }
    Ok(())
}

fn as_set<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}
