//! Any text is a lifecycle policy or refused with a short message; a policy has its rules in order, each with its own
//! priority, and white space changes nothing.
#![no_main]

use berth_aws::ecr::lifecycle::{Action, Count, LifecyclePolicy, Rule, StorageClass, TagMatch, TagStatus};
use libfuzzer_sys::fuzz_target;

const TAG: &str = "release-1.2.3_rc";

fuzz_target!(|text: &str| {
    // A policy is of 100 characters at least, which few inputs are by themselves.
    match LifecyclePolicy::parse(&format!("{text:<100}")) {
        Ok(policy) => {
            let rules = policy.rules();
            assert!((1..=50).contains(&rules.len()));
            assert!(rules.is_sorted_by(|a, b| a.priority < b.priority));
            rules.iter().for_each(check);
            if let Ok(again) = LifecyclePolicy::parse(&format!("\n{text:<100}\t")) {
                assert_eq!(again, policy);
            }
        }
        Err(error) => assert!(error.message.len() < 1000),
    }
});

fn check(rule: &Rule) {
    let archive = rule.selection.storage_class == StorageClass::Archive;
    match rule.selection.count {
        Count::SinceTransitioned { days } => assert!(archive && days >= 90 && rule.action == Action::Expire),
        Count::SincePulled { days } => assert!(!archive && days >= 1 && rule.action == Action::Transition),
        Count::SincePushed { days: number } | Count::ImageCountMoreThan(number) => assert!(!archive && number >= 1),
    }
    match &rule.selection.tag_status {
        TagStatus::Tagged(TagMatch::Patterns(patterns)) => {
            assert!(!patterns.is_empty());
            for pattern in patterns {
                assert!(pattern.as_str().matches('*').count() <= 4);
                let _ = pattern.matches(TAG);
                // A pattern stands for itself, whatever it is.
                assert!(pattern.matches(pattern.as_str()));
            }
        }
        TagStatus::Tagged(TagMatch::Prefixes(prefixes)) => assert!(!prefixes.is_empty()),
        TagStatus::Untagged | TagStatus::Any => {}
    }
}
