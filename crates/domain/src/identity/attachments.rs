//! Which managed policies users, groups and roles have.

use berth_store::identity::{Kind, PrincipalRecord, attachments, principals};

use super::policies::of_arn;
use super::principals::by_kind;
use super::{IdentityError, Owner};
use crate::Domain;
use crate::access::Extras;
use crate::caller::Caller;
use crate::error::Error;

/// Managed policies of one user, group or role ("IAM and AWS STS quotas", the most that can be asked for).
pub const MAX_ATTACHED: usize = 20;

/// Who has a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entities {
    /// What it is attached to.
    pub attached: Vec<PrincipalRecord>,
    /// What it bounds.
    pub bounded: Vec<PrincipalRecord>,
}

impl Domain {
    /// Attaches a policy (`AttachUserPolicy`, `AttachGroupPolicy`, `AttachRolePolicy`).
    pub async fn attach_policy(&self, caller: &Caller, owner: &Owner, arn: &str) -> Result<(), Error> {
        let action = by_kind(owner.kind, ["iam:AttachUserPolicy", "iam:AttachGroupPolicy", "iam:AttachRolePolicy"]);
        let more = [("iam:policyarn", vec![arn.to_owned()])];
        let account = self.allow_on(caller, action, owner, Extras { more: &more, ..Extras::default() }).await?;
        let (owner, arn) = (owner.clone(), arn.to_owned());
        self.change_access(move |txn| {
            let id = owner.find(txn, &account)?.unique_id;
            of_arn(txn, &account, &arn)?;
            attachments::attach(txn, &id, &arn)?;
            if attachments::of(txn, &id)?.len() > MAX_ATTACHED {
                let message = format!(
                    "Cannot exceed quota for PoliciesPer{}: {MAX_ATTACHED}",
                    by_kind(owner.kind, ["User", "Group", "Role"])
                );
                return Err(IdentityError::Limit(message).into());
            }
            Ok(())
        })
        .await
    }

    /// Takes a policy from somebody (`DetachUserPolicy`, `DetachGroupPolicy`, `DetachRolePolicy`).
    pub async fn detach_policy(&self, caller: &Caller, owner: &Owner, arn: &str) -> Result<(), Error> {
        let action = by_kind(owner.kind, ["iam:DetachUserPolicy", "iam:DetachGroupPolicy", "iam:DetachRolePolicy"]);
        let more = [("iam:policyarn", vec![arn.to_owned()])];
        let account = self.allow_on(caller, action, owner, Extras { more: &more, ..Extras::default() }).await?;
        let (owner, arn) = (owner.clone(), arn.to_owned());
        self.change_access(move |txn| {
            let id = owner.find(txn, &account)?.unique_id;
            if attachments::detach(txn, &id, &arn)? {
                return Ok(());
            }
            Err(IdentityError::NoSuch { kind: "attached policy", name: arn.clone() }.into())
        })
        .await
    }

    /// The ARNs of somebody's policies (`ListAttachedUserPolicies`, `ListAttachedGroupPolicies`, `ListAttachedRolePolicies`).
    pub async fn attached_policies(&self, caller: &Caller, owner: &Owner) -> Result<Vec<String>, Error> {
        let action = by_kind(
            owner.kind,
            ["iam:ListAttachedUserPolicies", "iam:ListAttachedGroupPolicies", "iam:ListAttachedRolePolicies"],
        );
        let account = self.allow_on(caller, action, owner, Extras::default()).await?;
        let owner = owner.clone();
        self.database
            .read(move |txn| {
                let id = owner.find(txn, &account)?.unique_id;
                Ok(attachments::of(txn, &id)?)
            })
            .await
    }

    /// Users, groups and roles of the account that have a policy or are bounded by it (`ListEntitiesForPolicy`).
    pub async fn entities_of(&self, caller: &Caller, arn: &str) -> Result<Entities, Error> {
        let account = self.allow_policy(caller, "iam:ListEntitiesForPolicy", arn)?;
        let arn = arn.to_owned();
        self.database
            .read(move |txn| {
                of_arn(txn, &account, &arn)?;
                let is_ours = |record: &PrincipalRecord| record.account == account;
                let attached = principals::attached_to(txn, &arn)?.into_iter().filter(is_ours).collect();
                let bounded = principals::bounded_by(txn, &arn)?.into_iter().filter(is_ours).collect();
                Ok(Entities { attached, bounded })
            })
            .await
    }
}

impl Entities {
    /// Those of a kind that the policy is attached to.
    pub fn attached_of(&self, kind: Kind) -> impl Iterator<Item = &PrincipalRecord> {
        self.attached.iter().filter(move |record| record.kind == kind)
    }
}
