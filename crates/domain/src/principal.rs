//! A principal as requests are judged by it: who it is and every policy that says what it may do, compiled.

use std::sync::Arc;

use berth_aws::policy::{Named, Policy, PolicyKind};
use berth_aws::{AccessKeyId, AccountId};
use berth_store::identity::{Kind, PrincipalRecord, attachments, groups, inline_policies, policies, tags};
use berth_store::{StoreError, Timestamp, Transaction};

use crate::error::Error;
use crate::identity::managed;
use crate::identity::names::PolicyArn;
use crate::passes::Holder;

/// Groups of a user that count; more cannot be joined.
pub(crate) const MAX_GROUPS: u64 = 10;

/// Longer documents are refused when they are written.
const STORED: usize = usize::MAX;

/// Somebody whose credentials were checked.
#[derive(Debug)]
pub struct Identity {
    /// The account.
    pub account: AccountId,
    /// The ARN of the user, or of the session of a role.
    pub arn: String,
    /// The unique id of the user, or that of the role and the session's name behind a colon.
    pub user_id: String,
    /// What it is.
    pub kind: IdentityKind,
    /// What it and its groups have, with the boundary, and what a session narrows that to.
    pub(crate) rights: Rights,
    /// Tags of the user, or of the role and the session (`aws:PrincipalTag`).
    pub tags: Vec<(String, String)>,
    /// Where the credentials are temporary.
    pub session: Option<Session>,
    /// What passes made by it stand for.
    pub(crate) holder: Option<Holder>,
    /// The long-term access key that everything began with; none where an identity provider vouched.
    pub origin: Option<AccessKeyId>,
    /// The identity provider that everything began with (`aws:FederatedProvider`).
    pub provider: Option<VouchingProvider>,
}

/// An identity provider that vouched for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VouchingProvider {
    /// Its unique id.
    pub unique_id: String,
    /// `oidc` or `saml`.
    pub kind: String,
    /// Its ARN.
    pub arn: String,
}

/// What an identity is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityKind {
    /// A user.
    User {
        /// The name.
        name: String,
    },
    /// Somebody who assumed a role.
    Session {
        /// The ARN of the role.
        role_arn: String,
    },
}

/// What is special about temporary credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Their id.
    pub access_key_id: String,
    /// When they were issued (`aws:TokenIssueTime`).
    pub issued_at: Timestamp,
    /// When they end.
    pub expires_at: Timestamp,
    /// Who is behind them, if the first session said so (`aws:SourceIdentity`).
    pub source_identity: Option<String>,
    /// Tags that go on to the next role.
    pub transitive: Vec<(String, String)>,
}

/// The policies of a principal.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    pub(crate) identity: Vec<Named>,
    pub(crate) boundary: Option<Named>,
    pub(crate) session: Option<Vec<Named>>,
}

/// The texts of the policies of a principal, read in one transaction.
#[derive(Debug, Default, Clone)]
pub(crate) struct Texts {
    pub(crate) identity: Vec<(String, String)>,
    pub(crate) boundary: Option<(String, String)>,
    pub(crate) tags: Vec<(String, String)>,
    /// Whose they are.
    pub(crate) unique_id: String,
}

impl Texts {
    /// Everything that a user, group or role has by itself and, for users, through groups.
    pub(crate) fn gather(txn: &mut dyn Transaction, owner: &PrincipalRecord) -> Result<Self, Error> {
        let mut identity = Vec::new();
        own(txn, owner, &mut identity)?;
        if owner.kind == Kind::User {
            for group in groups::of_user(txn, &owner.unique_id, "", MAX_GROUPS)? {
                own(txn, &group, &mut identity)?;
            }
        }
        let boundary = owner.boundary.as_deref().map(|arn| managed_text(txn, arn)).transpose()?.flatten();
        // A boundary that is gone bounds everything.
        let boundary = owner.boundary.as_ref().map(|arn| (arn.clone(), boundary.unwrap_or_else(nothing)));
        Ok(Self { identity, boundary, tags: tags::of(txn, &owner.unique_id)?, unique_id: owner.unique_id.clone() })
    }
}

/// The inline and managed policies of one principal, by the names that explanations use.
fn own(txn: &mut dyn Transaction, owner: &PrincipalRecord, into: &mut Vec<(String, String)>) -> Result<(), Error> {
    let arn = owner.arn();
    for (name, text) in inline_policies::of(txn, &owner.unique_id)? {
        into.push((format!("{arn}/{name}"), text));
    }
    for arn in attachments::of(txn, &owner.unique_id)? {
        if let Some(text) = managed_text(txn, &arn)? {
            into.push((arn, text));
        }
    }
    Ok(())
}

/// The document in force of a managed policy.
pub(crate) fn managed_text(txn: &mut dyn Transaction, arn: &str) -> Result<Option<String>, Error> {
    if let Some(policy) = managed::find(arn) {
        return Ok(Some(policy.document.to_owned()));
    }
    let Some(known) = PolicyArn::parse(arn) else { return Ok(None) };
    let Some(record) = policies::find(txn, &known.account, &known.name)?.filter(|record| record.arn() == arn) else {
        return Ok(None);
    };
    Ok(policies::version(txn, &record.unique_id, record.default_version)?.map(|version| version.document))
}

fn nothing() -> String {
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#.to_owned()
}

/// Compiles a policy that was checked when it was written.
pub(crate) fn compile(name: &str, text: &str, kind: PolicyKind) -> Result<Named, Error> {
    let policy = Policy::parse(text, kind, STORED)
        .map_err(|error| StoreError::Corrupt { entity: "policies", reason: format!("{name}: {error}") })?;
    Ok(Named { name: name.into(), policy: Arc::new(policy) })
}

impl Rights {
    pub(crate) fn compile(texts: &Texts) -> Result<Self, Error> {
        let compile = |(name, text): &(String, String)| compile(name, text, PolicyKind::Identity);
        Ok(Self {
            identity: texts.identity.iter().map(compile).collect::<Result<_, _>>()?,
            boundary: texts.boundary.as_ref().map(compile).transpose()?,
            session: None,
        })
    }
}
