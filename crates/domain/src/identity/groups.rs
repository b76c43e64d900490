//! Who is in which group.

use berth_store::identity::{PrincipalRecord, groups};

use super::{IdentityError, Owner};
use crate::Domain;
use crate::access::Extras;
use crate::caller::Caller;
use crate::error::Error;
use crate::principal::MAX_GROUPS;
use crate::repositories::Page;

/// Groups of one user ("IAM and AWS STS quotas").
pub const MAX_GROUPS_PER_USER: u64 = MAX_GROUPS;

impl Domain {
    /// Puts a user into a group (`AddUserToGroup`).
    pub async fn add_to_group(&self, caller: &Caller, group: &str, user: &str) -> Result<(), Error> {
        let (group, user) = (Owner::group(group), Owner::user(user));
        let account = self.allow_on(caller, "iam:AddUserToGroup", &group, Extras::default()).await?;
        self.change_access(move |txn| {
            let (group, user) = (group.find(txn, &account)?, user.find(txn, &account)?);
            groups::add(txn, &group.unique_id, &user.unique_id)?;
            let count = groups::of_user(txn, &user.unique_id, "", MAX_GROUPS + 1)?.len();
            if count > usize::try_from(MAX_GROUPS).unwrap_or(usize::MAX) {
                return Err(IdentityError::Limit(format!("Cannot exceed quota for GroupsPerUser: {MAX_GROUPS}")).into());
            }
            Ok(())
        })
        .await
    }

    /// Takes a user out of a group (`RemoveUserFromGroup`).
    pub async fn remove_from_group(&self, caller: &Caller, group: &str, user: &str) -> Result<(), Error> {
        let (group, user) = (Owner::group(group), Owner::user(user));
        let account = self.allow_on(caller, "iam:RemoveUserFromGroup", &group, Extras::default()).await?;
        self.change_access(move |txn| {
            let (group, user) = (group.find(txn, &account)?, user.find(txn, &account)?);
            if groups::remove(txn, &group.unique_id, &user.unique_id)? {
                return Ok(());
            }
            Err(IdentityError::NoSuch { kind: "user in the group", name: user.name }.into())
        })
        .await
    }

    /// Up to `limit` groups of a user behind the name `last` (`ListGroupsForUser`).
    pub async fn groups_of(
        &self,
        caller: &Caller,
        user: &str,
        last: &str,
        limit: u64,
    ) -> Result<Page<PrincipalRecord>, Error> {
        let user = Owner::user(user);
        let account = self.allow_on(caller, "iam:ListGroupsForUser", &user, Extras::default()).await?;
        let last = last.to_owned();
        let found = self.database.read(move |txn| {
            let user = user.find(txn, &account)?;
            Ok::<_, Error>(groups::of_user(txn, &user.unique_id, &last, limit + 1)?)
        });
        Ok(Page::cut(found.await?, limit))
    }

    /// Up to `limit` users of a group behind the name `last` (`GetGroup`).
    pub async fn members_of(
        &self,
        caller: &Caller,
        group: &str,
        last: &str,
        limit: u64,
    ) -> Result<Page<PrincipalRecord>, Error> {
        let group = Owner::group(group);
        let account = self.allow_on(caller, "iam:GetGroup", &group, Extras::default()).await?;
        let last = last.to_owned();
        let found = self.database.read(move |txn| {
            let group = group.find(txn, &account)?;
            Ok::<_, Error>(groups::members(txn, &group.unique_id, &last, limit + 1)?)
        });
        Ok(Page::cut(found.await?, limit))
    }
}
