//! From JSON to rules. What is wrong within one rule is found here.

use super::fields::Fields;
use super::json::Node;
use super::rule::{Action, Count, Rule, Selection, StorageClass, TagMatch, TagStatus};
use super::{check, refused};
use crate::ecr::Invalid;
use crate::ecr::wildcard::Wildcard;

/// The most rules of a policy ("Amazon ECR service quotas").
const MAX_RULES: usize = 50;

/// The most `*` of a pattern.
const MAX_STARS: usize = 4;

/// The rules of a document, each good by itself, in its order.
pub(super) fn rules(document: &Node) -> Result<Vec<Rule>, Invalid> {
    let policy = Fields::of(document, "the policy".to_owned(), &["rules"], &["rules"])?;
    let Node::List(nodes) = policy.need("rules")? else {
        return Err(policy.refused("rules", "must be a list"));
    };
    if !(1..=MAX_RULES).contains(&nodes.len()) {
        return Err(policy.refused("rules", format!("must have 1 to {MAX_RULES} rules, and has {}", nodes.len())));
    }
    nodes.iter().enumerate().map(|(index, node)| rule(node, index + 1)).collect()
}

/// A rule is called by its place in the list until its priority is known.
fn rule(node: &Node, place: usize) -> Result<Rule, Invalid> {
    let known = ["rulePriority", "description", "selection", "action"];
    let fields =
        Fields::of(node, format!("rule {place} of the list"), &known, &["rulePriority", "selection", "action"])?;
    let priority = fields.number("rulePriority")?;
    let fields = fields.named(format!("rule of rulePriority {priority}"));
    let rule = Rule {
        priority,
        description: fields.text("description")?.map(str::to_owned),
        selection: selection(fields.need("selection")?, fields.below("selection"))?,
        action: action(fields.need("action")?, fields.below("action"))?,
    };
    check::alone(&rule).map_err(|why| fields.refused_whole(why))?;
    Ok(rule)
}

fn selection(node: &Node, at: String) -> Result<Selection, Invalid> {
    let known =
        ["tagStatus", "tagPatternList", "tagPrefixList", "storageClass", "countType", "countUnit", "countNumber"];
    let fields = Fields::of(node, at, &known, &["tagStatus", "countType", "countNumber"])?;
    let classes = [("standard", StorageClass::Standard), ("archive", StorageClass::Archive)];
    Ok(Selection {
        tag_status: tag_status(&fields)?,
        storage_class: fields.word("storageClass", &classes)?.unwrap_or_default(),
        count: count(&fields)?,
    })
}

#[derive(Clone, Copy)]
enum Tags {
    Tagged,
    Untagged,
    Any,
}

fn tag_status(fields: &Fields<'_>) -> Result<TagStatus, Invalid> {
    let words = [("tagged", Tags::Tagged), ("untagged", Tags::Untagged), ("any", Tags::Any)];
    let status = match fields.need_word("tagStatus", &words)? {
        Tags::Tagged => return tag_match(fields).map(TagStatus::Tagged),
        Tags::Untagged => TagStatus::Untagged,
        Tags::Any => TagStatus::Any,
    };
    match ["tagPatternList", "tagPrefixList"].into_iter().find(|name| fields.get(name).is_some()) {
        None => Ok(status),
        Some(name) => Err(fields.refused(name, "is allowed with tagStatus tagged only")),
    }
}

fn tag_match(fields: &Fields<'_>) -> Result<TagMatch, Invalid> {
    match (fields.texts("tagPatternList")?, fields.texts("tagPrefixList")?) {
        (Some(patterns), None) => {
            let patterns: Vec<Wildcard> = patterns.into_iter().map(Wildcard::new).collect();
            if let Some(pattern) = patterns.iter().find(|pattern| pattern.stars() > MAX_STARS) {
                let stars = pattern.stars();
                let why = format!("has a pattern with {stars} wildcards, at most {MAX_STARS} are allowed");
                return Err(fields.refused("tagPatternList", why));
            }
            Ok(TagMatch::Patterns(patterns))
        }
        (None, Some(prefixes)) => Ok(TagMatch::Prefixes(prefixes.into_iter().map(str::to_owned).collect())),
        (None, None) => Err(fields.refused_whole("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED")),
        (Some(_), Some(_)) => {
            Err(fields.refused_whole("tagPrefixList and tagPatternList exclude each other, one may stand"))
        }
    }
}

type Counting = fn(u32) -> Count;

fn count(fields: &Fields<'_>) -> Result<Count, Invalid> {
    const IMAGES: Counting = Count::ImageCountMoreThan;
    let words: [(&str, (Counting, bool)); 4] = [
        ("imageCountMoreThan", (IMAGES, false)),
        ("sinceImagePushed", (|days| Count::SincePushed { days }, true)),
        ("sinceImagePulled", (|days| Count::SincePulled { days }, true)),
        ("sinceImageTransitioned", (|days| Count::SinceTransitioned { days }, true)),
    ];
    let (counting, of_days) = fields.need_word("countType", &words)?;
    match (fields.word("countUnit", &[("days", ())])?, of_days) {
        (Some(()), false) => {
            return Err(fields.refused("countUnit", "is not allowed with countType imageCountMoreThan"));
        }
        (None, true) => return Err(fields.refused("countUnit", "is required with this countType, and must be days")),
        _ => {}
    }
    fields.number("countNumber").map(counting)
}

fn action(node: &Node, at: String) -> Result<Action, Invalid> {
    let fields = Fields::of(node, at, &["type", "targetStorageClass"], &["type"])?;
    let action = fields.need_word("type", &[("expire", Action::Expire), ("transition", Action::Transition)])?;
    match (action, fields.get("targetStorageClass")) {
        (Action::Expire, None) => {}
        (Action::Expire, Some(_)) => {
            return Err(fields.refused("targetStorageClass", "is allowed with the type transition only"));
        }
        (Action::Transition, _) => fields.need_word("targetStorageClass", &[("archive", ())])?,
    }
    Ok(action)
}

/// Says that a policy is refused for what its rules are together.
pub(super) fn refused_rule(rule: &Rule, why: &str) -> Invalid {
    refused(format!("rule of rulePriority {}: {why}", rule.priority))
}
