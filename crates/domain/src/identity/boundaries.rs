//! Permissions boundaries of users and roles.

use berth_store::identity::principals;

use super::policies::of_arn;
use super::principals::by_kind;
use super::{IdentityError, Owner};
use crate::Domain;
use crate::access::Extras;
use crate::caller::Caller;
use crate::error::Error;

impl Domain {
    /// Bounds a user or role by a policy, or by none any more (`PutUserPermissionsBoundary`,
    /// `DeleteUserPermissionsBoundary`, and for roles).
    pub async fn set_boundary(&self, caller: &Caller, owner: &Owner, boundary: Option<String>) -> Result<(), Error> {
        let action = match &boundary {
            Some(_) => by_kind(owner.kind, PUT),
            None => by_kind(owner.kind, DELETE),
        };
        let more = boundary.iter().map(|arn| ("iam:permissionsboundary", vec![arn.clone()])).collect::<Vec<_>>();
        let account = self.allow_on(caller, action, owner, Extras { more: &more, ..Extras::default() }).await?;
        let owner = owner.clone();
        self.change_access(move |txn| {
            let mut record = owner.find(txn, &account)?;
            match &boundary {
                Some(arn) => {
                    of_arn(txn, &account, arn)?;
                }
                None if record.boundary.is_none() => {
                    return Err(IdentityError::NoSuch { kind: "permissions boundary of", name: record.name }.into());
                }
                None => {}
            }
            record.boundary.clone_from(&boundary);
            principals::update(txn, &record)?;
            Ok(())
        })
        .await
    }
}

const PUT: [&str; 3] =
    ["iam:PutUserPermissionsBoundary", "iam:PutUserPermissionsBoundary", "iam:PutRolePermissionsBoundary"];
const DELETE: [&str; 3] =
    ["iam:DeleteUserPermissionsBoundary", "iam:DeleteUserPermissionsBoundary", "iam:DeleteRolePermissionsBoundary"];
