//! Temporary credentials (STS). They are passes: sealed, without a row, and checked against whom they stand for at each use.

use std::time::Duration;

use berth_aws::policy::{Named, Policies, PolicyKind, Request, evaluate_trust};
use berth_aws::{AccessKeyId, AccountId, SecretAccessKey};
use berth_store::clock::sixteen;
use berth_store::identity::{Kind, PrincipalRecord, principals, tags};
use berth_store::{Timestamp, Transaction};

use crate::Domain;
use crate::access::context::RequestContext;
use crate::access::{Extras, Question, Surroundings, of_rights, principal_of_identity};
use crate::caller::Caller;
use crate::error::Error;
use crate::identity::names::PrincipalArn;
use crate::identity::policies::of_arn;
use crate::identity::principals::DEFAULT_SESSION;
use crate::identity::tags::check_tags;
use crate::identity::{IdentityError, check_document};
use crate::passes::{Holder, Pass, PassKind, PassText, SessionClaims, session_secret};
use crate::principal::{Identity, IdentityKind, compile};

/// Seconds that a role session may last where the caller has a session already ("Role chaining").
const CHAINED_SESSION: u64 = 3600;
/// Seconds that credentials of `GetSessionToken` last where nothing else was said.
const DEFAULT_TOKEN: u64 = 43_200;
/// Characters of a session policy; managed policies beside it.
const SESSION_POLICY: usize = 2048;
const SESSION_POLICIES: usize = 10;
/// What policies and tags of a session may take together, in bytes.
const PACKED: u64 = 4096;

/// Temporary credentials.
#[derive(Debug, Clone)]
pub struct TemporaryCredentials {
    /// The public half.
    pub id: AccessKeyId,
    /// The secret half.
    pub secret: SecretAccessKey,
    /// What goes with every request that they sign.
    pub session_token: PassText,
    /// When they end.
    pub expires_at: Timestamp,
}

/// What `AssumeRole` asks for.
#[derive(Debug, Clone, Default)]
pub struct AssumeRole {
    /// The ARN of the role.
    pub role_arn: String,
    /// What the session is called.
    pub session_name: String,
    /// How long it shall last, in seconds.
    pub duration: Option<u64>,
    /// What the role is narrowed to.
    pub policy: Option<String>,
    /// Managed policies that narrow it.
    pub policy_arns: Vec<String>,
    /// Session tags.
    pub tags: Vec<(String, String)>,
    /// Keys of those that go on to the next role.
    pub transitive: Vec<String>,
    /// What the trust policy may ask for (`sts:ExternalId`).
    pub external_id: Option<String>,
    /// Who is behind the caller.
    pub source_identity: Option<String>,
}

/// What `AssumeRole` gives.
#[derive(Debug, Clone)]
pub struct AssumedRole {
    /// The credentials.
    pub credentials: TemporaryCredentials,
    /// The ARN of the session.
    pub arn: String,
    /// The role's unique id and the session's name.
    pub user_id: String,
    /// How much of the room for policies and tags was used, in percent; none where there are none.
    pub packed: Option<u64>,
    /// Who is behind it.
    pub source_identity: Option<String>,
}

impl AssumedRole {
    pub(crate) fn new(
        credentials: TemporaryCredentials,
        role: &PrincipalRecord,
        session: &str,
        packed: Option<u64>,
        source_identity: Option<String>,
    ) -> Self {
        let arn = format!("arn:aws:sts::{}:assumed-role/{}/{session}", role.account, role.name);
        let user_id = format!("{}:{session}", role.unique_id);
        Self { credentials, arn, user_id, packed, source_identity }
    }
}

/// The long-term key of an identity as sessions remember it; empty where a provider vouched for it.
fn origin_of(identity: &Identity) -> String {
    identity.origin.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default()
}

impl Domain {
    /// Who the caller is (`GetCallerIdentity`). Everybody with credentials may know.
    pub fn caller_identity<'c>(&self, caller: &'c Caller) -> Result<&'c Identity, Error> {
        caller.identity().ok_or(Error::Unauthenticated)
    }

    /// Credentials of a role (`AssumeRole`). A role that is not there is refused like one that does not trust the caller.
    pub async fn assume_role(&self, caller: &Caller, asked: AssumeRole) -> Result<AssumedRole, Error> {
        let identity = caller.identity().ok_or(Error::Unauthenticated)?;
        let (role, role_tags) = self.role_of(&asked.role_arn).await?;
        let tags = with_transitive(identity, &asked.tags)?;
        self.allow_assuming(caller, identity, &asked, role.as_ref(), &role_tags, &tags)?;
        // The judgement above refuses what is not there.
        let role = role.ok_or(Error::Unauthenticated)?;
        let lasts = session_length(identity, &asked, &role)?;
        let packed = self.check_session_policies(&role.account, &asked, &tags).await?;
        let transitive = transitive_keys(identity, &asked)?;
        let source_identity = source_identity(identity, &asked)?;
        let now = self.clock.now();
        let claims = SessionClaims {
            access_key_id: self.temporary_id().as_str().to_owned(),
            origin: origin_of(identity),
            provider: identity.provider.as_ref().map(|by| (by.unique_id.clone(), by.kind.clone())),
            principal: role.unique_id.clone(),
            name: Some(asked.session_name.clone()),
            issued_at: now,
            expires_at: now.after(Duration::from_secs(lasts)),
            policy: asked.policy,
            policy_arns: asked.policy_arns,
            tags,
            transitive,
            source_identity: source_identity.clone(),
        };
        let credentials = self.seal_session(claims)?;
        Ok(AssumedRole::new(credentials, &role, &asked.session_name, packed, source_identity))
    }

    /// The role of an ARN with its tags; none where there is no such role.
    pub(crate) async fn role_of(
        &self,
        role_arn: &str,
    ) -> Result<(Option<PrincipalRecord>, Vec<(String, String)>), Error> {
        let Some(known) = PrincipalArn::parse(role_arn).filter(|known| known.kind == Kind::Role) else {
            let message = format!("{role_arn} is invalid");
            return Err(IdentityError::Validation(message).into());
        };
        let role_arn = role_arn.to_owned();
        self.database
            .read(move |txn| {
                let found = principals::find(txn, &known.account, Kind::Role, &known.name)?;
                let role = found.filter(|role| role.arn() == role_arn);
                let tags = role.as_ref().map_or(Ok(Vec::new()), |role| tags::of(txn, &role.unique_id))?;
                Ok((role, tags))
            })
            .await
    }

    /// The role must trust the caller, and where it trusts the caller's account, the caller must be allowed as well: to
    /// assume it, and to set tags or a source identity where it wants to.
    fn allow_assuming(
        &self,
        caller: &Caller,
        identity: &Identity,
        asked: &AssumeRole,
        role: Option<&PrincipalRecord>,
        role_tags: &[(String, String)],
        tags: &[(String, String)],
    ) -> Result<(), Error> {
        let trust = match role.and_then(|role| role.trust_policy.as_deref()) {
            Some(text) => compile("the role's trust policy", text, PolicyKind::Trust)?,
            None => compile("no role", NO_TRUST, PolicyKind::Trust)?,
        };
        let more = extras(asked);
        let mut actions = vec!["sts:AssumeRole"];
        actions.extend((!asked.tags.is_empty()).then_some("sts:TagSession"));
        actions.extend(asked.source_identity.as_ref().map(|_| "sts:SetSourceIdentity"));
        for action in actions {
            let account = role.map_or(&identity.account, |role| &role.account);
            let question = Question {
                resource_tags: role_tags,
                extras: Extras { tags, more: &more },
                ..Question::new(action, &asked.role_arn, account)
            };
            self.judge_trust(caller, identity, &question, &trust)?;
        }
        Ok(())
    }

    fn judge_trust(
        &self,
        caller: &Caller,
        identity: &Identity,
        question: &Question<'_>,
        trust: &Named,
    ) -> Result<(), Error> {
        let context = RequestContext { caller, question, now: self.clock.now(), settings: &self.settings };
        let principal = principal_of_identity(identity);
        let request = Request {
            action: question.action,
            resource: question.resource,
            resource_account: question.account.as_str(),
            principal: &principal,
            context: &context,
        };
        let endpoint = self.endpoint_policy(caller);
        let policies = Policies { endpoint: endpoint.as_deref().map(AsRef::as_ref), ..of_rights(&identity.rights) };
        if evaluate_trust(&request, trust, &policies).is_allowed() {
            return Ok(());
        }
        // Without a reason: it would tell whether there is such a role.
        Err(Error::Denied {
            principal: identity.arn.clone(),
            action: question.action,
            resource: question.resource.to_owned(),
            because: String::new(),
        })
    }

    /// Checks what a session is narrowed to, and says how much room it takes.
    pub(crate) async fn check_session_policies(
        &self,
        account: &AccountId,
        asked: &AssumeRole,
        tags: &[(String, String)],
    ) -> Result<Option<u64>, Error> {
        check_tags(tags)?;
        if let Some(policy) = &asked.policy {
            check_document(policy, PolicyKind::Identity, SESSION_POLICY)?;
        }
        if asked.policy_arns.len() > SESSION_POLICIES {
            let message = format!("A session can have up to {SESSION_POLICIES} managed policies.");
            return Err(IdentityError::Validation(message).into());
        }
        let (account, arns) = (account.clone(), asked.policy_arns.clone());
        self.database.read(move |txn| arns.iter().try_for_each(|arn| ensure_managed(txn, &account, arn))).await?;
        let sizes = asked.policy.iter().map(String::len).chain(asked.policy_arns.iter().map(String::len));
        let of_tags = tags.iter().map(|(key, value)| key.len() + value.len());
        let sum = sizes.chain(of_tags).sum::<usize>() as u64;
        let percent = (sum * 100).div_ceil(PACKED);
        match percent {
            0 => Ok(None),
            1..=100 => Ok(Some(percent)),
            more => Err(IdentityError::PackedTooLarge(more).into()),
        }
    }

    /// Temporary credentials of a user (`GetSessionToken`). Those who have some cannot have more.
    pub fn get_session_token(&self, caller: &Caller, duration: Option<u64>) -> Result<TemporaryCredentials, Error> {
        let identity = caller.identity().ok_or(Error::Unauthenticated)?;
        let question = Question::new("sts:GetSessionToken", "*", &identity.account);
        let is_user = matches!(identity.kind, IdentityKind::User { .. }) && identity.session.is_none();
        // A user may always have them, unless something denies it.
        let denied = self.decision(caller, &question, Surroundings::default(), |decision| {
            decision.outcome == berth_aws::policy::Outcome::ExplicitDeny
        });
        if !is_user || denied {
            return Err(Error::Denied {
                principal: identity.arn.clone(),
                action: question.action,
                resource: "*".to_owned(),
                because: "because only a user with an access key may call it".to_owned(),
            });
        }
        self.ensure_endpoint_allows(caller, &question)?;
        let now = self.clock.now();
        self.seal_session(SessionClaims {
            access_key_id: self.temporary_id().as_str().to_owned(),
            origin: origin_of(identity),
            provider: None,
            principal: identity.user_id.clone(),
            name: None,
            issued_at: now,
            expires_at: now.after(Duration::from_secs(duration.unwrap_or(DEFAULT_TOKEN))),
            policy: None,
            policy_arns: Vec::new(),
            tags: Vec::new(),
            transitive: Vec::new(),
            source_identity: None,
        })
    }

    pub(crate) fn temporary_id(&self) -> AccessKeyId {
        AccessKeyId::temporary_from_random(sixteen(self.random.as_ref()))
    }

    pub(crate) fn seal_session(&self, claims: SessionClaims) -> Result<TemporaryCredentials, Error> {
        let id = AccessKeyId::parse(&claims.access_key_id).map_err(|_| Error::InvalidClientToken)?;
        let (secret, expires_at) = (session_secret(&id, &self.server_key), claims.expires_at);
        let pass = Pass { holder: Holder::Session(Box::new(claims)), expires_at, scopes: None, registry: None };
        let session_token = pass.seal(PassKind::Session, &self.server_key, self.random.as_ref())?;
        Ok(TemporaryCredentials { id, secret, session_token, expires_at })
    }
}

/// A trust policy that trusts nobody.
pub(crate) const NO_TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:*"}}"#;

/// Managed policies of a session are those of the role's account, or come with Berth.
fn ensure_managed(txn: &mut dyn Transaction, account: &AccountId, arn: &str) -> Result<(), Error> {
    of_arn(txn, account, arn).map(drop).map_err(|error| match error {
        Error::Identity(IdentityError::NoSuch { .. }) => {
            IdentityError::MalformedPolicy(format!("There is no policy {arn}.")).into()
        }
        other => other,
    })
}

/// The tags of the session: those of the caller's session that go on, and those that are asked for. The first cannot be
/// changed.
fn with_transitive(identity: &Identity, asked: &[(String, String)]) -> Result<Vec<(String, String)>, Error> {
    let kept = identity.session.as_ref().map_or(&[][..], |session| session.transitive.as_slice());
    let is_kept = |key: &str| kept.iter().any(|(name, _)| name.to_lowercase() == key.to_lowercase());
    if let Some((key, _)) = asked.iter().find(|(key, _)| is_kept(key)) {
        let message = format!(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session: {key}"
        );
        return Err(IdentityError::Validation(message).into());
    }
    Ok(kept.iter().chain(asked).cloned().collect())
}

fn transitive_keys(identity: &Identity, asked: &AssumeRole) -> Result<Vec<String>, Error> {
    let kept = identity.session.as_ref().map_or(&[][..], |session| session.transitive.as_slice());
    let is_set = |key: &str| asked.tags.iter().any(|(name, _)| name.to_lowercase() == key.to_lowercase());
    if let Some(key) = asked.transitive.iter().find(|key| !is_set(key)) {
        let message = format!("The specified transitive tag key must be included in the requested tags: {key}");
        return Err(IdentityError::Validation(message).into());
    }
    Ok(kept.iter().map(|(key, _)| key.clone()).chain(asked.transitive.iter().cloned()).collect())
}

/// Who is behind the session: said once, it cannot be changed by the next.
fn source_identity(identity: &Identity, asked: &AssumeRole) -> Result<Option<String>, Error> {
    let known = identity.session.as_ref().and_then(|session| session.source_identity.clone());
    match (&known, &asked.source_identity) {
        (Some(known), Some(asked)) if known != asked => {
            let message = "The source identity of the calling session cannot be changed".to_owned();
            Err(IdentityError::Validation(message).into())
        }
        (None, asked) => Ok(asked.clone()),
        (known, _) => Ok(known.clone()),
    }
}

fn session_length(identity: &Identity, asked: &AssumeRole, role: &PrincipalRecord) -> Result<u64, Error> {
    let longest = role.max_session.unwrap_or(DEFAULT_SESSION);
    let is_chained = identity.session.is_some();
    let lasts = asked.duration.unwrap_or(DEFAULT_SESSION.min(longest));
    if is_chained && lasts > CHAINED_SESSION {
        let message =
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(IdentityError::Validation(message.to_owned()).into());
    }
    if lasts > longest {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(IdentityError::Validation(message.to_owned()).into());
    }
    Ok(lasts)
}

/// The condition keys of `AssumeRole`.
fn extras(asked: &AssumeRole) -> Vec<(&'static str, Vec<String>)> {
    let mut more = vec![("sts:rolesessionname", vec![asked.session_name.clone()])];
    more.extend(asked.external_id.iter().map(|id| ("sts:externalid", vec![id.clone()])));
    more.extend(asked.source_identity.iter().map(|who| ("sts:sourceidentity", vec![who.clone()])));
    more.extend(asked.duration.iter().map(|seconds| ("sts:durationseconds", vec![seconds.to_string()])));
    if !asked.transitive.is_empty() {
        more.push(("sts:transitivetagkeys", asked.transitive.clone()));
    }
    more
}
