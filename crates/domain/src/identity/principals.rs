//! Users, groups and roles: made, read, listed, changed, deleted.

use berth_aws::policy::PolicyKind;
use berth_store::identity::{Kind, PrincipalRecord, attachments, groups, inline_policies, principals, tags};
use berth_store::{Transaction, access_keys};

use super::names::{IdKind, unique_id};
use super::policies::of_arn;
use super::tags::check_tags;
use super::{IdentityError, Owner, account_of, check_document};
use crate::Domain;
use crate::access::{Extras, Question};
use crate::caller::Caller;
use crate::error::Error;
use crate::repositories::Page;

/// The longest trust policy, in characters that are no white space.
pub const TRUST_POLICY: usize = 8192;
/// The session of a role, in seconds, where nothing else was said.
pub const DEFAULT_SESSION: u64 = 3600;

/// What is to be made.
#[derive(Debug, Clone)]
pub struct NewPrincipal {
    /// What it is and its name.
    pub owner: Owner,
    /// `/`, or `/a/b/`.
    pub path: String,
    /// The ARN of a policy that bounds it.
    pub boundary: Option<String>,
    /// Tags: users and roles.
    pub tags: Vec<(String, String)>,
    /// What only roles have.
    pub role: Option<NewRole>,
}

/// What only roles have.
#[derive(Debug, Clone)]
pub struct NewRole {
    /// Who may assume it.
    pub trust_policy: String,
    /// Words for people.
    pub description: Option<String>,
    /// The longest session, in seconds.
    pub max_session: u64,
}

/// What is to be another. What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct PrincipalChange {
    /// The name.
    pub name: Option<String>,
    /// The path.
    pub path: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The longest session, in seconds.
    pub max_session: Option<u64>,
    /// The trust policy.
    pub trust_policy: Option<String>,
}

/// A user, group or role with its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The row.
    pub record: PrincipalRecord,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

impl Domain {
    /// Makes a user, group or role (IAM `CreateUser`, `CreateGroup`, `CreateRole`).
    pub async fn create_principal(&self, caller: &Caller, new: NewPrincipal) -> Result<Principal, Error> {
        let account = account_of(caller)?;
        let record = PrincipalRecord {
            unique_id: unique_id(IdKind::Of(new.owner.kind), self.random.as_ref()),
            kind: new.owner.kind,
            account: account.clone(),
            name: new.owner.name,
            path: new.path,
            created_at: self.clock.now(),
            boundary: new.boundary,
            description: new.role.as_ref().and_then(|role| role.description.clone()),
            trust_policy: new.role.as_ref().map(|role| role.trust_policy.clone()),
            max_session: new.role.as_ref().map(|role| role.max_session),
        };
        let bounded: Vec<_> =
            record.boundary.iter().map(|arn| ("iam:permissionsboundary", vec![arn.clone()])).collect();
        let extras = Extras { tags: &new.tags, more: &bounded };
        let arn = record.arn();
        let action = by_kind(record.kind, ["iam:CreateUser", "iam:CreateGroup", "iam:CreateRole"]);
        self.allow_iam(caller, &Question { extras, ..Question::new(action, &arn, &account) })?;
        check_tags(&new.tags)?;
        if let Some(role) = &new.role {
            check_document(&role.trust_policy, PolicyKind::Trust, TRUST_POLICY)?;
        }
        let made = Principal { record, tags: new.tags };
        self.change_access(move |txn| create(txn, &made).map(|()| made.clone())).await
    }

    /// A user, group or role (`GetUser`, `GetGroup`, `GetRole`).
    pub async fn get_principal(&self, caller: &Caller, owner: &Owner) -> Result<Principal, Error> {
        let action = by_kind(owner.kind, ["iam:GetUser", "iam:GetGroup", "iam:GetRole"]);
        let account = self.allow_on(caller, action, owner, Extras::default()).await?;
        let owner = owner.clone();
        self.database
            .read(move |txn| {
                let record = owner.find(txn, &account)?;
                let tags = tags::of(txn, &record.unique_id)?;
                Ok(Principal { record, tags })
            })
            .await
    }

    /// Up to `limit` of a kind behind the name `last`, whose path begins with `prefix` (`ListUsers`, `ListGroups`, `ListRoles`).
    pub async fn list_principals(
        &self,
        caller: &Caller,
        kind: Kind,
        prefix: &str,
        last: &str,
        limit: u64,
    ) -> Result<Page<PrincipalRecord>, Error> {
        let action = by_kind(kind, ["iam:ListUsers", "iam:ListGroups", "iam:ListRoles"]);
        let account = self.allow_list(caller, action, kind.as_str(), prefix)?;
        let (prefix, last) = (prefix.to_owned(), last.to_owned());
        let found = self
            .database
            .read(move |txn| Ok::<_, Error>(principals::list(txn, &account, kind, &prefix, &last, limit + 1)?))
            .await?;
        Ok(Page::cut(found, limit))
    }

    /// Goes on where the caller may list what has a path.
    pub(crate) fn allow_list(
        &self,
        caller: &Caller,
        action: &'static str,
        kind: &str,
        prefix: &str,
    ) -> Result<berth_aws::AccountId, Error> {
        let account = account_of(caller)?;
        let arn = format!("arn:aws:iam::{account}:{kind}{prefix}");
        self.allow_iam(caller, &Question::new(action, &arn, &account))?;
        Ok(account)
    }

    /// Changes a user, group or role; `action` is the operation that asks for it (`UpdateUser`, `UpdateGroup`, `UpdateRole`,
    /// `UpdateAssumeRolePolicy`, `UpdateRoleDescription`).
    pub async fn update_principal(
        &self,
        caller: &Caller,
        action: &'static str,
        owner: &Owner,
        change: PrincipalChange,
    ) -> Result<Principal, Error> {
        let account = self.allow_on(caller, action, owner, Extras::default()).await?;
        if let Some(name) = &change.name {
            // Who gives a name must be allowed to have it.
            let renamed = Owner { name: name.clone(), ..owner.clone() };
            self.allow_on(caller, action, &renamed, Extras::default()).await?;
        }
        if let Some(trust_policy) = &change.trust_policy {
            check_document(trust_policy, PolicyKind::Trust, TRUST_POLICY)?;
        }
        let owner = owner.clone();
        self.change_access(move |txn| {
            let record = changed(owner.find(txn, &account)?, &change);
            if !principals::update(txn, &record)? {
                return Err(exists(&record).into());
            }
            let tags = tags::of(txn, &record.unique_id)?;
            Ok(Principal { record, tags })
        })
        .await
    }

    /// Takes a user, group or role away that has nothing any more (`DeleteUser`, `DeleteGroup`, `DeleteRole`).
    pub async fn delete_principal(&self, caller: &Caller, owner: &Owner) -> Result<(), Error> {
        let action = by_kind(owner.kind, ["iam:DeleteUser", "iam:DeleteGroup", "iam:DeleteRole"]);
        let account = self.allow_on(caller, action, owner, Extras::default()).await?;
        let owner = owner.clone();
        self.change_access(move |txn| {
            let record = owner.find(txn, &account)?;
            ensure_bare(txn, &record)?;
            Ok(principals::delete(txn, &record.unique_id)?)
        })
        .await
    }
}

/// The name of an operation for each kind.
pub(crate) const fn by_kind(kind: Kind, [user, group, role]: [&'static str; 3]) -> &'static str {
    match kind {
        Kind::User => user,
        Kind::Group => group,
        Kind::Role => role,
    }
}

fn create(txn: &mut dyn Transaction, new: &Principal) -> Result<(), Error> {
    if let Some(boundary) = &new.record.boundary {
        of_arn(txn, &new.record.account, boundary)?;
    }
    if !principals::create(txn, &new.record)? {
        return Err(exists(&new.record).into());
    }
    Ok(tags::put(txn, &new.record.unique_id, &new.tags)?)
}

fn exists(record: &PrincipalRecord) -> IdentityError {
    IdentityError::Exists { kind: by_kind(record.kind, ["User", "Group", "Role"]), name: record.name.clone() }
}

fn changed(mut record: PrincipalRecord, change: &PrincipalChange) -> PrincipalRecord {
    let PrincipalChange { name, path, description, max_session, trust_policy } = change.clone();
    record.name = name.unwrap_or(record.name);
    record.path = path.unwrap_or(record.path);
    record.description = description.or(record.description);
    record.max_session = max_session.or(record.max_session);
    record.trust_policy = trust_policy.or(record.trust_policy);
    record
}

/// Refuses to delete what still has something, as IAM does.
fn ensure_bare(txn: &mut dyn Transaction, record: &PrincipalRecord) -> Result<(), Error> {
    let id = &record.unique_id;
    let conflict = if !attachments::of(txn, id)?.is_empty() {
        "detach all policies"
    } else if !inline_policies::of(txn, id)?.is_empty() {
        "delete policies"
    } else if record.kind == Kind::User && !access_keys::of_owner(txn, id)?.is_empty() {
        "delete access keys"
    } else if !joined(txn, record)?.is_empty() {
        "remove users from group"
    } else {
        return Ok(());
    };
    Err(IdentityError::Conflict(conflict).into())
}

/// The groups of a user, or the users of a group.
fn joined(txn: &mut dyn Transaction, record: &PrincipalRecord) -> Result<Vec<PrincipalRecord>, Error> {
    Ok(match record.kind {
        Kind::User => groups::of_user(txn, &record.unique_id, "", 1)?,
        Kind::Group => groups::members(txn, &record.unique_id, "", 1)?,
        Kind::Role => Vec::new(),
    })
}
