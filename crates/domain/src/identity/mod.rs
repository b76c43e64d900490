//! Accounts, users, groups, roles, policies and access keys: what IAM manages, by the kinds of things rather than one function
//! for each operation of its API. The door knows which operation is which function (`berth_http::iam`).
//!
//! A call is about the caller's own account. Each function first asks whether the caller may do it, on the ARN and the tags of
//! what it is done to; then it changes rows and renews the revision in one transaction.

pub mod accounts;
pub mod attachments;
pub mod boundaries;
pub mod details;
pub mod error;
pub mod explain;
pub mod groups;
pub mod inline_policies;
pub mod keys;
pub mod managed;
pub mod names;
pub mod policies;
pub mod principals;
pub mod simulate;
pub mod tags;

use berth_aws::AccountId;
use berth_aws::policy::{Policy, PolicyKind, significant_length};
use berth_store::Transaction;
use berth_store::clock::sixteen;
use berth_store::identity::{Kind, PrincipalRecord, principals as rows, revision, tags as tag_rows};

use crate::Domain;
use crate::access::{Extras, Question, Surroundings};
use crate::caller::Caller;
use crate::error::Error;

pub use error::IdentityError;

/// The user, group or role of a name in the caller's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl Owner {
    /// A user.
    pub fn user(name: impl Into<String>) -> Self {
        Self { kind: Kind::User, name: name.into() }
    }

    /// A group.
    pub fn group(name: impl Into<String>) -> Self {
        Self { kind: Kind::Group, name: name.into() }
    }

    /// A role.
    pub fn role(name: impl Into<String>) -> Self {
        Self { kind: Kind::Role, name: name.into() }
    }

    /// The row, in a transaction.
    pub(crate) fn find(&self, txn: &mut dyn Transaction, account: &AccountId) -> Result<PrincipalRecord, Error> {
        let found = rows::find(txn, account, self.kind, &self.name)?;
        Ok(found.ok_or_else(|| IdentityError::NoSuch { kind: self.kind.as_str(), name: self.name.clone() })?)
    }
}

impl Domain {
    /// Goes on where the caller may do `action` to a user, group or role of its account, whether that is there or not.
    pub(crate) async fn allow_on(
        &self,
        caller: &Caller,
        action: &'static str,
        owner: &Owner,
        extras: Extras<'_>,
    ) -> Result<AccountId, Error> {
        let account = account_of(caller)?;
        let (of, wanted) = (account.clone(), owner.clone());
        let (arn, tags) = self
            .database
            .read(move |txn| {
                let record = rows::find(txn, &of, wanted.kind, &wanted.name)?;
                let tags = record.as_ref().map_or(Ok(Vec::new()), |record| tag_rows::of(txn, &record.unique_id))?;
                let missing = || format!("arn:aws:iam::{of}:{}/{}", wanted.kind.as_str(), wanted.name);
                Ok::<_, Error>((record.map_or_else(missing, |record| record.arn()), tags))
            })
            .await?;
        let question = Question { resource_tags: &tags, extras, ..Question::new(action, &arn, &account) };
        self.allow_iam(caller, &question)?;
        Ok(account)
    }

    /// Goes on where the caller may do what it wants through IAM. Credentials of `GetSessionToken` may not: there is no second
    /// factor that would tell them from a stolen key.
    pub(crate) fn allow_iam(&self, caller: &Caller, question: &Question<'_>) -> Result<(), Error> {
        crate::audit::identity(question.resource, question.account);
        let is_user = |identity: &crate::principal::Identity| {
            matches!(identity.kind, crate::principal::IdentityKind::User { .. }) && identity.session.is_some()
        };
        if caller.identity().is_some_and(is_user) {
            return Err(IdentityError::SessionToken.into());
        }
        self.judge(caller, question, Surroundings::default())
    }

    /// Runs a change of what decides who may do what.
    pub(crate) async fn change_access<T, F>(&self, change: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Transaction) -> Result<T, Error> + Send + 'static,
    {
        if self.settings.read_only {
            return Err(Error::ReadOnly);
        }
        self.change_access_anyway(change).await
    }

    /// The same where the registry takes no writes: nobody could log in to a new one.
    pub(crate) async fn change_access_anyway<T, F>(&self, change: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Transaction) -> Result<T, Error> + Send + 'static,
    {
        let fresh = sixteen(self.random.as_ref());
        let changed = self.database.write(move |txn| {
            let done = change(txn)?;
            revision::renew(txn, fresh)?;
            Ok(done)
        });
        let changed = changed.await;
        self.facts.changed();
        changed
    }
}

/// The account that a call is about.
pub(crate) fn account_of(caller: &Caller) -> Result<AccountId, Error> {
    caller.account().cloned().ok_or(Error::Unauthenticated)
}

/// Checks a document that is about to be stored, of at most `limit` characters that are no white space.
pub(crate) fn check_document(text: &str, kind: PolicyKind, limit: usize) -> Result<(), Error> {
    if significant_length(text) > limit {
        let message = format!("Cannot exceed quota for PolicySize: {limit}");
        return Err(IdentityError::Limit(message).into());
    }
    Policy::parse(text, kind, usize::MAX).map_err(|error| IdentityError::MalformedPolicy(error.to_string()))?;
    Ok(())
}
