mod wrong_rules;

use super::*;
use crate::ecr::{Exception, Wildcard};

/// A policy of these rules, long enough.
fn policy(rules: &[String]) -> String {
    format!(r#"{{"rules":[{}]}}{}"#, rules.join(","), " ".repeat(100))
}

fn rule(priority: u32, selection: &str, action: &str) -> String {
    format!(r#"{{"rulePriority":{priority},"selection":{{{selection}}},"action":{{{action}}}}}"#)
}

const EXPIRE: &str = r#""type":"expire""#;
const ARCHIVE: &str = r#""type":"transition","targetStorageClass":"archive""#;
const KEEP_5: &str = r#""countType":"imageCountMoreThan","countNumber":5"#;
const PUSHED: &str = r#""countType":"sinceImagePushed","countUnit":"days","countNumber":14"#;
const PULLED: &str = r#""countType":"sinceImagePulled","countUnit":"days","countNumber":30"#;
const ARCHIVED: &str =
    r#""storageClass":"archive","countType":"sinceImageTransitioned","countUnit":"days","countNumber":90"#;

fn tagged(list: &str, count: &str) -> String {
    format!(r#""tagStatus":"tagged",{list},{count}"#)
}

fn untagged(count: &str) -> String {
    format!(r#""tagStatus":"untagged",{count}"#)
}

fn any(count: &str) -> String {
    format!(r#""tagStatus":"any",{count}"#)
}

/// What a policy is told after the words that every refusal begins with.
fn refusal(text: &str) -> String {
    let error = LifecyclePolicy::parse(text).expect_err(text);
    assert_eq!(error.exception, Exception::InvalidParameter);
    let head = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: ";
    let rest = error.message.strip_prefix(head).expect(&error.message);
    rest.strip_suffix('\'').expect(&error.message).to_owned()
}

#[test]
fn a_policy_is_read_and_its_rules_sorted() {
    let text = r#"{
        "rules": [
            {
                "rulePriority": 20,
                "description": "Archive what nobody pulls",
                "selection": {"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 90},
                "action": {"type": "transition", "targetStorageClass": "archive"}
            },
            {
                "rulePriority": 30,
                "selection": {
                    "tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned",
                    "countUnit": "days", "countNumber": 365
                },
                "action": {"type": "expire"}
            },
            {
                "rulePriority": 1,
                "selection": {
                    "tagStatus": "tagged", "tagPatternList": ["*test*1*2*3", "rel-*"], "storageClass": "standard",
                    "countType": "imageCountMoreThan", "countNumber": 2147483647
                },
                "action": {"type": "expire"}
            },
            {
                "rulePriority": 2,
                "selection": {
                    "tagStatus": "tagged", "tagPrefixList": ["prod*"], "countType": "sinceImagePushed",
                    "countUnit": "days", "countNumber": 1
                },
                "action": {"type": "transition", "targetStorageClass": "archive"}
            }
        ]
    }"#;
    let selection = |tag_status, storage_class, count| Selection { tag_status, storage_class, count };
    let rule = |priority, selection, action| Rule { priority, description: None, selection, action };
    let patterns = vec![Wildcard::new("*test*1*2*3"), Wildcard::new("rel-*")];
    let expected = [
        rule(
            1,
            selection(
                TagStatus::Tagged(TagMatch::Patterns(patterns)),
                StorageClass::Standard,
                Count::ImageCountMoreThan(2_147_483_647),
            ),
            Action::Expire,
        ),
        rule(
            2,
            selection(
                TagStatus::Tagged(TagMatch::Prefixes(vec!["prod*".into()])),
                StorageClass::Standard,
                Count::SincePushed { days: 1 },
            ),
            Action::Transition,
        ),
        Rule {
            description: Some("Archive what nobody pulls".into()),
            ..rule(
                20,
                selection(TagStatus::Any, StorageClass::Standard, Count::SincePulled { days: 90 }),
                Action::Transition,
            )
        },
        rule(
            30,
            selection(TagStatus::Any, StorageClass::Archive, Count::SinceTransitioned { days: 365 }),
            Action::Expire,
        ),
    ];
    assert_eq!(LifecyclePolicy::parse(text).unwrap().rules(), expected);
}

#[test]
fn counts_actions_and_classes_go_together() {
    let class = |count: &str| format!(r#""storageClass":"archive",{count}"#);
    let table = [
        (KEEP_5.to_owned(), EXPIRE, None),
        (KEEP_5.to_owned(), ARCHIVE, None),
        (PUSHED.to_owned(), EXPIRE, None),
        (PUSHED.to_owned(), ARCHIVE, None),
        (PULLED.to_owned(), ARCHIVE, None),
        (PULLED.to_owned(), EXPIRE, Some("countType sinceImagePulled goes with the action transition only")),
        (ARCHIVED.to_owned(), EXPIRE, None),
        (ARCHIVED.to_owned(), ARCHIVE, Some("sinceImageTransitioned goes with the action expire only")),
        (ARCHIVED.replace("90", "89"), EXPIRE, Some("countNumber must be 90 at least")),
        (ARCHIVED.replace("archive", "standard"), EXPIRE, Some("requires storageClass archive")),
        (class(KEEP_5), EXPIRE, Some("storageClass archive goes with countType sinceImageTransitioned only")),
        (class(PUSHED), ARCHIVE, Some("storageClass archive goes with countType sinceImageTransitioned only")),
        (class(PULLED), ARCHIVE, Some("storageClass archive goes with countType sinceImageTransitioned only")),
    ];
    for (count, action, expected) in table {
        let text = policy(&[rule(7, &any(&count), action)]);
        match expected {
            None => assert!(LifecyclePolicy::parse(&text).is_ok(), "{text}"),
            Some(why) => {
                let found = refusal(&text);
                assert!(found.starts_with("rule of rulePriority 7: ") && found.contains(why), "{found}");
            }
        }
    }
}

#[test]
fn rules_are_checked_against_each_other() {
    let (a, b) = (r#""tagPatternList":["a*","b*"]"#, r#""tagPatternList":["b*","a*","b*"]"#);
    let prefixes = r#""tagPrefixList":["a*","b*"]"#;
    let table: [(Vec<String>, Option<&str>); 11] = [
        (vec![rule(1, &any(PULLED), ARCHIVE), rule(2, &any(ARCHIVED), EXPIRE)], None),
        (vec![rule(2, &any(PULLED), ARCHIVE), rule(1, &any(ARCHIVED), EXPIRE)], None),
        (vec![rule(9, &untagged(PUSHED), EXPIRE), rule(1, &untagged(ARCHIVED), EXPIRE)], None),
        (vec![rule(1, &tagged(a, PUSHED), EXPIRE), rule(2, &tagged(prefixes, PUSHED), EXPIRE)], None),
        (vec![rule(1, &tagged(a, PUSHED), EXPIRE), rule(2, &tagged(b, ARCHIVED), EXPIRE)], None),
        (
            vec![rule(3, &untagged(KEEP_5), EXPIRE), rule(3, &any(KEEP_5), EXPIRE)],
            Some("rule of rulePriority 3: two rules have this rulePriority"),
        ),
        (
            vec![rule(1, &any(KEEP_5), EXPIRE), rule(2, &untagged(KEEP_5), EXPIRE)],
            Some("rule of rulePriority 1: Rule for tagStatus=ANY must have the lowest priority per storage class"),
        ),
        (
            vec![rule(4, &any(KEEP_5), EXPIRE), rule(5, &any(PUSHED), EXPIRE)],
            Some("rule of rulePriority 4: Rule for tagStatus=ANY must have the lowest priority"),
        ),
        (
            vec![rule(1, &untagged(KEEP_5), EXPIRE), rule(2, &untagged(PULLED), ARCHIVE)],
            Some("rule of rulePriority 2: Only one rule can select Untagged images per storage class"),
        ),
        (
            vec![rule(1, &tagged(a, KEEP_5), EXPIRE), rule(2, &tagged(b, PUSHED), ARCHIVE)],
            Some("rule of rulePriority 2: another rule of the storage class has the same tagPatternList"),
        ),
        (
            vec![rule(1, &tagged(prefixes, ARCHIVED), EXPIRE), rule(2, &tagged(prefixes, ARCHIVED), EXPIRE)],
            Some("rule of rulePriority 2: another rule of the storage class has the same tagPrefixList"),
        ),
    ];
    for (rules, expected) in table {
        let text = policy(&rules);
        match expected {
            None => assert!(LifecyclePolicy::parse(&text).is_ok(), "{text}"),
            Some(why) => assert!(refusal(&text).starts_with(why), "{}", refusal(&text)),
        }
    }
}

#[test]
fn fifty_rules_are_enough() {
    let rules = |count: u32| -> Vec<String> {
        (1..=count).map(|n| rule(n, &tagged(&format!(r#""tagPrefixList":["{n}"]"#), KEEP_5), EXPIRE)).collect()
    };
    assert_eq!(LifecyclePolicy::parse(&policy(&rules(50))).unwrap().rules().len(), 50);
    assert_eq!(refusal(&policy(&rules(51))), "the policy: rules must have 1 to 50 rules, and has 51");
    assert_eq!(refusal(&policy(&[])), "the policy: rules must have 1 to 50 rules, and has 0");
}

#[test]
fn documents_of_another_form_are_refused() {
    let good = rule(3, &any(KEEP_5), EXPIRE);
    let table = [
        ("[]".to_owned(), "the policy: must be an object, and is a list"),
        ("{}".to_owned(), "the policy: object has missing required properties (rules)"),
        (r#"{"rules":{}}"#.to_owned(), "the policy: rules must be a list"),
        (r#"{"rules":[[1,"",{},{}]]}"#.to_owned(), "rule 1 of the list: must be an object, and is a list"),
        (format!(r#"{{"rules":[{good}],"version":1}}"#), "the policy: object instance has properties"),
        (format!(r#"{{"rules":[{good}],"rules":[{good}]}}"#), "the policy: rules stands twice"),
        (format!(r#"{{"rules":[{good}]}},"#), "Could not map policyString into LifecyclePolicy: no JSON at line 1"),
        ("[".repeat(30_000), "Could not map policyString into LifecyclePolicy: no JSON at line 1, column 128"),
        (format!(r#"{{"{}":1}}"#, "x".repeat(20_000)), "the policy: object instance has properties"),
    ];
    for (text, expected) in table {
        let found = refusal(&format!("{text:<120}"));
        assert!(found.starts_with(expected) && found.len() < 400, "{found}");
    }
}

#[test]
fn lengths_are_in_characters() {
    let short = format!(r#"{{"rules":[{}]}}"#, rule(1, &any(KEEP_5), EXPIRE));
    let of = |length: usize, fill: &str| {
        let description = fill.repeat(length - short.chars().count() - r#""description":"","#.len());
        short.replace(r#""selection""#, &format!(r#""description":"{description}","selection""#))
    };
    assert!(LifecyclePolicy::parse(&of(30_720, "ä")).is_ok());
    assert_eq!(refusal(&of(30_721, "ä")), "the text has 30721 characters, 100 to 30720 are allowed");
    assert_eq!(refusal(&format!("{:<99}", "{}")), "the text has 99 characters, 100 to 30720 are allowed");
    assert_eq!(refusal(&format!("{:<100}", "[]")), "the policy: must be an object, and is a list");
}
