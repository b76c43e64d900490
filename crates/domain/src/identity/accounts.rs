//! Accounts: one server holds many. Those who administer the registry's own account make the others.

use berth_aws::AccountId;
use berth_store::Timestamp;
use berth_store::Transaction;
use berth_store::access_keys;
use berth_store::federation;
use berth_store::identity::accounts::{self, AccountRecord};
use berth_store::identity::{Kind, PrincipalRecord, attachments, groups, inline_policies, policies, principals};

use super::keys::{AccessKey, key_record};
use super::names::{IdKind, unique_id};
use super::{IdentityError, account_of, managed};
use crate::Domain;
use crate::access::Question;
use crate::caller::Caller;
use crate::error::Error;
use crate::principal::MAX_GROUPS;
use crate::repositories::Page;

/// The user that every account begins with.
pub const ADMINISTRATOR: &str = "administrator";

/// What an account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountSummary {
    /// Users.
    pub users: u64,
    /// Groups.
    pub groups: u64,
    /// Roles.
    pub roles: u64,
    /// Managed policies of its own.
    pub policies: u64,
    /// Identity providers of both kinds.
    pub providers: u64,
}

impl Domain {
    /// Makes an account with its administrator, whose key is shown this once.
    pub async fn create_account(&self, caller: &Caller, id: &AccountId) -> Result<AccessKey, Error> {
        self.allow_administration(caller, "berth:CreateAccount")?;
        let (id, now, key) = (id.clone(), self.clock.now(), self.random_key());
        let (sealed, user_id, key_id) = (self.sealed_secret(&key)?, self.new_user_id(), key.id.clone());
        self.change_access(move |txn| {
            if !accounts::create(txn, &id, now)? {
                return Err(IdentityError::Exists { kind: "Account", name: id.as_str().to_owned() }.into());
            }
            let user = ensure_administrator(txn, &id, &user_id, now)?;
            access_keys::add(txn, &key_record(&key_id, &user, sealed.clone(), now))?;
            Ok(())
        })
        .await?;
        Ok(key)
    }

    /// Up to `limit` accounts behind `last`.
    pub async fn list_accounts(&self, caller: &Caller, last: &str, limit: u64) -> Result<Page<AccountRecord>, Error> {
        self.allow_administration(caller, "berth:ListAccounts")?;
        let last = last.to_owned();
        let found = self.database.read(move |txn| accounts::list(txn, &last, limit + 1).map_err(Error::from)).await?;
        Ok(Page::cut(found, limit))
    }

    /// Takes an account away that holds nothing any more but its administrator.
    pub async fn delete_account(&self, caller: &Caller, id: &AccountId) -> Result<(), Error> {
        self.allow_administration(caller, "berth:DeleteAccount")?;
        if *id == self.home.account {
            return Err(IdentityError::Invalid("The registry's own account cannot be deleted.".to_owned()).into());
        }
        let id = id.clone();
        self.change_access(move |txn| {
            if accounts::find(txn, &id)?.is_none() {
                return Err(IdentityError::NoSuch { kind: "account", name: id.as_str().to_owned() }.into());
            }
            forget_administrator(txn, &id)?;
            if accounts::delete(txn, &id)? {
                return Ok(());
            }
            Err(IdentityError::Conflict(
                "delete its users, groups, roles, policies, identity providers and repositories",
            )
            .into())
        })
        .await
    }

    /// The alias of the caller's account (`ListAccountAliases`).
    pub async fn account_alias(&self, caller: &Caller) -> Result<Option<String>, Error> {
        let account = self.allow_account(caller, "iam:ListAccountAliases")?;
        let found = self.database.read(move |txn| accounts::find(txn, &account).map_err(Error::from)).await?;
        Ok(found.and_then(|account| account.alias))
    }

    /// Gives the caller's account its alias (`CreateAccountAlias`).
    pub async fn set_account_alias(&self, caller: &Caller, alias: &str) -> Result<(), Error> {
        let account = self.allow_account(caller, "iam:CreateAccountAlias")?;
        let alias = alias.to_owned();
        self.change_access(move |txn| {
            if accounts::set_alias(txn, &account, Some(&alias))? {
                return Ok(());
            }
            Err(IdentityError::Exists { kind: "Account alias", name: alias.clone() }.into())
        })
        .await
    }

    /// Takes the alias from the caller's account (`DeleteAccountAlias`).
    pub async fn delete_account_alias(&self, caller: &Caller, alias: &str) -> Result<(), Error> {
        let account = self.allow_account(caller, "iam:DeleteAccountAlias")?;
        let alias = alias.to_owned();
        self.change_access(move |txn| {
            let known = accounts::find(txn, &account)?.and_then(|account| account.alias);
            if known.as_deref() != Some(alias.as_str()) {
                return Err(IdentityError::NoSuch { kind: "account alias", name: alias.clone() }.into());
            }
            accounts::set_alias(txn, &account, None)?;
            Ok(())
        })
        .await
    }

    /// What the caller's account holds (`GetAccountSummary`).
    pub async fn account_summary(&self, caller: &Caller) -> Result<AccountSummary, Error> {
        let account = self.allow_account(caller, "iam:GetAccountSummary")?;
        self.database
            .read(move |txn| {
                Ok(AccountSummary {
                    users: principals::count(txn, &account, Kind::User)?,
                    groups: principals::count(txn, &account, Kind::Group)?,
                    roles: principals::count(txn, &account, Kind::Role)?,
                    policies: policies::count(txn, &account)?,
                    providers: federation::count(txn, &account)?,
                })
            })
            .await
    }

    pub(crate) fn allow_account(&self, caller: &Caller, action: &'static str) -> Result<AccountId, Error> {
        let account = account_of(caller)?;
        self.allow_iam(caller, &Question::new(action, "*", &account))?;
        Ok(account)
    }

    pub(crate) fn new_user_id(&self) -> String {
        unique_id(IdKind::Of(Kind::User), self.random.as_ref())
    }
}

/// Takes the administrator away with all that it has. What is left of the account is the caller's affair.
fn forget_administrator(txn: &mut dyn Transaction, account: &AccountId) -> Result<(), Error> {
    let Some(user) = principals::find(txn, account, Kind::User, ADMINISTRATOR)? else { return Ok(()) };
    for arn in attachments::of(txn, &user.unique_id)? {
        attachments::detach(txn, &user.unique_id, &arn)?;
    }
    for (name, _) in inline_policies::of(txn, &user.unique_id)? {
        inline_policies::delete(txn, &user.unique_id, &name)?;
    }
    for key in access_keys::of_owner(txn, &user.unique_id)? {
        access_keys::delete(txn, &user.unique_id, &key.id)?;
    }
    for group in groups::of_user(txn, &user.unique_id, "", MAX_GROUPS)? {
        groups::remove(txn, &group.unique_id, &user.unique_id)?;
    }
    Ok(principals::delete(txn, &user.unique_id)?)
}

/// The administrator of an account, made with every right where there is none, under the unique id `fresh`.
pub(crate) fn ensure_administrator(
    txn: &mut dyn Transaction,
    account: &AccountId,
    fresh: &str,
    now: Timestamp,
) -> Result<PrincipalRecord, Error> {
    accounts::create(txn, account, now)?;
    if let Some(user) = principals::find(txn, account, Kind::User, ADMINISTRATOR)? {
        return Ok(user);
    }
    let user = PrincipalRecord {
        unique_id: fresh.to_owned(),
        kind: Kind::User,
        account: account.clone(),
        name: ADMINISTRATOR.to_owned(),
        path: "/".to_owned(),
        created_at: now,
        boundary: None,
        description: None,
        trust_policy: None,
        max_session: None,
    };
    principals::create(txn, &user)?;
    attachments::attach(txn, &user.unique_id, managed::ADMINISTRATOR)?;
    Ok(user)
}
