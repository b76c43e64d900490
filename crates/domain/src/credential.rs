//! Credentials as they are read from the database: whose they are, how they are proved, when they end.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use berth_aws::policy::PolicyKind;
use berth_aws::{AccessKeyId, SecretAccessKey};
use berth_store::access_keys::{self, AccessKeyRecord};
use berth_store::federation;
use berth_store::identity::{Kind, PrincipalRecord, principals};
use berth_store::{Timestamp, Transaction};

use crate::access::scopes::Narrowing;
use crate::caller::Caller;
use crate::error::Error;
use crate::identity::keys::user_seal;
use crate::passes::{Holder, Pass, PassKind, SessionClaims, session_secret};
use crate::principal::{Identity, IdentityKind, Rights, Session, Texts, VouchingProvider, compile, managed_text};
use crate::seal::ServerKey;

/// A credential.
#[derive(Debug)]
pub(crate) struct Credential {
    /// What a request is signed with, or shown as a password.
    pub(crate) secret: Option<SecretAccessKey>,
    /// The kind of pass that was shown, if it was one.
    pub(crate) pass: Option<PassKind>,
    /// Whose it is; none where it stands for nobody in particular.
    pub(crate) identity: Option<Arc<Identity>>,
    /// To what it is narrowed.
    narrowing: Option<Arc<Narrowing>>,
    expires_at: Option<Timestamp>,
    /// When its use was noted last, in milliseconds.
    pub(crate) noted_at: AtomicI64,
}

impl Credential {
    fn new(identity: Option<Identity>) -> Self {
        let noted_at = AtomicI64::new(i64::MIN);
        Self { secret: None, pass: None, identity: identity.map(Arc::new), narrowing: None, expires_at: None, noted_at }
    }

    /// Who asks with it.
    pub(crate) fn caller(&self) -> Caller {
        let caller = self.identity.clone().map_or_else(Caller::anonymous, Caller::known);
        match &self.narrowing {
            Some(narrowing) => caller.within(Arc::clone(narrowing)),
            None => caller,
        }
    }

    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// The id that goes with its secret.
    pub(crate) fn access_key_id(&self) -> Option<&str> {
        let identity = self.identity.as_ref()?;
        Some(match &identity.session {
            Some(session) => &session.access_key_id,
            None => identity.origin.as_ref()?.as_str(),
        })
    }
}

/// The credential of a long-term access key; `None` where there is no such key, or it may not be used.
pub(crate) fn of_key(
    txn: &mut dyn Transaction,
    id: &AccessKeyId,
    server_key: &ServerKey,
) -> Result<Option<Credential>, Error> {
    let Some((record, user)) = active_key(txn, id)? else { return Ok(None) };
    let Some(secret) = open(&record, server_key) else { return Ok(None) };
    let identity = of_user(txn, &user, id, None)?;
    Ok(Some(Credential { secret: Some(secret), ..Credential::new(Some(identity)) }))
}

/// The credential that a pass is; `None` where whom it stands for is no more.
pub(crate) fn of_pass(
    txn: &mut dyn Transaction,
    pass: &Pass,
    kind: PassKind,
    server_key: &ServerKey,
) -> Result<Option<Credential>, Error> {
    let (identity, secret) = match &pass.holder {
        Holder::Nobody => (None, None),
        Holder::Key(id) => {
            let Ok(id) = AccessKeyId::parse(id) else { return Ok(None) };
            let Some((_, user)) = active_key(txn, &id)? else { return Ok(None) };
            (Some(of_user(txn, &user, &id, None)?), None)
        }
        Holder::Session(claims) => {
            let Ok(id) = AccessKeyId::parse(&claims.access_key_id) else { return Ok(None) };
            let Some(identity) = of_session(txn, claims)? else { return Ok(None) };
            (Some(identity), (kind == PassKind::Session).then(|| session_secret(&id, server_key)))
        }
    };
    let narrowing = pass.narrowing().map(Arc::new);
    let expires_at = Some(pass.expires_at);
    Ok(Some(Credential { secret, pass: Some(kind), narrowing, expires_at, ..Credential::new(identity) }))
}

/// A key that may be used, and its user.
fn active_key(
    txn: &mut dyn Transaction,
    id: &AccessKeyId,
) -> Result<Option<(AccessKeyRecord, PrincipalRecord)>, Error> {
    let Some(record) = access_keys::find(txn, id)?.filter(|record| record.is_active) else { return Ok(None) };
    let user = if let Some(owner) = &record.owner {
        principals::find_by_id(txn, owner)?
    } else {
        // From before there were users, or made by a node that knows none.
        let name = record.principal.rsplit('/').next().unwrap_or_default();
        principals::find(txn, &record.account, Kind::User, name)?
    };
    Ok(user.map(|user| (record, user)))
}

fn open(record: &AccessKeyRecord, key: &ServerKey) -> Option<SecretAccessKey> {
    let of_user = key.open(&user_seal(&record.id), &record.secret_sealed);
    let opened = of_user.or_else(|| key.open(record.id.as_str(), &record.secret_sealed))?;
    SecretAccessKey::parse(std::str::from_utf8(&opened).ok()?).ok()
}

fn of_user(
    txn: &mut dyn Transaction,
    user: &PrincipalRecord,
    origin: &AccessKeyId,
    claims: Option<&SessionClaims>,
) -> Result<Identity, Error> {
    let texts = Texts::gather(txn, user)?;
    Ok(Identity {
        account: user.account.clone(),
        arn: user.arn(),
        user_id: user.unique_id.clone(),
        kind: IdentityKind::User { name: user.name.clone() },
        rights: Rights::compile(&texts)?,
        tags: texts.tags,
        session: claims.map(|claims| session(claims, Vec::new())),
        holder: Some(claims.map_or_else(
            || Holder::Key(origin.as_str().to_owned()),
            |claims| Holder::Session(Box::new(claims.clone())),
        )),
        origin: Some(origin.clone()),
        provider: None,
    })
}

/// With what a session began.
enum Origin {
    /// A long-term key.
    Key(AccessKeyId),
    /// An identity provider.
    Provider(VouchingProvider),
}

/// With what a session began, as long as that is good.
fn origin_of(txn: &mut dyn Transaction, claims: &SessionClaims) -> Result<Option<Origin>, Error> {
    if let Some((unique_id, kind)) = &claims.provider {
        let arn = federation::arn_of(txn, kind, unique_id)?;
        let by = |arn| VouchingProvider { unique_id: unique_id.clone(), kind: kind.clone(), arn };
        return Ok(arn.map(by).map(Origin::Provider));
    }
    let Ok(key) = AccessKeyId::parse(&claims.origin) else { return Ok(None) };
    Ok(active_key(txn, &key)?.map(|_| Origin::Key(key)))
}

/// Who has temporary credentials. They end with the key that they began with and its user, or with the identity provider, and
/// with their role.
fn of_session(txn: &mut dyn Transaction, claims: &SessionClaims) -> Result<Option<Identity>, Error> {
    let Some(origin) = origin_of(txn, claims)? else { return Ok(None) };
    let Some(record) = principals::find_by_id(txn, &claims.principal)? else { return Ok(None) };
    match (record.kind, &claims.name, origin) {
        (Kind::User, None, Origin::Key(key)) => of_user(txn, &record, &key, Some(claims)).map(Some),
        (Kind::Role, Some(name), origin) => of_role(txn, &record, origin, claims, name).map(Some),
        _ => Ok(None),
    }
}

fn of_role(
    txn: &mut dyn Transaction,
    role: &PrincipalRecord,
    origin: Origin,
    claims: &SessionClaims,
    name: &str,
) -> Result<Identity, Error> {
    let (origin, provider) = match origin {
        Origin::Key(key) => (Some(key), None),
        Origin::Provider(provider) => (None, Some(provider)),
    };
    let texts = Texts::gather(txn, role)?;
    let session_rights = narrowed(txn, claims)?;
    let tags = with_session_tags(&texts.tags, &claims.tags);
    let is_transitive = |key: &str| claims.transitive.iter().any(|kept| kept.eq_ignore_ascii_case(key));
    let transitive = claims.tags.iter().filter(|(key, _)| is_transitive(key)).cloned().collect();
    Ok(Identity {
        account: role.account.clone(),
        arn: format!("arn:aws:sts::{}:assumed-role/{}/{name}", role.account, role.name),
        user_id: format!("{}:{name}", role.unique_id),
        kind: IdentityKind::Session { role_arn: role.arn() },
        rights: Rights { session: session_rights, ..Rights::compile(&texts)? },
        tags,
        session: Some(session(claims, transitive)),
        holder: Some(Holder::Session(Box::new(claims.clone()))),
        origin,
        provider,
    })
}

/// The policies that a session narrows its role to; `None` where it does not.
fn narrowed(txn: &mut dyn Transaction, claims: &SessionClaims) -> Result<Option<Vec<berth_aws::policy::Named>>, Error> {
    if claims.policy.is_none() && claims.policy_arns.is_empty() {
        return Ok(None);
    }
    let own = claims.policy.iter().map(|text| ("the session policy".to_owned(), text.clone()));
    let mut texts: Vec<(String, String)> = own.collect();
    for arn in &claims.policy_arns {
        texts.extend(managed_text(txn, arn)?.map(|text| (arn.clone(), text)));
    }
    let compiled = texts.iter().map(|(name, text)| compile(name, text, PolicyKind::Identity));
    compiled.collect::<Result<_, _>>().map(Some)
}

/// Tags of a role and of a session: the session's win.
fn with_session_tags(role: &[(String, String)], session: &[(String, String)]) -> Vec<(String, String)> {
    let overrides = |key: &str| session.iter().any(|(name, _)| name.to_lowercase() == key.to_lowercase());
    role.iter().filter(|(key, _)| !overrides(key)).chain(session).cloned().collect()
}

fn session(claims: &SessionClaims, transitive: Vec<(String, String)>) -> Session {
    Session {
        access_key_id: claims.access_key_id.clone(),
        issued_at: claims.issued_at,
        expires_at: claims.expires_at,
        source_identity: claims.source_identity.clone(),
        transitive,
    }
}
