//! Lifecycle policies: which images of a repository are deleted or archived by themselves, and when.
//!
//! Begin with [`LifecyclePolicy::parse`]. Follows "Lifecycle policy properties in Amazon ECR" of ECR's user guide for the
//! grammar. A text is refused for everything that the guide does not allow, for whoever wrote it meant something by it.

mod check;
mod fields;
mod json;
mod parse;
mod rule;

use super::Invalid;

pub use rule::{Action, Count, Rule, Selection, StorageClass, TagMatch, TagStatus};

/// The lengths that a text may have, in characters (`LifecyclePolicyText` of the model).
const LENGTH: std::ops::RangeInclusive<usize> = 100..=30_720;

/// A lifecycle policy, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecyclePolicy {
    rules: Vec<Rule>,
}

impl LifecyclePolicy {
    /// Reads a policy: JSON of 100 to 30,720 characters.
    ///
    /// `InvalidParameterException` for anything that is no policy, with a text that names the rule and what is wrong with
    /// it. Takes time in proportion to the text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let length = text.chars().count();
        if !LENGTH.contains(&length) {
            let (least, most) = (LENGTH.start(), LENGTH.end());
            return Err(refused(format!("the text has {length} characters, {least} to {most} are allowed")));
        }
        let document = json::read(text)?;
        let mut rules = parse::rules(&document)?;
        rules.sort_by_key(|rule| rule.priority);
        check::together(&rules)?;
        Ok(Self { rules })
    }

    /// The rules, 1 to 50, by ascending priority: the order in which they are applied.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// What the author of a policy is told, in the words of ECR.
fn refused(what: impl std::fmt::Display) -> Invalid {
    Invalid::parameter("LifecyclePolicyText", format!("Lifecycle policy validation failure: {what}"))
}

#[cfg(test)]
mod tests;
