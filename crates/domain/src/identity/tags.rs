//! Tags of users, roles and policies.

use berth_aws::AccountId;
use berth_store::Transaction;
use berth_store::identity::{policies, tags};

use super::names::PolicyArn;
use super::principals::by_kind;
use super::{IdentityError, Owner};
use crate::Domain;
use crate::access::{Extras, Question};
use crate::caller::Caller;
use crate::error::Error;

/// Tags of one thing.
const MAX_TAGS: usize = 50;

/// What has tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tagged {
    /// A user or role.
    Principal(Owner),
    /// A managed policy, by its ARN.
    Policy(String),
}

impl Tagged {
    fn action(&self, [user, role, policy]: [&'static str; 3]) -> &'static str {
        match self {
            Self::Principal(owner) => by_kind(owner.kind, [user, user, role]),
            Self::Policy(_) => policy,
        }
    }

    fn unique_id(&self, txn: &mut dyn Transaction, account: &AccountId) -> Result<String, Error> {
        let missing = |arn: &String| IdentityError::NoSuch { kind: "policy", name: arn.clone() };
        match self {
            Self::Principal(owner) => Ok(owner.find(txn, account)?.unique_id),
            Self::Policy(arn) => {
                let name =
                    PolicyArn::parse(arn).filter(|known| known.account == *account).ok_or_else(|| missing(arn))?.name;
                let record = policies::find(txn, account, &name)?.filter(|record| record.arn() == *arn);
                Ok(record.ok_or_else(|| missing(arn))?.unique_id)
            }
        }
    }
}

impl Domain {
    async fn allow_on_tagged(
        &self,
        caller: &Caller,
        action: &'static str,
        tagged: &Tagged,
        extras: Extras<'_>,
    ) -> Result<AccountId, Error> {
        match tagged {
            Tagged::Principal(owner) => self.allow_on(caller, action, owner, extras).await,
            Tagged::Policy(arn) => {
                let account = super::account_of(caller)?;
                self.allow_iam(caller, &Question { extras, ..Question::new(action, arn, &account) })?;
                Ok(account)
            }
        }
    }

    /// Sets tags (`TagUser`, `TagRole`, `TagPolicy`).
    pub async fn tag(&self, caller: &Caller, tagged: &Tagged, new: Vec<(String, String)>) -> Result<(), Error> {
        let action = tagged.action(["iam:TagUser", "iam:TagRole", "iam:TagPolicy"]);
        let account = self.allow_on_tagged(caller, action, tagged, Extras { tags: &new, more: &[] }).await?;
        check_tags(&new)?;
        let tagged = tagged.clone();
        self.change_access(move |txn| {
            let id = tagged.unique_id(txn, &account)?;
            tags::put(txn, &id, &new)?;
            check_tags(&tags::of(txn, &id)?)
        })
        .await
    }

    /// Takes tags away (`UntagUser`, `UntagRole`, `UntagPolicy`).
    pub async fn untag(&self, caller: &Caller, tagged: &Tagged, keys: Vec<String>) -> Result<(), Error> {
        let action = tagged.action(["iam:UntagUser", "iam:UntagRole", "iam:UntagPolicy"]);
        let account = self
            .allow_on_tagged(
                caller,
                action,
                tagged,
                Extras { more: &[("aws:tagkeys", keys.clone())], ..Extras::default() },
            )
            .await?;
        let tagged = tagged.clone();
        self.change_access(move |txn| {
            let id = tagged.unique_id(txn, &account)?;
            Ok(tags::remove(txn, &id, &keys)?)
        })
        .await
    }

    /// All tags (`ListUserTags`, `ListRoleTags`, `ListPolicyTags`).
    pub async fn tags_of(&self, caller: &Caller, tagged: &Tagged) -> Result<Vec<(String, String)>, Error> {
        let action = tagged.action(["iam:ListUserTags", "iam:ListRoleTags", "iam:ListPolicyTags"]);
        let account = self.allow_on_tagged(caller, action, tagged, Extras::default()).await?;
        let tagged = tagged.clone();
        self.database
            .read(move |txn| {
                let id = tagged.unique_id(txn, &account)?;
                Ok(tags::of(txn, &id)?)
            })
            .await
    }
}

/// Refuses too many tags, and the same key twice whatever its case.
pub(crate) fn check_tags(tags: &[(String, String)]) -> Result<(), Error> {
    if tags.len() > MAX_TAGS {
        return Err(
            IdentityError::Limit(format!("The number of tags has reached the maximum limit: {MAX_TAGS}")).into()
        );
    }
    let mut keys: Vec<String> = tags.iter().map(|(key, _)| key.to_lowercase()).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(IdentityError::Invalid(format!(
            "Duplicate tag keys found: {}. Keys differ in more than their case.",
            pair[0]
        ))
        .into()),
        None => Ok(()),
    }
}
