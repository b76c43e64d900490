//! The IAM policy language: documents are parsed and compiled once, then decide any number of requests.
//!
//! Begin with [`Policy::parse`] and [`evaluate`]. Follows the IAM user guide: "IAM JSON policy element reference" for the
//! documents, "Policy evaluation logic" for the decision. Where the guide is silent, the reading that gives less is taken.
//!
//! ```
//! use std::sync::Arc;
//! use berth_aws::policy::{MapContext, Named, Policies, Policy, PolicyKind, Principal, Request, evaluate};
//!
//! let text = r#"{"Statement": {"Sid": "Pull", "Effect": "Allow", "Action": "ecr:BatchGet*", "Resource": "*"}}"#;
//! let policy = Policy::parse(text, PolicyKind::Identity, 6_144)?;
//! let identity = [Named { name: "inline:user/alice/pull".into(), policy: Arc::new(policy) }];
//! let request = Request {
//!     action: "ecr:BatchGetImage",
//!     resource: "arn:aws:ecr:us-east-1:111122223333:repository/app",
//!     resource_account: "111122223333",
//!     principal: &Principal::User { arn: "arn:aws:iam::111122223333:user/alice", account: "111122223333" },
//!     context: &MapContext::new(),
//! };
//! let decision = evaluate(&request, &Policies { identity: &identity, ..Policies::default() });
//! assert!(decision.is_allowed());
//! assert!(decision.to_string().ends_with("is allowed by statement 1 (Sid Pull) of identity policy inline:user/alice/pull"));
//! # Ok::<(), berth_aws::policy::PolicyError>(())
//! ```

mod arn_pattern;
mod condition;
mod context;
mod decision;
mod document;
mod error;
mod evaluate;
mod findings;
pub(crate) mod glob;
mod json;
mod keys;
mod known_actions;
mod principal;
mod statement;
mod text;

use std::sync::Arc;

pub use context::{Context, MapContext, Values};
pub use decision::{Deciding, Decision, Layer, Outcome};
pub use error::PolicyError;
pub use evaluate::{Policies, Request, evaluate, evaluate_trust};
pub use findings::{Finding, Problem};
pub use principal::Principal;
pub use statement::{Effect, Statement};

/// What a policy is attached to, which decides what may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// A user, group, role, boundary or session: Resource is required and Principal forbidden.
    Identity,
    /// A repository, registry or endpoint: Principal is required, Resource may be left out for the resource itself.
    Resource,
    /// A role, telling who may assume it: Principal is required, Resource forbidden, actions are those of assuming roles.
    Trust,
}

/// Which language a policy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// `2008-10-17`, also where none is given: without variables.
    V2008,
    /// `2012-10-17`
    V2012,
}

/// A policy document, checked and compiled. Cheap to evaluate, so it is kept behind an [`Arc`].
#[derive(Debug, Clone)]
pub struct Policy {
    text: Box<str>,
    kind: PolicyKind,
    version: Version,
    statements: Vec<Statement>,
}

/// A policy and what a decision calls it: its ARN, or for instance `inline:user/alice/pushers`.
#[derive(Debug, Clone)]
pub struct Named {
    /// What it is called.
    pub name: Arc<str>,
    /// The policy.
    pub policy: Arc<Policy>,
}

impl Policy {
    /// Parses, checks and compiles a document of at most `limit` bytes.
    pub fn parse(text: &str, kind: PolicyKind, limit: usize) -> Result<Self, PolicyError> {
        if text.len() > limit {
            return Err(PolicyError::TooLong { length: text.len(), limit });
        }
        let (version, statements) = document::read(&json::read(text)?, kind)?;
        Ok(Self { text: text.into(), kind, version, statements })
    }

    /// The document as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is attached to.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The language it speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The condition keys that it asks for, as it writes them (IAM `GetContextKeysForCustomPolicy`).
    pub fn context_keys(&self) -> std::collections::BTreeSet<String> {
        keys::of(&self.text)
    }

    /// What its author may not have meant.
    pub fn findings(&self) -> Vec<Finding> {
        findings::of(self)
    }
}

/// The length that IAM's quotas count: characters that are not white space ("IAM and AWS STS quotas").
pub fn significant_length(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}
