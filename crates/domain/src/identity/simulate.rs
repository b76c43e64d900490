//! What would be decided (`SimulatePrincipalPolicy`, `SimulateCustomPolicy`, `GetContextKeysFor...`): the same function as
//! decides requests, on values that the caller gives.

use berth_aws::AccountId;
use berth_aws::policy::{
    Layer, MapContext, Named, Outcome, Policies, Policy, PolicyKind, Principal, Request, evaluate,
};
use berth_store::Transaction;
use berth_store::identity::principals;

use super::names::PrincipalArn;
use super::{IdentityError, account_of};
use crate::Domain;
use crate::access::Question;
use crate::caller::Caller;
use crate::error::Error;
use crate::principal::Texts;

/// Combinations of action and resource that are simulated at once.
const MAX_RESULTS: usize = 10_000;

/// What is simulated.
#[derive(Debug, Clone, Default)]
pub struct Simulation {
    /// Identity policies.
    pub policies: Vec<String>,
    /// Permissions boundaries; the first counts.
    pub boundaries: Vec<String>,
    /// Actions.
    pub actions: Vec<String>,
    /// ARNs; none stands for `*`.
    pub resources: Vec<String>,
    /// The policy of every resource.
    pub resource_policy: Option<String>,
    /// Whose the resources are: an account's ARN or id.
    pub resource_owner: Option<String>,
    /// Who asks: the ARN of a user.
    pub caller_arn: Option<String>,
    /// Condition keys and their values.
    pub context: Vec<(String, Vec<String>)>,
}

/// What was decided about one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// The decision.
    pub outcome: Outcome,
    /// The statement that decided: the kind of its policy, the policy's name and the statement's place from 0.
    pub by: Option<(Layer, String, usize)>,
    /// Condition keys that policies ask for and nobody gave.
    pub missing_keys: Vec<String>,
    /// What the permissions boundary says, where there is one.
    pub within_boundary: Option<bool>,
    /// The decision in words.
    pub explanation: String,
}

impl Domain {
    /// Simulates policies that the caller brings (`SimulateCustomPolicy`).
    pub fn simulate_custom(&self, caller: &Caller, simulation: &Simulation) -> Result<Vec<Simulated>, Error> {
        let account = self.allow_account(caller, "iam:SimulateCustomPolicy")?;
        Ok(Prepared::new(simulation, &account, Texts::default())?.run())
    }

    /// Simulates the policies of a user, group or role, and those that the caller brings (`SimulatePrincipalPolicy`).
    pub async fn simulate_principal(
        &self,
        caller: &Caller,
        source_arn: &str,
        simulation: Simulation,
    ) -> Result<Vec<Simulated>, Error> {
        let (account, texts) = self.texts_of(caller, "iam:SimulatePrincipalPolicy", source_arn).await?;
        let caller_arn = simulation.caller_arn.clone().unwrap_or_else(|| source_arn.to_owned());
        Ok(Prepared::new(&Simulation { caller_arn: Some(caller_arn), ..simulation }, &account, texts)?.run())
    }

    /// The condition keys of policies that the caller brings (`GetContextKeysForCustomPolicy`).
    pub fn context_keys(&self, caller: &Caller, policies: &[String]) -> Result<Vec<String>, Error> {
        self.allow_account(caller, "iam:GetContextKeysForCustomPolicy")?;
        keys_of(policies.iter().map(String::as_str))
    }

    /// The condition keys of the policies of a user, group or role (`GetContextKeysForPrincipalPolicy`).
    pub async fn context_keys_of(
        &self,
        caller: &Caller,
        source_arn: &str,
        more: &[String],
    ) -> Result<Vec<String>, Error> {
        let (_, texts) = self.texts_of(caller, "iam:GetContextKeysForPrincipalPolicy", source_arn).await?;
        let own = texts.identity.iter().map(|(_, text)| text.as_str());
        keys_of(own.chain(more.iter().map(String::as_str)))
    }

    /// The policies of a user, group or role of the caller's account.
    async fn texts_of(
        &self,
        caller: &Caller,
        action: &'static str,
        source_arn: &str,
    ) -> Result<(AccountId, Texts), Error> {
        let account = account_of(caller)?;
        self.allow_iam(caller, &Question::new(action, source_arn, &account))?;
        let (arn, of) = (source_arn.to_owned(), account.clone());
        let texts = self.database.read(move |txn| texts_of_arn(txn, &of, &arn)).await?;
        Ok((account, texts))
    }
}

/// The policies of who has an ARN in an account.
pub(super) fn texts_of_arn(txn: &mut dyn Transaction, account: &AccountId, arn: &str) -> Result<Texts, Error> {
    let missing = || IdentityError::NoSuch { kind: "entity", name: arn.to_owned() };
    let known = PrincipalArn::parse(arn).filter(|known| known.account == *account).ok_or_else(missing)?;
    let record = principals::find(txn, account, known.kind, &known.name)?.filter(|record| record.arn() == arn);
    Texts::gather(txn, &record.ok_or_else(missing)?)
}

fn keys_of<'a>(policies: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Error> {
    let mut keys = std::collections::BTreeSet::new();
    for text in policies {
        keys.extend(parse(text, PolicyKind::Identity)?.context_keys());
    }
    Ok(keys.into_iter().collect())
}

fn parse(text: &str, kind: PolicyKind) -> Result<Policy, Error> {
    Policy::parse(text, kind, 131_072).map_err(|error| IdentityError::Invalid(error.to_string()).into())
}

fn named(name: String, text: &str, kind: PolicyKind) -> Result<Named, Error> {
    Ok(Named { name: name.into(), policy: std::sync::Arc::new(parse(text, kind)?) })
}

/// A simulation with its policies compiled.
struct Prepared {
    identity: Vec<Named>,
    boundary: Option<Named>,
    resource: Option<Named>,
    caller_arn: String,
    caller_account: String,
    resource_account: String,
    context: MapContext,
    given: Vec<String>,
    actions: Vec<String>,
    resources: Vec<String>,
}

impl Prepared {
    fn new(simulation: &Simulation, account: &AccountId, own: Texts) -> Result<Self, Error> {
        let mut identity = Vec::new();
        for (name, text) in &own.identity {
            identity.push(named(name.clone(), text, PolicyKind::Identity)?);
        }
        for (nth, text) in simulation.policies.iter().enumerate() {
            identity.push(named(format!("PolicyInputList.{}", nth + 1), text, PolicyKind::Identity)?);
        }
        let brought =
            simulation.boundaries.first().map(|text| ("PermissionsBoundaryPolicyInputList.1".to_owned(), text.clone()));
        let boundary = brought.or(own.boundary);
        let resource = simulation.resource_policy.as_deref();
        let caller_arn =
            simulation.caller_arn.clone().unwrap_or_else(|| format!("arn:aws:iam::{account}:user/simulated"));
        let caller_account = caller_arn.split(':').nth(4).unwrap_or(account.as_str()).to_owned();
        let owner = simulation.resource_owner.as_deref().unwrap_or(account.as_str());
        let resources =
            if simulation.resources.is_empty() { vec!["*".to_owned()] } else { simulation.resources.clone() };
        if resources.len().saturating_mul(simulation.actions.len()) > MAX_RESULTS {
            let message = format!("At most {MAX_RESULTS} combinations of action and resource can be simulated at once");
            return Err(IdentityError::Invalid(message).into());
        }
        Ok(Self {
            identity,
            boundary: boundary.map(|(name, text)| named(name, &text, PolicyKind::Identity)).transpose()?,
            resource: resource
                .map(|text| named("ResourcePolicy".to_owned(), text, PolicyKind::Resource))
                .transpose()?,
            caller_arn,
            caller_account,
            resource_account: owner.split(':').nth(4).unwrap_or(owner).to_owned(),
            context: context_of(&simulation.context),
            given: simulation.context.iter().map(|(key, _)| key.to_lowercase()).collect(),
            actions: simulation.actions.clone(),
            resources,
        })
    }

    fn run(&self) -> Vec<Simulated> {
        let missing = self.missing_keys();
        let pairs =
            self.actions.iter().flat_map(|action| self.resources.iter().map(move |resource| (action, resource)));
        pairs.map(|(action, resource)| self.decide(action, resource, &missing)).collect()
    }

    fn decide(&self, action: &str, resource: &str, missing_keys: &[String]) -> Simulated {
        let principal = Principal::User { arn: &self.caller_arn, account: &self.caller_account };
        let request = Request {
            action,
            resource,
            resource_account: &self.resource_account,
            principal: &principal,
            context: &self.context,
        };
        let policies = Policies {
            identity: &self.identity,
            boundary: self.boundary.as_ref(),
            resource: self.resource.as_ref(),
            ..Policies::default()
        };
        let decision = evaluate(&request, &policies);
        let within_boundary = self.boundary.as_ref().map(|boundary| {
            let alone = Policies { identity: std::slice::from_ref(boundary), ..Policies::default() };
            let same = Request { resource_account: &self.caller_account, ..request };
            evaluate(&same, &alone).is_allowed()
        });
        Simulated {
            action: action.to_owned(),
            resource: resource.to_owned(),
            outcome: decision.outcome,
            by: decision.by.map(|by| (by.layer, by.policy.to_owned(), by.statement)),
            missing_keys: missing_keys.to_vec(),
            within_boundary,
            explanation: decision.to_string(),
        }
    }

    fn missing_keys(&self) -> Vec<String> {
        let policies = self.identity.iter().chain(&self.boundary).chain(&self.resource);
        let keys: std::collections::BTreeSet<String> = policies.flat_map(|named| named.policy.context_keys()).collect();
        keys.into_iter().filter(|key| !self.given.contains(&key.to_lowercase())).collect()
    }
}

pub(super) fn context_of(entries: &[(String, Vec<String>)]) -> MapContext {
    entries.iter().fold(MapContext::new(), |context, (key, values)| match values.as_slice() {
        [one] => context.with(key, one.clone()),
        many => context.with_many(key, many.iter().cloned()),
    })
}
