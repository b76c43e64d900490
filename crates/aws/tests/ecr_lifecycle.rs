//! What holds of every lifecycle policy: good ones are read as they are written, and one wrong thing in them is enough.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use berth_aws::ecr::lifecycle::{Action, Count, Rule, StorageClass, TagMatch, TagStatus};
use berth_aws::ecr::{Exception, Invalid, LifecyclePolicy, Wildcard};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// How images are counted, where, and what is done with them: all that goes together.
fn counting() -> impl Strategy<Value = Value> {
    let actions = || select(vec![json!({"type": "expire"}), archive()]);
    prop_oneof![
        (1..=1000_u32, actions())
            .prop_map(|(n, action)| json!([{"countType": "imageCountMoreThan", "countNumber": n}, action])),
        (1..=1000_u32, actions()).prop_map(|(n, action)| json!([days("sinceImagePushed", n), action])),
        (1..=1000_u32).prop_map(|n| json!([days("sinceImagePulled", n), archive()])),
        (90..=1000_u32).prop_map(|n| json!([days("sinceImageTransitioned", n), {"type": "expire"}])),
    ]
}

fn archive() -> Value {
    json!({"type": "transition", "targetStorageClass": "archive"})
}

fn days(count_type: &str, number: u32) -> Value {
    json!({"countType": count_type, "countUnit": "days", "countNumber": number})
}

/// A list of tags that no other number has.
fn tags(number: usize) -> impl Strategy<Value = Value> {
    prop_oneof![
        vec("[a-z]{1,3}[*]?[0-9.]{0,3}[*]?", 0..3).prop_map(move |mut list| {
            list.push(format!("{number}*"));
            json!({"tagPatternList": list})
        }),
        vec("[a-z*]{1,9}", 0..3).prop_map(move |mut list| {
            list.push(format!("{number}-"));
            json!({"tagPrefixList": list})
        }),
    ]
}

fn merged(values: &[&Value]) -> Value {
    let members = values.iter().filter_map(|value| value.as_object()).flatten();
    Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn is_archived(counting: &Value) -> bool {
    counting[0]["countType"] == "sinceImageTransitioned"
}

/// A rule without a priority.
fn rule(tags: &Value, counting: &Value, explicit: bool, description: Option<&String>) -> Value {
    let class = match (is_archived(counting), explicit) {
        (true, _) => json!({"storageClass": "archive"}),
        (false, true) => json!({"storageClass": "standard"}),
        (false, false) => json!({}),
    };
    let mut rule = json!({"selection": merged(&[tags, &counting[0], &class]), "action": counting[1]});
    if let Some(description) = description {
        rule["description"] = json!(description);
    }
    rule
}

/// A status for which each storage class has one rule at most.
fn once(status: &'static str) -> impl Strategy<Value = Vec<Value>> {
    vec((counting(), any::<bool>()), 0..3).prop_map(move |countings| {
        let mut classes = Vec::new();
        let mut rules = Vec::new();
        for (counting, explicit) in countings {
            if !classes.contains(&is_archived(&counting)) {
                classes.push(is_archived(&counting));
                rules.push(rule(&json!({"tagStatus": status}), &counting, explicit, None));
            }
        }
        rules
    })
}

fn tagged() -> impl Strategy<Value = Vec<Value>> {
    let one = |number| {
        let description = proptest::option::of("[ -~äöü]{0,20}");
        (tags(number), counting(), any::<bool>(), description).prop_map(|(tags, counting, explicit, description)| {
            rule(&merged(&[&json!({"tagStatus": "tagged"}), &tags]), &counting, explicit, description.as_ref())
        })
    };
    (0..8_usize).prop_flat_map(move |count| (0..count).map(one).collect::<Vec<_>>())
}

/// A good policy of at least one rule, whose rules stand in any order.
fn policy() -> impl Strategy<Value = Value> {
    (tagged(), once("untagged"), once("any"), vec(1..=1000_u32, 20))
        .prop_filter_map("no rules", |(tagged, untagged, any, gaps)| {
            let mut priority = 0;
            let mut rules: Vec<Value> = tagged.into_iter().chain(untagged).chain(any).collect();
            for (rule, gap) in rules.iter_mut().zip(gaps) {
                priority += gap;
                rule["rulePriority"] = json!(priority);
            }
            (!rules.is_empty()).then_some(rules)
        })
        .prop_flat_map(|rules| Just(rules).prop_shuffle())
        .prop_map(|rules| json!({"rules": rules}))
}

fn read(policy: &Value) -> Result<LifecyclePolicy, Invalid> {
    LifecyclePolicy::parse(&format!("{policy:#}{}", " ".repeat(100)))
}

/// A rule as its author would write it in full.
fn written(rule: &Rule) -> Value {
    let (status, list) = match &rule.selection.tag_status {
        TagStatus::Untagged => ("untagged", json!({})),
        TagStatus::Any => ("any", json!({})),
        TagStatus::Tagged(TagMatch::Patterns(patterns)) => {
            let patterns: Vec<&str> = patterns.iter().map(Wildcard::as_str).collect();
            ("tagged", json!({"tagPatternList": patterns}))
        }
        TagStatus::Tagged(TagMatch::Prefixes(prefixes)) => ("tagged", json!({"tagPrefixList": prefixes})),
    };
    let class = match rule.selection.storage_class {
        StorageClass::Standard => "standard",
        StorageClass::Archive => "archive",
    };
    let count = match rule.selection.count {
        Count::ImageCountMoreThan(number) => json!({"countType": "imageCountMoreThan", "countNumber": number}),
        Count::SincePushed { days: number } => days("sinceImagePushed", number),
        Count::SincePulled { days: number } => days("sinceImagePulled", number),
        Count::SinceTransitioned { days: number } => days("sinceImageTransitioned", number),
    };
    let action = match rule.action {
        Action::Expire => json!({"type": "expire"}),
        Action::Transition => archive(),
    };
    let selection = merged(&[&json!({"tagStatus": status, "storageClass": class}), &list, &count]);
    let mut written = json!({"rulePriority": rule.priority, "selection": selection, "action": action});
    if let Some(description) = &rule.description {
        written["description"] = json!(description);
    }
    written
}

/// Makes a rule wrong, and tells whether it is one that can be made wrong like this.
type Mutation = fn(&mut Value) -> bool;

fn set(value: &mut Value, path: &[&str], new: Value) -> bool {
    let (last, above) = path.split_last().unwrap();
    let object = above.iter().fold(value, |value, name| &mut value[*name]);
    object[*last] = new;
    true
}

fn remove(value: &mut Value, path: &[&str]) -> bool {
    let (last, above) = path.split_last().unwrap();
    let object = above.iter().fold(value, |value, name| &mut value[*name]);
    object.as_object_mut().unwrap().remove(*last).is_some()
}

fn list_of(rule: &Value) -> Option<&'static str> {
    ["tagPatternList", "tagPrefixList"].into_iter().find(|name| rule["selection"].get(name).is_some())
}

fn set_list(rule: &mut Value, list: Value) -> bool {
    list_of(rule).is_some_and(|name| set(rule, &["selection", name], list))
}

fn counts(rule: &Value) -> bool {
    rule["selection"]["countType"] == "imageCountMoreThan"
}

const MUTATIONS: &[(&str, Mutation)] = &[
    ("no priority", |rule| remove(rule, &["rulePriority"])),
    ("no selection", |rule| remove(rule, &["selection"])),
    ("no action", |rule| remove(rule, &["action"])),
    ("no tag status", |rule| remove(rule, &["selection", "tagStatus"])),
    ("no count type", |rule| remove(rule, &["selection", "countType"])),
    ("no count", |rule| remove(rule, &["selection", "countNumber"])),
    ("no unit", |rule| remove(rule, &["selection", "countUnit"])),
    ("no type of action", |rule| remove(rule, &["action", "type"])),
    ("no target", |rule| remove(rule, &["action", "targetStorageClass"])),
    ("no list", |rule| list_of(rule).is_some_and(|name| remove(rule, &["selection", name]))),
    ("a null description", |rule| set(rule, &["description"], Value::Null)),
    ("a number as description", |rule| set(rule, &["description"], json!(1))),
    ("priority 0", |rule| set(rule, &["rulePriority"], json!(0))),
    ("a negative priority", |rule| set(rule, &["rulePriority"], json!(-1))),
    ("a great priority", |rule| set(rule, &["rulePriority"], json!(1_u64 << 31))),
    ("priority with a point", |rule| set(rule, &["rulePriority"], json!(1.0))),
    ("priority as text", |rule| set(rule, &["rulePriority"], json!("1"))),
    ("count 0", |rule| set(rule, &["selection", "countNumber"], json!(0))),
    ("count with a point", |rule| set(rule, &["selection", "countNumber"], json!(100.0))),
    ("count as text", |rule| set(rule, &["selection", "countNumber"], json!("100"))),
    ("count as null", |rule| set(rule, &["selection", "countNumber"], Value::Null)),
    ("a new member", |rule| set(rule, &["rulepriority"], json!(1))),
    ("a new member of the selection", |rule| set(rule, &["selection", "tagstatus"], json!("any"))),
    ("a new member of the action", |rule| set(rule, &["action", "target"], json!("archive"))),
    ("selection as list", |rule| set(rule, &["selection"], json!([]))),
    ("action as text", |rule| set(rule, &["action"], json!("expire"))),
    ("unknown tag status", |rule| set(rule, &["selection", "tagStatus"], json!("Tagged"))),
    ("unknown class", |rule| set(rule, &["selection", "storageClass"], json!("ARCHIVE"))),
    ("null class", |rule| set(rule, &["selection", "storageClass"], Value::Null)),
    ("unknown count type", |rule| set(rule, &["selection", "countType"], json!("sinceImageDeleted"))),
    ("unknown action", |rule| set(rule, &["action", "type"], json!("EXPIRE"))),
    ("unknown target", |rule| set(rule, &["action", "targetStorageClass"], json!("glacier"))),
    ("null target", |rule| set(rule, &["action", "targetStorageClass"], Value::Null)),
    ("a target of expiry", |rule| {
        rule["action"]["type"] == "expire" && set(rule, &["action", "targetStorageClass"], json!("archive"))
    }),
    ("another unit", |rule| set(rule, &["selection", "countUnit"], json!("weeks"))),
    ("a unit of images", |rule| counts(rule) && set(rule, &["selection", "countUnit"], json!("days"))),
    ("an empty list", |rule| set_list(rule, json!([]))),
    ("a list with an empty text", |rule| set_list(rule, json!(["a", ""]))),
    ("a list of numbers", |rule| set_list(rule, json!([1]))),
    ("a text for a list", |rule| set_list(rule, json!("a"))),
    ("both lists", |rule| {
        let other = list_of(rule).map(|name| if name == "tagPatternList" { "tagPrefixList" } else { "tagPatternList" });
        other.is_some_and(|name| set(rule, &["selection", name], json!(["a"])))
    }),
    ("a list of a rule without tags", |rule| {
        list_of(rule).is_none() && set(rule, &["selection", "tagPatternList"], json!(["a"]))
    }),
    ("five wildcards", |rule| {
        rule["selection"].get("tagPatternList").is_some()
            && set(rule, &["selection", "tagPatternList"], json!(["*a*b*c*d*"]))
    }),
    ("the other class", |rule| {
        let archived = rule["selection"]["storageClass"] == "archive";
        set(rule, &["selection", "storageClass"], json!(if archived { "standard" } else { "archive" }))
    }),
    ("too early out of the archive", |rule| {
        rule["selection"]["storageClass"] == "archive" && set(rule, &["selection", "countNumber"], json!(89))
    }),
    ("expiry by pulls", |rule| {
        rule["selection"]["countType"] == "sinceImagePulled" && set(rule, &["action"], json!({"type": "expire"}))
    }),
    ("archiving the archive", |rule| {
        rule["selection"]["storageClass"] == "archive" && set(rule, &["action"], archive())
    }),
];

/// Makes a policy wrong as a whole: from its rules, and one of them.
type PolicyMutation = fn(&mut Vec<Value>, usize);

const POLICY_MUTATIONS: &[(&str, PolicyMutation)] = &[
    ("no rules", |rules, _| rules.clear()),
    ("a rule that is a list", |rules, at| rules[at] = json!([1, {}, {}])),
    ("a priority twice", |rules, at| {
        let mut again = rules[at].clone();
        again["selection"]["tagStatus"] = json!("tagged");
        remove(&mut again, &["selection", "tagPatternList"]);
        again["selection"]["tagPrefixList"] = json!(["nobody-else"]);
        rules.push(again);
    }),
    ("a selection twice", |rules, at| {
        let mut again = rules[at].clone();
        again["rulePriority"] = json!(1_000_000);
        rules.push(again);
    }),
    ("another rule behind the one for any image", |rules, at| {
        rules[at]["selection"]["tagStatus"] = json!("any");
        remove(&mut rules[at], &["selection", "tagPatternList"]);
        remove(&mut rules[at], &["selection", "tagPrefixList"]);
        let mut behind = rules[at].clone();
        behind["rulePriority"] = json!(1_000_000);
        behind["selection"]["tagStatus"] = json!("tagged");
        behind["selection"]["tagPrefixList"] = json!(["nobody-else"]);
        rules.push(behind);
    }),
    ("fifty-one rules", |rules, at| {
        let action = rules[at]["action"].clone();
        for number in rules.len()..51 {
            let selection = json!({"tagStatus": "tagged", "tagPrefixList": [format!("more-{number}")],
                "countType": "imageCountMoreThan", "countNumber": 1});
            rules.insert(0, json!({"rulePriority": 500_000 + number, "selection": selection, "action": action}));
        }
    }),
];

fn assert_refused(found: Result<LifecyclePolicy, Invalid>, name: &str) {
    let error = found.expect_err(name);
    assert_eq!(error.exception, Exception::InvalidParameter);
    let head = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: ";
    assert!(error.message.starts_with(head) && error.message.len() < 600, "{name}: {error}");
}

/// Without it the properties could hold because no mutation ever applied.
#[test]
fn each_mutation_has_a_rule_that_it_makes_wrong() {
    let rules = [
        json!({"rulePriority": 1, "description": "a", "action": archive(),
            "selection": merged(&[&json!({"tagStatus": "tagged", "tagPatternList": ["a"]}), &days("sinceImagePulled", 1)])}),
        json!({"rulePriority": 2, "action": {"type": "expire"},
            "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1}}),
        json!({"rulePriority": 3, "action": {"type": "expire"}, "selection": merged(&[
            &json!({"tagStatus": "any", "storageClass": "archive"}), &days("sinceImageTransitioned", 90)])}),
    ];
    for rule in &rules {
        read(&json!({"rules": [rule]})).unwrap();
    }
    for (name, mutation) in MUTATIONS {
        let mut applied = 0;
        for rule in &rules {
            let mut rule = rule.clone();
            if mutation(&mut rule) {
                applied += 1;
                assert_refused(read(&json!({"rules": [rule]})), name);
            }
        }
        assert!(applied > 0, "{name}");
    }
}

proptest! {
    #[test]
    fn a_good_policy_is_read_as_it_is_written(policy in policy()) {
        let read = read(&policy);
        prop_assert!(read.is_ok(), "{policy}: {read:?}");
        let read = read.unwrap();
        prop_assert!(read.rules().is_sorted_by(|a, b| a.priority < b.priority));
        let mut rules = policy["rules"].as_array().unwrap().clone();
        rules.sort_by_key(|rule| rule["rulePriority"].as_u64());
        for rule in &mut rules {
            let class = rule["selection"].as_object_mut().unwrap().entry("storageClass");
            class.or_insert_with(|| json!("standard"));
        }
        prop_assert_eq!(read.rules().iter().map(written).collect::<Vec<_>>(), rules);
    }

    #[test]
    fn one_wrong_thing_in_a_rule_is_enough(policy in policy(), at in any::<Index>()) {
        for (name, mutation) in MUTATIONS {
            let mut wrong = policy.clone();
            let rules = wrong["rules"].as_array_mut().unwrap();
            let at = at.index(rules.len());
            if mutation(&mut rules[at]) {
                assert_refused(read(&wrong), name);
            }
        }
    }

    #[test]
    fn one_wrong_thing_between_rules_is_enough(policy in policy(), at in any::<Index>()) {
        for (name, mutation) in POLICY_MUTATIONS {
            let mut rules = policy["rules"].as_array().unwrap().clone();
            let at = at.index(rules.len());
            mutation(&mut rules, at);
            assert_refused(read(&json!({"rules": rules})), name);
        }
    }

    #[test]
    fn a_member_stands_once(policy in policy(), name in select(vec![
        "rules", "rulePriority", "selection", "action", "tagStatus", "countType", "countNumber", "type",
    ])) {
        let text = policy.to_string();
        let (head, tail) = text.split_once(&format!("\"{name}\":")).unwrap();
        let twice = format!("{head}\"{name}\":null,\"{name}\":{tail}{}", " ".repeat(100));
        assert_refused(LifecyclePolicy::parse(&twice), name);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]{}:,\"a-z0-9 ]{100,300}") {
        if let Err(error) = LifecyclePolicy::parse(&text) {
            prop_assert!(error.message.len() < 600);
        }
    }
}
