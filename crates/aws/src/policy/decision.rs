//! What was decided, and why, in words.

use std::fmt;

/// A kind of policies that take part in a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Of users, groups and roles.
    Identity,
    /// Of the resource: a repository policy.
    Resource,
    /// Of the registry that the resource is in.
    Registry,
    /// Of a role, telling who may assume it.
    Trust,
    /// The most that identity policies can give.
    Boundary,
    /// Handed over when a session was made.
    Session,
    /// Of the endpoint that the request came through.
    Endpoint,
}

/// Whether a request may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Every layer that has a say allows it.
    Allowed,
    /// Nothing denies it, but something that had to allow it does not.
    ImplicitDeny,
    /// A statement denies it.
    ExplicitDeny,
}

/// The statement that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deciding<'a> {
    /// What kind of policy it is in.
    pub layer: Layer,
    /// The policy's name.
    pub policy: &'a str,
    /// Its place in the policy, counted from 0.
    pub statement: usize,
    /// Its Sid.
    pub sid: Option<&'a str>,
}

/// A decision. Its `Display` is one English sentence for logs, audit and people who test policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'a> {
    /// Whether the request may be served.
    pub outcome: Outcome,
    /// The statement that allows or denies; none for an implicit deny, and none where the root user of an account is
    /// allowed what nobody needs to allow.
    pub by: Option<Deciding<'a>>,
    /// For an implicit deny, the layer that lacks an Allow.
    pub missing: Option<Layer>,
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
}

impl Decision<'_> {
    /// Whether the request may be served.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allowed
    }

    /// The end of AWS's sentence "User: ... is not authorized to perform: ... on resource: ... because ..."; empty where the
    /// request is allowed ("Troubleshoot access denied error messages").
    pub fn aws_reason(&self) -> String {
        match (self.outcome, self.by, self.missing) {
            (Outcome::ExplicitDeny, Some(by), _) => format!("with an explicit deny in {}", by.layer.aws_article()),
            (Outcome::ImplicitDeny, _, Some(layer)) => {
                format!("because no {} allows the {} action", layer.aws_name(), self.action)
            }
            _ => String::new(),
        }
    }
}

impl Layer {
    /// What AWS's messages call it.
    fn aws_name(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Resource | Self::Registry => "resource-based policy",
            Self::Trust => "role trust policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Endpoint => "VPC endpoint policy",
        }
    }

    fn aws_article(self) -> String {
        let article = match self {
            Self::Identity => "an",
            Self::Trust => "the",
            _ => "a",
        };
        format!("{article} {}", self.aws_name())
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity policy",
            Self::Resource => "resource policy",
            Self::Registry => "registry policy",
            Self::Trust => "trust policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Endpoint => "endpoint policy",
        })
    }
}

impl fmt::Display for Deciding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "statement {}", self.statement + 1)?;
        if let Some(sid) = self.sid {
            write!(f, " (Sid {sid})")?;
        }
        write!(f, " of {} {}", self.layer, self.policy)
    }
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, resource, .. } = self;
        match (self.outcome, self.by, self.missing) {
            (Outcome::Allowed, Some(by), _) => write!(f, "{action} on {resource} is allowed by {by}"),
            (Outcome::Allowed, None, _) => {
                write!(f, "{action} on {resource} is allowed: an account's root user may do everything in it")
            }
            (Outcome::ExplicitDeny, Some(by), _) => write!(f, "{action} on {resource} is denied by {by}"),
            (_, _, Some(layer)) => write!(f, "{action} on {resource} is denied: no {layer} allows it"),
            (_, _, None) => write!(f, "{action} on {resource} is denied"),
        }
    }
}
