//! Managed policies of an account, and their versions.

use berth_aws::AccountId;
use berth_aws::policy::PolicyKind;
use berth_store::identity::policies::{self, VersionRecord};
use berth_store::identity::{PolicyRecord, attachments, principals, tags};
use berth_store::{Timestamp, Transaction};

use super::names::{IdKind, PolicyArn, unique_id};
use super::tags::check_tags;
use super::{IdentityError, account_of, check_document, managed};
use crate::Domain;
use crate::access::{Extras, Question};
use crate::caller::Caller;
use crate::error::Error;
use crate::repositories::Page;

/// Characters of a managed policy that are no white space ("IAM and AWS STS quotas").
pub const DOCUMENT: usize = 6144;
/// Versions kept of one policy.
pub const MAX_VERSIONS: usize = 5;

/// A managed policy, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedPolicyView {
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub unique_id: String,
    /// Its ARN.
    pub arn: String,
    /// `/`, or `/a/b/`.
    pub path: String,
    /// Words for people.
    pub description: Option<String>,
    /// The version in force.
    pub default_version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Users, groups and roles of the caller's account that have it.
    pub attachments: u64,
    /// Users and roles that it bounds.
    pub bounds: u64,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// What is to be made.
#[derive(Debug, Clone)]
pub struct NewPolicy {
    /// Its name.
    pub name: String,
    /// `/`, or `/a/b/`.
    pub path: String,
    /// Words for people.
    pub description: Option<String>,
    /// The document.
    pub document: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Which policies are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyScope {
    /// Those of the account, and those that come with Berth.
    All,
    /// Those of the account.
    Local,
    /// Those that come with Berth.
    Managed,
}

impl Domain {
    /// Makes a policy (`CreatePolicy`).
    pub async fn create_policy(&self, caller: &Caller, new: NewPolicy) -> Result<ManagedPolicyView, Error> {
        let (account, now) = (account_of(caller)?, self.clock.now());
        let record = PolicyRecord {
            unique_id: unique_id(IdKind::Policy, self.random.as_ref()),
            account: account.clone(),
            name: new.name,
            path: new.path,
            description: new.description,
            default_version: 1,
            latest_version: 1,
            created_at: now,
            updated_at: now,
        };
        let arn = record.arn();
        let extras = Extras { tags: &new.tags, more: &[] };
        self.allow_iam(caller, &Question { extras, ..Question::new("iam:CreatePolicy", &arn, &account) })?;
        check_tags(&new.tags)?;
        check_document(&new.document, PolicyKind::Identity, DOCUMENT)?;
        self.change_access(move |txn| {
            if !policies::create(txn, &record, &new.document)? {
                return Err(IdentityError::Exists { kind: "Policy", name: record.name.clone() }.into());
            }
            tags::put(txn, &record.unique_id, &new.tags)?;
            view(txn, &record)
        })
        .await
    }

    /// Goes on where the caller may do `action` to a policy, whether there is one of that ARN or not.
    pub(crate) fn allow_policy(&self, caller: &Caller, action: &'static str, arn: &str) -> Result<AccountId, Error> {
        let account = account_of(caller)?;
        self.allow_iam(caller, &Question::new(action, arn, &account))?;
        Ok(account)
    }

    /// A policy (`GetPolicy`).
    pub async fn get_policy(&self, caller: &Caller, arn: &str) -> Result<ManagedPolicyView, Error> {
        let account = self.allow_policy(caller, "iam:GetPolicy", arn)?;
        let arn = arn.to_owned();
        self.database.read(move |txn| of_arn(txn, &account, &arn)).await
    }

    /// Up to `limit` policies behind `last` whose path begins with `prefix` (`ListPolicies`): first those that come with
    /// Berth, then those of the account. `last` is what [`list_mark`] gives of the last one.
    pub async fn list_policies(
        &self,
        caller: &Caller,
        scope: PolicyScope,
        prefix: &str,
        last: &str,
        limit: u64,
    ) -> Result<Page<ManagedPolicyView>, Error> {
        let account = self.allow_list(caller, "iam:ListPolicies", "policy", prefix)?;
        let (prefix, last) = (prefix.to_owned(), last.to_owned());
        let found = self.database.read(move |txn| listed(txn, &account, scope, &prefix, &last, limit + 1));
        Ok(Page::cut(found.await?, limit))
    }

    /// Takes a policy away that nobody has any more, with its only version (`DeletePolicy`).
    pub async fn delete_policy(&self, caller: &Caller, arn: &str) -> Result<(), Error> {
        let account = self.allow_policy(caller, "iam:DeletePolicy", arn)?;
        let arn = arn.to_owned();
        self.change_access(move |txn| {
            let record = own(txn, &account, &arn)?;
            if !principals::attached_to(txn, &arn)?.is_empty() || !principals::bounded_by(txn, &arn)?.is_empty() {
                return Err(IdentityError::Conflict("detach it from all entities").into());
            }
            if policies::versions(txn, &record.unique_id)?.len() > 1 {
                return Err(IdentityError::Conflict("delete all versions other than the default").into());
            }
            Ok(policies::delete(txn, &record.unique_id)?)
        })
        .await
    }

    /// Adds a version (`CreatePolicyVersion`); whether it is in force is told with it.
    pub async fn create_policy_version(
        &self,
        caller: &Caller,
        arn: &str,
        document: &str,
        set_default: bool,
    ) -> Result<(VersionRecord, bool), Error> {
        let account = self.allow_policy(caller, "iam:CreatePolicyVersion", arn)?;
        check_document(document, PolicyKind::Identity, DOCUMENT)?;
        let (arn, document, now) = (arn.to_owned(), document.to_owned(), self.clock.now());
        self.change_access(move |txn| {
            let mut record = own(txn, &account, &arn)?;
            if policies::versions(txn, &record.unique_id)?.len() >= MAX_VERSIONS {
                let message = format!("A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you must delete an existing version.");
                return Err(IdentityError::Limit(message).into());
            }
            record.latest_version += 1;
            record.updated_at = now;
            if set_default {
                record.default_version = record.latest_version;
            }
            policies::add_version(txn, &record.unique_id, record.latest_version, &document, now)?;
            policies::update(txn, &record)?;
            let version = VersionRecord { version: record.latest_version, document: document.clone(), created_at: now };
            Ok((version, set_default))
        })
        .await
    }

    /// A version, and whether it is in force (`GetPolicyVersion`).
    pub async fn get_policy_version(
        &self,
        caller: &Caller,
        arn: &str,
        version: u64,
    ) -> Result<(VersionRecord, bool), Error> {
        let account = self.allow_policy(caller, "iam:GetPolicyVersion", arn)?;
        let arn = arn.to_owned();
        self.database
            .read(move |txn| {
                let found = all_versions(txn, &account, &arn)?.into_iter().find(|(known, _)| known.version == version);
                found.ok_or_else(|| no_version(&arn, version))
            })
            .await
    }

    /// All versions, the newest first, and whether each is in force (`ListPolicyVersions`).
    pub async fn list_policy_versions(&self, caller: &Caller, arn: &str) -> Result<Vec<(VersionRecord, bool)>, Error> {
        let account = self.allow_policy(caller, "iam:ListPolicyVersions", arn)?;
        let arn = arn.to_owned();
        self.database.read(move |txn| all_versions(txn, &account, &arn)).await
    }

    /// Puts a version in force (`SetDefaultPolicyVersion`).
    pub async fn set_default_policy_version(&self, caller: &Caller, arn: &str, version: u64) -> Result<(), Error> {
        let account = self.allow_policy(caller, "iam:SetDefaultPolicyVersion", arn)?;
        let (arn, now) = (arn.to_owned(), self.clock.now());
        self.change_access(move |txn| {
            let mut record = own(txn, &account, &arn)?;
            policies::version(txn, &record.unique_id, version)?.ok_or_else(|| no_version(&arn, version))?;
            record.default_version = version;
            record.updated_at = now;
            Ok(policies::update(txn, &record)?)
        })
        .await
    }

    /// Takes a version away that is not in force (`DeletePolicyVersion`).
    pub async fn delete_policy_version(&self, caller: &Caller, arn: &str, version: u64) -> Result<(), Error> {
        let account = self.allow_policy(caller, "iam:DeletePolicyVersion", arn)?;
        let arn = arn.to_owned();
        self.change_access(move |txn| {
            let record = own(txn, &account, &arn)?;
            if record.default_version == version {
                return Err(IdentityError::Conflict("put another version in force").into());
            }
            if policies::delete_version(txn, &record.unique_id, version)? {
                return Ok(());
            }
            Err(no_version(&arn, version))
        })
        .await
    }
}

/// What stands for a policy as the last one of a page.
pub fn list_mark(policy: &ManagedPolicyView) -> String {
    let place = if managed::find(&policy.arn).is_some() { '0' } else { '1' };
    format!("{place}{}", policy.name)
}

fn listed(
    txn: &mut dyn Transaction,
    account: &AccountId,
    scope: PolicyScope,
    prefix: &str,
    last: &str,
    limit: u64,
) -> Result<Vec<ManagedPolicyView>, Error> {
    let mut found = Vec::new();
    let (place, name) = last.split_at_checked(1).unwrap_or(("0", ""));
    if scope != PolicyScope::Local && place == "0" && "/".starts_with(prefix) {
        for policy in managed::ALL.iter().filter(|policy| policy.name > name) {
            found.push(view_of_managed(txn, account, policy)?);
        }
    }
    if scope != PolicyScope::Managed {
        let behind = if place == "1" { name } else { "" };
        for record in policies::list(txn, account, prefix, behind, limit)? {
            found.push(view(txn, &record)?);
        }
    }
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

fn view(txn: &mut dyn Transaction, record: &PolicyRecord) -> Result<ManagedPolicyView, Error> {
    let arn = record.arn();
    Ok(ManagedPolicyView {
        name: record.name.clone(),
        unique_id: record.unique_id.clone(),
        path: record.path.clone(),
        description: record.description.clone(),
        default_version: record.default_version,
        created_at: record.created_at,
        updated_at: record.updated_at,
        attachments: attachments::count(txn, record.account.as_str(), &arn)?,
        bounds: principals::bounded_by(txn, &arn)?.len() as u64,
        tags: tags::of(txn, &record.unique_id)?,
        arn,
    })
}

fn view_of_managed(
    txn: &mut dyn Transaction,
    account: &AccountId,
    policy: &managed::ManagedPolicy,
) -> Result<ManagedPolicyView, Error> {
    let bounded = principals::bounded_by(txn, policy.arn)?;
    Ok(ManagedPolicyView {
        name: policy.name.to_owned(),
        unique_id: policy.unique_id.to_owned(),
        arn: policy.arn.to_owned(),
        path: "/".to_owned(),
        description: Some(policy.description.to_owned()),
        default_version: 1,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        attachments: attachments::count(txn, account.as_str(), policy.arn)?,
        bounds: bounded.iter().filter(|record| record.account == *account).count() as u64,
        tags: Vec::new(),
    })
}

pub(crate) fn of_arn(txn: &mut dyn Transaction, account: &AccountId, arn: &str) -> Result<ManagedPolicyView, Error> {
    if let Some(policy) = managed::find(arn) {
        return view_of_managed(txn, account, policy);
    }
    let record = own(txn, account, arn)?;
    view(txn, &record)
}

/// A policy of the account, which may be changed. Those of other accounts are not there.
fn own(txn: &mut dyn Transaction, account: &AccountId, arn: &str) -> Result<PolicyRecord, Error> {
    if managed::find(arn).is_some() {
        return Err(IdentityError::NotYours(arn.to_owned()).into());
    }
    let missing = || IdentityError::NoSuch { kind: "policy", name: arn.to_owned() };
    let known = PolicyArn::parse(arn).filter(|known| known.account == *account).ok_or_else(missing)?;
    let record = policies::find(txn, account, &known.name)?.filter(|record| record.arn() == arn);
    Ok(record.ok_or_else(missing)?)
}

pub(crate) fn all_versions(
    txn: &mut dyn Transaction,
    account: &AccountId,
    arn: &str,
) -> Result<Vec<(VersionRecord, bool)>, Error> {
    if let Some(policy) = managed::find(arn) {
        let document = policy.document.to_owned();
        return Ok(vec![(VersionRecord { version: 1, document, created_at: Timestamp::from_millis(0) }, true)]);
    }
    let record = own(txn, account, arn)?;
    let versions = policies::versions(txn, &record.unique_id)?;
    Ok(versions
        .into_iter()
        .map(|version| (version.version == record.default_version, version))
        .map(|(is, version)| (version, is))
        .collect())
}

fn no_version(arn: &str, version: u64) -> Error {
    IdentityError::NoSuch { kind: "policy version", name: format!("v{version} of {arn}") }.into()
}
