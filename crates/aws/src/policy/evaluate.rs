//! The decision.
//!
//! Follows "Policy evaluation logic": a Deny anywhere wins; within an account an identity policy or a resource policy has
//! to allow, across accounts both; then endpoint, permissions boundary and session policy each have to allow too, except
//! that they do not cut what a resource policy of the same account gives to the caller by name.

use super::arn_pattern::Arn;
use super::decision::{Deciding, Decision, Layer, Outcome};
use super::principal::{Grant, Principal};
use super::statement::{Asked, Effect};
use super::{Context, Named};

/// A request as policies see it.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `service:Name`, such as `ecr:BatchGetImage`, in any case.
    pub action: &'a str,
    /// The ARN of what it is asked for, or `*` for actions that have no resource.
    pub resource: &'a str,
    /// The twelve digits of the account that the resource is in; for `*`, the caller's own.
    pub resource_account: &'a str,
    /// Who asks.
    pub principal: &'a Principal<'a>,
    /// The values of condition keys.
    pub context: &'a dyn Context,
}

/// The policies that have a say in one request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// Of the user and their groups, or of the role. For [`Principal::Anonymous`], what nobody in particular may do.
    pub identity: &'a [Named],
    /// The caller's permissions boundary.
    pub boundary: Option<&'a Named>,
    /// The session's policies; one of them has to allow. `None` is a session without, `Some(&[])` allows nothing.
    pub session: Option<&'a [Named]>,
    /// The resource's own policy.
    pub resource: Option<&'a Named>,
    /// The policy of the registry that the resource is in.
    pub registry: Option<&'a Named>,
    /// The policy of the endpoint that the request came through.
    pub endpoint: Option<&'a Named>,
}

/// Decides a request.
pub fn evaluate<'a>(request: &Request<'a>, policies: &Policies<'a>) -> Decision<'a> {
    Evaluation::new(request, policies, None).decide()
}

/// Decides whether a role may be assumed: `request.resource` is the role's ARN, `trust` its trust policy, which always has
/// to allow. Where it only names the caller's account, or the role is in another account, the caller's identity policies
/// have to allow as well ("IAM roles", "Granting a user permissions to switch roles").
pub fn evaluate_trust<'a>(request: &Request<'a>, trust: &'a Named, policies: &Policies<'a>) -> Decision<'a> {
    Evaluation::new(request, policies, Some(trust)).decide()
}

/// An action in lower case. On the stack, but for names longer than any there is.
enum LowerCase {
    Short([u8; LowerCase::SHORT], usize),
    Long(String),
}

impl LowerCase {
    const SHORT: usize = 64;

    fn of(action: &str) -> Self {
        let mut bytes = [0; Self::SHORT];
        match bytes.get_mut(..action.len()) {
            Some(slot) => {
                slot.copy_from_slice(action.as_bytes());
                slot.make_ascii_lowercase();
                Self::Short(bytes, action.len())
            }
            None => Self::Long(action.to_ascii_lowercase()),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Short(bytes, length) => {
                bytes.get(..*length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
            }
            Self::Long(text) => text,
        }
    }
}

/// What one layer says.
#[derive(Clone, Copy)]
struct Opinion<'a> {
    layer: Layer,
    /// Whether there is such a policy.
    present: bool,
    deny: Option<Deciding<'a>>,
    allow: Option<(Grant, Deciding<'a>)>,
}

impl<'a> Opinion<'a> {
    fn of(layer: Layer, policies: Option<&'a [Named]>, asked: &Asked<'_>) -> Self {
        let mut opinion = Self { layer, present: policies.is_some(), deny: None, allow: None };
        for named in policies.unwrap_or_default() {
            opinion.add(named, asked);
            if opinion.deny.is_some() {
                break;
            }
        }
        opinion
    }

    fn add(&mut self, named: &'a Named, asked: &Asked<'_>) {
        for (index, statement) in named.policy.statements().iter().enumerate() {
            let allows = statement.effect() == Effect::Allow;
            if allows && matches!(self.allow, Some((Grant::Own, _))) {
                continue;
            }
            let Some(grant) = statement.applies(asked) else { continue };
            let layer = self.layer;
            let deciding = Deciding { layer, policy: &named.name, statement: index, sid: statement.sid() };
            if !allows {
                self.deny = Some(deciding);
                return;
            }
            if self.allow.is_none_or(|(known, _)| known < grant) {
                self.allow = Some((grant, deciding));
            }
        }
    }

    /// Whether the layer lets pass what other layers gave.
    fn passes(&self) -> bool {
        !self.present || self.allow.is_some()
    }
}

struct Evaluation<'a> {
    request: Request<'a>,
    trust: bool,
    identity: Opinion<'a>,
    resource: Opinion<'a>,
    registry: Opinion<'a>,
    endpoint: Opinion<'a>,
    boundary: Opinion<'a>,
    session: Opinion<'a>,
}

impl<'a> Evaluation<'a> {
    fn new(request: &Request<'a>, policies: &Policies<'a>, trust: Option<&'a Named>) -> Self {
        let action = LowerCase::of(request.action);
        let asked = Asked {
            action: action.as_str(),
            resource: Arn::split(request.resource),
            principal: request.principal,
            bounded: policies.boundary.is_some(),
            context: request.context,
        };
        let one = |layer, named: Option<&'a Named>| Opinion::of(layer, named.map(std::slice::from_ref), &asked);
        let resource_layer = if trust.is_some() { Layer::Trust } else { Layer::Resource };
        Self {
            request: *request,
            trust: trust.is_some(),
            identity: Opinion::of(Layer::Identity, Some(policies.identity), &asked),
            resource: one(resource_layer, trust.or(policies.resource)),
            // A role is in no registry: its trust policy alone speaks for it.
            registry: one(Layer::Registry, policies.registry.filter(|_| trust.is_none())),
            endpoint: one(Layer::Endpoint, policies.endpoint),
            boundary: one(Layer::Boundary, policies.boundary),
            session: Opinion::of(Layer::Session, policies.session, &asked),
        }
    }

    fn decide(&self) -> Decision<'a> {
        let layers = [&self.resource, &self.registry, &self.identity, &self.endpoint, &self.boundary, &self.session];
        if let Some(deny) = layers.into_iter().find_map(|layer| layer.deny) {
            return self.decision(Outcome::ExplicitDeny, Some(deny), None);
        }
        match self.allowed() {
            Ok(by) => self.decision(Outcome::Allowed, by, None),
            Err(layer) => self.decision(Outcome::ImplicitDeny, None, Some(layer)),
        }
    }

    fn decision(&self, outcome: Outcome, by: Option<Deciding<'a>>, missing: Option<Layer>) -> Decision<'a> {
        Decision { outcome, by, missing, action: self.request.action, resource: self.request.resource }
    }

    /// Who allows the request, or which layer fails to.
    fn allowed(&self) -> Result<Option<Deciding<'a>>, Layer> {
        let granted = self.granted();
        if self.trust && granted.is_none() {
            return Err(Layer::Trust);
        }
        let by = match self.request.principal.account() {
            None => self.without_account(granted)?,
            Some(account) if account == self.request.resource_account => self.same_account(granted)?,
            Some(_) => self.other_account(granted)?,
        };
        let named = matches!(granted, Some((Grant::Own, _)));
        let same = self.request.principal.account() == Some(self.request.resource_account);
        let cuts: &[&Opinion<'a>] =
            if named && same { &[&self.endpoint] } else { &[&self.endpoint, &self.boundary, &self.session] };
        match cuts.iter().find(|layer| !layer.passes()) {
            Some(layer) => Err(layer.layer),
            None => Ok(by),
        }
    }

    /// The closest grant of the resource's side.
    fn granted(&self) -> Option<(Grant, Deciding<'a>)> {
        let allows = [self.resource.allow, self.registry.allow].into_iter().flatten();
        // The first of two that are equally close.
        allows.rev().max_by_key(|(grant, _)| *grant)
    }

    /// Anonymous callers, services and those whom an identity provider vouches for.
    ///
    /// A `*` in a trust policy means those who have an account: else every token of every provider would do.
    fn without_account(&self, granted: Option<(Grant, Deciding<'a>)>) -> Result<Option<Deciding<'a>>, Layer> {
        let granted = granted.filter(|(grant, _)| !self.trust || *grant == Grant::Own);
        let identity = self.identity.allow.filter(|_| !self.trust);
        granted.or(identity).map(|(_, by)| Some(by)).ok_or(self.resource.layer)
    }

    fn same_account(&self, granted: Option<(Grant, Deciding<'a>)>) -> Result<Option<Deciding<'a>>, Layer> {
        match granted.filter(|(grant, _)| *grant != Grant::Account) {
            Some((_, by)) => Ok(Some(by)),
            None => self.identity(),
        }
    }

    fn other_account(&self, granted: Option<(Grant, Deciding<'a>)>) -> Result<Option<Deciding<'a>>, Layer> {
        let by = self.identity()?;
        let (_, grant) = granted.ok_or(Layer::Resource)?;
        Ok(by.or(Some(grant)))
    }

    /// What the caller's own policies give; a root user needs none.
    fn identity(&self) -> Result<Option<Deciding<'a>>, Layer> {
        match self.identity.allow {
            Some((_, by)) => Ok(Some(by)),
            None if matches!(self.request.principal, Principal::Root { .. }) => Ok(None),
            None => Err(Layer::Identity),
        }
    }
}
