//! The session of a role for somebody whom an identity provider vouches for: what `AssumeRoleWithWebIdentity` and
//! `AssumeRoleWithSAML` have in common once the token or assertion was found true.

use std::time::Duration;

use berth_aws::policy::{Named, Policies, PolicyKind, Principal, Request, evaluate_trust};
use berth_store::identity::PrincipalRecord;

use super::FederationError;
use crate::Domain;
use crate::access::context::RequestContext;
use crate::access::{Extras, Question};
use crate::audit;
use crate::caller::{Caller, Circumstances};
use crate::error::Error;
use crate::identity::IdentityError;
use crate::identity::principals::DEFAULT_SESSION;
use crate::passes::SessionClaims;
use crate::principal::compile;
use crate::sts::{AssumeRole, AssumedRole, NO_TRUST};

/// What an identity provider vouches for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vouched {
    /// `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`, or `...:saml-provider/NAME`.
    pub(crate) provider_arn: String,
    /// Its unique id: the session ends with the provider.
    pub(crate) provider_id: String,
    /// `sub`, or the NameID.
    pub(crate) subject: String,
    /// For whom the token or assertion was made.
    pub(crate) audience: String,
    /// Condition keys in lower case with their values: `token.actions.githubusercontent.com:sub`, `saml:sub`.
    pub(crate) keys: Vec<(String, Vec<String>)>,
    /// Session tags.
    pub(crate) tags: Vec<(String, String)>,
    /// Keys of those that go on to the next role.
    pub(crate) transitive: Vec<String>,
    /// Who is behind it.
    pub(crate) source_identity: Option<String>,
    /// How long a session may last at most, in seconds, where the provider says so.
    pub(crate) longest: Option<u64>,
}

/// The kind of a provider, as sessions remember it and ARNs begin with it.
fn kind_of(provider_arn: &str) -> &'static str {
    if provider_arn.contains(":saml-provider/") { "saml" } else { "oidc" }
}

/// What a record of the call says that somebody is whom this provider vouches for.
fn who_is(provider_arn: &str) -> &'static str {
    if kind_of(provider_arn) == "saml" { "SAMLUser" } else { "WebIdentityUser" }
}

impl Domain {
    /// Credentials of a role for whom a provider vouches. The role must trust the provider; `action` is
    /// `sts:AssumeRoleWithWebIdentity` or `sts:AssumeRoleWithSAML`, and where tags or a source identity come with it, the role
    /// must allow `sts:TagSession` and `sts:SetSourceIdentity` too. Of `asked`, tags and source identity are not looked at:
    /// those are the provider's to say. A role that is not there is refused like one that does not trust.
    pub(crate) async fn assume_vouched(
        &self,
        action: &'static str,
        vouched: Vouched,
        asked: AssumeRole,
        circumstances: &Circumstances,
    ) -> Result<AssumedRole, Error> {
        audit::vouched(who_is(&vouched.provider_arn), &vouched.provider_arn, &vouched.subject, &vouched.audience);
        let (role, role_tags) = self.role_of(&asked.role_arn).await?;
        let Some(role) = role else { return Err(FederationError::NotAuthorized(action).into()) };
        self.ensure_trusted(action, &vouched, &asked, (&role, &role_tags), circumstances)?;
        ensure_tags_are_there(&vouched)?;
        let lasts = session_length(&vouched, &asked, &role)?;
        let packed = self.check_session_policies(&role.account, &asked, &vouched.tags).await?;
        let now = self.clock.now();
        let claims = SessionClaims {
            access_key_id: self.temporary_id().as_str().to_owned(),
            origin: String::new(),
            provider: Some((vouched.provider_id, kind_of(&vouched.provider_arn).to_owned())),
            principal: role.unique_id.clone(),
            name: Some(asked.session_name.clone()),
            issued_at: now,
            expires_at: now.after(Duration::from_secs(lasts)),
            policy: asked.policy,
            policy_arns: asked.policy_arns,
            tags: vouched.tags,
            transitive: vouched.transitive,
            source_identity: vouched.source_identity.clone(),
        };
        let credentials = self.seal_session(claims)?;
        Ok(AssumedRole::new(credentials, &role, &asked.session_name, packed, vouched.source_identity))
    }

    fn ensure_trusted(
        &self,
        action: &'static str,
        vouched: &Vouched,
        asked: &AssumeRole,
        (role, role_tags): (&PrincipalRecord, &[(String, String)]),
        circumstances: &Circumstances,
    ) -> Result<(), Error> {
        let text = role.trust_policy.as_deref().unwrap_or(NO_TRUST);
        let trust = compile("the role's trust policy", text, PolicyKind::Trust)?;
        let keys = condition_keys(vouched, asked);
        let more: Vec<(&str, Vec<String>)> = keys.iter().map(|(key, values)| (key.as_str(), values.clone())).collect();
        let caller = Caller::anonymous().under(circumstances.clone());
        let mut actions = vec![action];
        actions.extend((!vouched.tags.is_empty()).then_some("sts:TagSession"));
        actions.extend(vouched.source_identity.as_ref().map(|_| "sts:SetSourceIdentity"));
        for asked_for in actions {
            let question = Question {
                resource_tags: role_tags,
                extras: Extras { tags: &vouched.tags, more: &more },
                ..Question::new(asked_for, &asked.role_arn, &role.account)
            };
            if !self.trusts(&caller, &vouched.provider_arn, &question, &trust) {
                return Err(FederationError::NotAuthorized(action).into());
            }
        }
        Ok(())
    }

    fn trusts(&self, caller: &Caller, provider: &str, question: &Question<'_>, trust: &Named) -> bool {
        let context = RequestContext { caller, question, now: self.clock.now(), settings: &self.settings };
        let request = Request {
            action: question.action,
            resource: question.resource,
            resource_account: question.account.as_str(),
            principal: &Principal::Federated { provider },
            context: &context,
        };
        let endpoint = self.endpoint_policy(caller);
        let policies = Policies { endpoint: endpoint.as_deref().map(AsRef::as_ref), ..Policies::default() };
        evaluate_trust(&request, trust, &policies).is_allowed()
    }
}

/// What a trust policy may ask for: the provider's keys, and those of the call.
fn condition_keys(vouched: &Vouched, asked: &AssumeRole) -> Vec<(String, Vec<String>)> {
    let mut keys = vouched.keys.clone();
    let mut add = |key: &str, value: String| keys.push((key.to_owned(), vec![value]));
    add("aws:federatedprovider", vouched.provider_arn.clone());
    add("sts:rolesessionname", asked.session_name.clone());
    if let Some(who) = &vouched.source_identity {
        add("sts:sourceidentity", who.clone());
    }
    if let Some(seconds) = asked.duration {
        add("sts:durationseconds", seconds.to_string());
    }
    if !vouched.transitive.is_empty() {
        keys.push(("sts:transitivetagkeys".to_owned(), vouched.transitive.clone()));
    }
    keys
}

/// Tags that go on must be there.
fn ensure_tags_are_there(vouched: &Vouched) -> Result<(), Error> {
    let is_set = |key: &str| vouched.tags.iter().any(|(name, _)| name.to_lowercase() == key.to_lowercase());
    match vouched.transitive.iter().find(|key| !is_set(key)) {
        None => Ok(()),
        Some(key) => {
            let message = format!("The specified transitive tag key must be included in the requested tags: {key}");
            Err(FederationError::InvalidToken(message).into())
        }
    }
}

/// Seconds: what was asked for, an hour where nothing was, and never longer than the provider says.
fn session_length(vouched: &Vouched, asked: &AssumeRole, role: &PrincipalRecord) -> Result<u64, Error> {
    let longest = role.max_session.unwrap_or(DEFAULT_SESSION);
    let lasts = asked.duration.unwrap_or(DEFAULT_SESSION.min(longest));
    if lasts > longest {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(IdentityError::Validation(message.to_owned()).into());
    }
    Ok(vouched.longest.map_or(lasts, |longest| lasts.min(longest)))
}
