//! One statement, compiled.

use super::arn_pattern::{Arn, ArnPattern};
use super::condition::Condition;
use super::context::Context;
use super::glob::Glob;
use super::principal::{Grant, Principal, Principals};

/// What a statement does where it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Allows, if nothing denies.
    Allow,
    /// Denies, whatever allows.
    Deny,
}

/// A statement of a policy.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(super) sid: Option<Box<str>>,
    pub(super) effect: Effect,
    pub(super) actions: Actions,
    pub(super) resources: Option<Resources>,
    pub(super) principals: Option<Principals>,
    pub(super) conditions: Vec<Condition>,
}

/// `Action` or `NotAction`; patterns in lower case.
#[derive(Debug, Clone)]
pub(super) struct Actions {
    pub(super) negated: bool,
    pub(super) patterns: Vec<Glob>,
}

/// `Resource` or `NotResource`.
#[derive(Debug, Clone)]
pub(super) struct Resources {
    pub(super) negated: bool,
    pub(super) patterns: Vec<ArnPattern>,
}

/// What of a request every statement looks at.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// In lower case, as the patterns are.
    pub(super) action: &'a str,
    pub(super) resource: Arn<'a>,
    pub(super) principal: &'a Principal<'a>,
    /// Whether the caller has a permissions boundary.
    pub(super) bounded: bool,
    pub(super) context: &'a dyn Context,
}

impl Statement {
    /// The statement's Sid, if it has one.
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Whether it allows or denies.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether the statement applies, and how closely it names the caller. What is told apart quickest comes first.
    pub(super) fn applies(&self, asked: &Asked<'_>) -> Option<Grant> {
        if !self.actions.include(asked.action) {
            return None;
        }
        if let Some(resources) = &self.resources
            && !resources.include(&asked.resource, self.effect, asked.context)
        {
            return None;
        }
        let grant = match &self.principals {
            None => Grant::Own,
            Some(principals) if self.effect == Effect::Allow => principals.grant(asked.principal)?,
            Some(principals) => principals.denies(asked.principal, asked.bounded).then_some(Grant::Own)?,
        };
        self.conditions.iter().all(|condition| condition.holds(asked.context)).then_some(grant)
    }
}

impl Actions {
    fn include(&self, action: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(action)) != self.negated
    }
}

impl Resources {
    /// A resource whose variable has no value matches nothing ("Variables and tags", "Policy variables with no value"). An
    /// Allow with such a `NotResource` would thus allow everything; it allows nothing here.
    fn include(&self, resource: &Arn<'_>, effect: Effect, context: &dyn Context) -> bool {
        if !self.negated {
            return self.patterns.iter().any(|pattern| pattern.matches(resource, context));
        }
        let spared = self.patterns.iter().any(|pattern| pattern.matches(resource, context));
        !spared && (effect == Effect::Deny || self.patterns.iter().all(|pattern| pattern.resolves(context)))
    }
}
