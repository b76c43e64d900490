//! Policies that belong to one user, group or role.

use berth_aws::policy::{PolicyKind, significant_length};
use berth_store::identity::{Kind, inline_policies};

use super::principals::by_kind;
use super::{IdentityError, Owner, check_document};
use crate::Domain;
use crate::access::Extras;
use crate::caller::Caller;
use crate::error::Error;

/// Characters of all inline policies of one owner together ("IAM and AWS STS quotas").
pub const fn quota(kind: Kind) -> usize {
    match kind {
        Kind::User => 2048,
        Kind::Group => 5120,
        Kind::Role => 10_240,
    }
}

impl Domain {
    /// Writes an inline policy (`PutUserPolicy`, `PutGroupPolicy`, `PutRolePolicy`).
    pub async fn put_inline_policy(
        &self,
        caller: &Caller,
        owner: &Owner,
        name: &str,
        document: &str,
    ) -> Result<(), Error> {
        let action = by_kind(owner.kind, ["iam:PutUserPolicy", "iam:PutGroupPolicy", "iam:PutRolePolicy"]);
        let account = self.allow_on(caller, action, owner, Extras::default()).await?;
        check_document(document, PolicyKind::Identity, quota(owner.kind))?;
        let (owner, name, document) = (owner.clone(), name.to_owned(), document.to_owned());
        self.change_access(move |txn| {
            let id = owner.find(txn, &account)?.unique_id;
            inline_policies::put(txn, &id, &name, &document)?;
            let all = inline_policies::of(txn, &id)?;
            let (sum, limit) = (all.iter().map(|(_, text)| significant_length(text)).sum::<usize>(), quota(owner.kind));
            if sum > limit {
                let message =
                    format!("Maximum policy size of {limit} bytes exceeded for {} {}", owner.kind.as_str(), owner.name);
                return Err(IdentityError::Limit(message).into());
            }
            Ok(())
        })
        .await
    }

    /// The document of an inline policy (`GetUserPolicy`, `GetGroupPolicy`, `GetRolePolicy`).
    pub async fn get_inline_policy(&self, caller: &Caller, owner: &Owner, name: &str) -> Result<String, Error> {
        let action = by_kind(owner.kind, ["iam:GetUserPolicy", "iam:GetGroupPolicy", "iam:GetRolePolicy"]);
        let account = self.allow_on(caller, action, owner, Extras::default()).await?;
        let (owner, name) = (owner.clone(), name.to_owned());
        self.database
            .read(move |txn| {
                let id = owner.find(txn, &account)?.unique_id;
                inline_policies::find(txn, &id, &name)?.ok_or_else(|| no_such(&name))
            })
            .await
    }

    /// The names of all inline policies (`ListUserPolicies`, `ListGroupPolicies`, `ListRolePolicies`).
    pub async fn list_inline_policies(&self, caller: &Caller, owner: &Owner) -> Result<Vec<String>, Error> {
        let action = by_kind(owner.kind, ["iam:ListUserPolicies", "iam:ListGroupPolicies", "iam:ListRolePolicies"]);
        let account = self.allow_on(caller, action, owner, Extras::default()).await?;
        let owner = owner.clone();
        self.database
            .read(move |txn| {
                let id = owner.find(txn, &account)?.unique_id;
                Ok(inline_policies::of(txn, &id)?.into_iter().map(|(name, _)| name).collect())
            })
            .await
    }

    /// Takes an inline policy away (`DeleteUserPolicy`, `DeleteGroupPolicy`, `DeleteRolePolicy`).
    pub async fn delete_inline_policy(&self, caller: &Caller, owner: &Owner, name: &str) -> Result<(), Error> {
        let action = by_kind(owner.kind, ["iam:DeleteUserPolicy", "iam:DeleteGroupPolicy", "iam:DeleteRolePolicy"]);
        let account = self.allow_on(caller, action, owner, Extras::default()).await?;
        let (owner, name) = (owner.clone(), name.to_owned());
        self.change_access(move |txn| {
            let id = owner.find(txn, &account)?.unique_id;
            if inline_policies::delete(txn, &id, &name)? { Ok(()) } else { Err(no_such(&name)) }
        })
        .await
    }
}

fn no_such(name: &str) -> Error {
    IdentityError::NoSuch { kind: "policy", name: name.to_owned() }.into()
}
