//! Who may do what, decided once for every door: the first line of each operation comes here, and `berth_aws::policy::evaluate`
//! has the last word.
//!
//! Nothing is looked up about the resource itself before that. What a repository adds to the decision, its policy and tags, is
//! nothing for one that does not exist, so that an answer tells nobody what there is.

pub(crate) mod context;
pub mod endpoints;
pub(crate) mod facts;
pub mod scopes;

use std::sync::Arc;

use berth_aws::AccountId;
use berth_aws::arn;
use berth_aws::policy::{Decision, Named, Policies, PolicyKind, Principal, Request, evaluate};
use berth_oci::name::RepositoryName;

use self::context::RequestContext;
pub use self::context::{KEYS, TAG_KEYS};
use crate::caller::{Action, Caller, Standing};
use crate::error::Error;
use crate::principal::{Identity, IdentityKind, Rights, compile};
use crate::settings::Settings;
use crate::{Domain, audit};

/// What a caller wants to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// The action, such as `ecr:PutImage`.
    pub(crate) action: &'static str,
    /// The ARN of what it is done to, or `*`.
    pub(crate) resource: &'a str,
    /// Whose that is.
    pub(crate) account: &'a AccountId,
    /// The tags of what it is done to.
    pub(crate) resource_tags: &'a [(String, String)],
    /// What only this request has.
    pub(crate) extras: Extras<'a>,
}

/// What conditions may ask of one kind of request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extras<'a> {
    /// Tags that it sets (`aws:RequestTag`, `aws:TagKeys`).
    pub(crate) tags: &'a [(String, String)],
    /// Other condition keys, in lower case, with their values.
    pub(crate) more: &'a [(&'a str, Vec<String>)],
}

impl<'a> Question<'a> {
    pub(crate) const fn new(action: &'static str, resource: &'a str, account: &'a AccountId) -> Self {
        Self { action, resource, account, resource_tags: &[], extras: Extras { tags: &[], more: &[] } }
    }
}

/// The policies of the resource's side.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Surroundings<'a> {
    pub(crate) resource: Option<&'a Named>,
    pub(crate) registry: Option<&'a Named>,
}

impl Domain {
    /// The first line of an operation on a repository: goes on only where the caller may do `action`. Whether there is
    /// such a repository makes no difference.
    pub async fn allow(&self, caller: &Caller, action: Action, name: &RepositoryName) -> Result<(), Error> {
        audit::repository(self, name);
        let is_this = |at: &Arc<Settings>| at.registry == self.settings.registry;
        if caller.granted.take().is_some_and(|(at, granted, on)| granted == action && on == *name && is_this(&at)) {
            return Ok(());
        }
        self.decide_on_repository(caller, action, name, Extras::default()).await
    }

    /// The same where conditions may ask for more of the request, such as the tags that it sets.
    pub(crate) async fn allow_with(
        &self,
        caller: &Caller,
        action: Action,
        name: &RepositoryName,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        audit::repository(self, name);
        self.decide_on_repository(caller, action, name, extras).await
    }

    /// The same for a door that asks before it looks at a request; the operation that follows need not decide it again.
    pub async fn allow_beforehand(&self, caller: &Caller, action: Action, name: &RepositoryName) -> Result<(), Error> {
        audit::repository(self, name);
        self.decide_on_repository(caller, action, name, Extras::default()).await?;
        caller.granted.put((Arc::clone(&self.settings), action, name.clone()));
        Ok(())
    }

    /// Whether the caller may do `action` on a repository.
    pub(crate) async fn may(&self, caller: &Caller, action: Action, name: &RepositoryName) -> Result<bool, Error> {
        match self.decide_on_repository(caller, action, name, Extras::default()).await {
            Ok(()) => Ok(true),
            Err(Error::Unauthenticated | Error::Denied { .. } | Error::OutOfScope) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn decide_on_repository(
        &self,
        caller: &Caller,
        action: Action,
        name: &RepositoryName,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        let registry = &self.settings.registry;
        if let Standing::Operator { account, .. } = &caller.standing
            && *account == registry.account
        {
            return Ok(());
        }
        let (rules, of_registry) = (self.repository_rules(name).await?, self.registry_rules().await?);
        let resource = arn::repository(&registry.region, &registry.account, name.as_str());
        let question = Question {
            resource_tags: &rules.tags,
            extras,
            ..Question::new(action.as_str(), &resource, &registry.account)
        };
        let around = Surroundings { resource: rules.policy.as_ref(), registry: of_registry.as_ref().as_ref() };
        let is_covered = self.is_covered(caller, |scope| scope.covers(action, name));
        match self.judge(caller, &question, around) {
            // What policies deny, no other token opens: whoever is sent for one would come back in vain, without a reason.
            Err(denied @ Error::Denied { .. }) => Err(denied),
            _ if !is_covered => Err(Error::OutOfScope),
            judged => judged,
        }
    }

    /// Goes on where the caller may do `action` on any repository of the registry, whatever its name.
    pub(crate) async fn allow_on_any_repository(&self, caller: &Caller, action: Action) -> Result<(), Error> {
        let registry = &self.settings.registry;
        if !self.is_covered(caller, |scope| *scope == scopes::Scope::Catalog) {
            return Err(Error::OutOfScope);
        }
        let of_registry = self.registry_rules().await?;
        let resource = arn::repository(&registry.region, &registry.account, "*");
        let around = Surroundings { resource: None, registry: of_registry.as_ref().as_ref() };
        self.judge(caller, &Question::new(action.as_str(), &resource, &registry.account), around)
    }

    /// Goes on where the caller may do `action`, one of ECR's (`ecr:...`), on the registry as a whole.
    pub(crate) async fn allow_on_registry(&self, caller: &Caller, action: &'static str) -> Result<(), Error> {
        let of_registry = self.registry_rules().await?;
        let around = Surroundings { resource: None, registry: of_registry.as_ref().as_ref() };
        self.judge(caller, &Question::new(action, "*", &self.settings.registry.account), around)
    }

    /// Of repositories, in the order of their names, those on which the caller may do `action`.
    pub(crate) async fn only_allowed(
        &self,
        caller: &Caller,
        action: Action,
        names: Vec<RepositoryName>,
    ) -> Result<Vec<RepositoryName>, Error> {
        let registry = &self.settings.registry;
        let (of_registry, mut rules) = (self.registry_rules().await?, self.rules_among(&names).await?);
        let mut allowed = Vec::with_capacity(names.len());
        for name in names {
            let rules = rules.remove(name.as_str()).unwrap_or_default();
            let resource = arn::repository(&registry.region, &registry.account, name.as_str());
            let question =
                Question { resource_tags: &rules.tags, ..Question::new(action.as_str(), &resource, &registry.account) };
            let around = Surroundings { resource: rules.policy.as_ref(), registry: of_registry.as_ref().as_ref() };
            match self.judge(caller, &question, around) {
                Ok(()) => allowed.push(name),
                Err(Error::Denied { .. } | Error::Unauthenticated) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(allowed)
    }

    /// Goes on only where the caller administers the server: `action` is one of Berth's own, `berth:...`, on no resource
    /// in particular.
    pub(crate) fn allow_administration(&self, caller: &Caller, action: &'static str) -> Result<(), Error> {
        self.judge(caller, &Question::new(action, "*", &self.home.account), Surroundings::default())
    }

    /// Goes on only for callers who may read the server's figures.
    pub fn allow_figures(&self, caller: &Caller) -> Result<(), Error> {
        self.allow_administration(caller, "berth:GetMetrics")
    }

    /// Goes on where policies allow it.
    pub(crate) fn judge(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        around: Surroundings<'_>,
    ) -> Result<(), Error> {
        if let Standing::Operator { account, .. } = &caller.standing
            && account == question.account
        {
            return Ok(());
        }
        if caller.narrowing.is_some() && !question.action.starts_with("ecr:") {
            return Err(Error::OutOfScope);
        }
        scopes::ensure_covers(caller, question.action)?;
        if self.decision(caller, question, around, |decision| decision.is_allowed()) {
            return Ok(());
        }
        Err(self.refusal(caller, question, around))
    }

    /// Decides, and gives the decision to `read`.
    pub(crate) fn decision<T>(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        around: Surroundings<'_>,
        read: impl FnOnce(Decision<'_>) -> T,
    ) -> T {
        self.decision_with(caller, question, policies_of(caller, &self.anonymous, around), read)
    }

    /// The same by other policies than the caller's, with that of the endpoint.
    fn decision_with<T>(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        policies: Policies<'_>,
        read: impl FnOnce(Decision<'_>) -> T,
    ) -> T {
        let context = RequestContext { caller, question, now: self.clock.now(), settings: &self.settings };
        let principal = principal_of(caller);
        let request = Request {
            action: question.action,
            resource: question.resource,
            resource_account: question.account.as_str(),
            principal: &principal,
            context: &context,
        };
        let endpoint = self.endpoint_policy(caller);
        let policies = Policies { endpoint: endpoint.as_deref().map(AsRef::as_ref), ..policies };
        read(evaluate(&request, &policies))
    }

    /// Tells why, as far as the caller's own policies say it. What policies of the resource say would tell whether it exists.
    fn refusal(&self, caller: &Caller, question: &Question<'_>, around: Surroundings<'_>) -> Error {
        if caller.is_anonymous() {
            return Error::Unauthenticated;
        }
        let reason = |decision: Decision<'_>| decision.aws_reason();
        let alone = self.decision(caller, question, Surroundings::default(), reason);
        let because = if alone.is_empty() { self.decision(caller, question, around, reason) } else { alone };
        Error::Denied {
            principal: caller.principal().to_owned(),
            action: question.action,
            resource: question.resource.to_owned(),
            because,
        }
    }
}

fn principal_of(caller: &Caller) -> Principal<'_> {
    match &caller.standing {
        Standing::Anonymous => Principal::Anonymous,
        Standing::Operator { account, principal } => Principal::User { arn: principal, account: account.as_str() },
        Standing::Known(identity) => principal_of_identity(identity),
    }
}

/// How policies name an identity.
pub(crate) fn principal_of_identity(identity: &Identity) -> Principal<'_> {
    let account = identity.account.as_str();
    match &identity.kind {
        IdentityKind::User { .. } => Principal::User { arn: &identity.arn, account },
        IdentityKind::Session { role_arn } => Principal::AssumedRole { role_arn, session_arn: &identity.arn, account },
    }
}

fn policies_of<'a>(caller: &'a Caller, anonymous: &'a [Named], around: Surroundings<'a>) -> Policies<'a> {
    let own = match &caller.standing {
        Standing::Anonymous => Policies { identity: anonymous, ..Policies::default() },
        Standing::Operator { .. } => Policies::default(),
        Standing::Known(identity) => of_rights(&identity.rights),
    };
    Policies { resource: around.resource, registry: around.registry, ..own }
}

pub(crate) fn of_rights(rights: &Rights) -> Policies<'_> {
    Policies {
        identity: &rights.identity,
        boundary: rights.boundary.as_ref(),
        session: rights.session.as_deref(),
        ..Policies::default()
    }
}

pub(crate) fn compile_resource_policy(text: &str) -> Result<Named, Error> {
    compile("the repository's policy", text, PolicyKind::Resource)
}

pub(crate) fn compile_registry_policy(text: &str) -> Result<Named, Error> {
    compile("the registry's policy", text, PolicyKind::Resource)
}

/// What nobody in particular may do: the patterns of repositories that anybody may pull, as a policy.
pub(crate) fn anonymous_policies(settings: &Settings) -> Result<Vec<Named>, Error> {
    if settings.anonymous_pull.is_empty() {
        return Ok(Vec::new());
    }
    let registry = &settings.registry;
    let arns =
        settings.anonymous_pull.iter().map(|pattern| arn::repository(&registry.region, &registry.account, pattern));
    let actions: Vec<&str> = Action::PULL.iter().map(|action| action.as_str()).collect();
    let document = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": { "Effect": "Allow", "Action": actions, "Resource": arns.collect::<Vec<_>>() },
    });
    Ok(vec![compile("auth.anonymous_pull", &document.to_string(), PolicyKind::Identity)?])
}
