//! Everything of an account at once (`GetAccountAuthorizationDetails`).

use berth_store::Transaction;
use berth_store::identity::policies::{self, VersionRecord};
use berth_store::identity::{Kind, PrincipalRecord, attachments, groups, inline_policies, principals, tags};

use super::managed;
use super::policies::{ManagedPolicyView, all_versions, of_arn};
use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;
use crate::principal::MAX_GROUPS;

/// A user, group or role with all that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalDetails {
    /// The row.
    pub record: PrincipalRecord,
    /// Its inline policies: names and documents.
    pub inline: Vec<(String, String)>,
    /// The ARNs of its managed policies.
    pub attached: Vec<String>,
    /// The names of its groups.
    pub groups: Vec<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// A managed policy with its versions, and whether each is in force.
pub type PolicyDetails = (ManagedPolicyView, Vec<(VersionRecord, bool)>);

impl Domain {
    /// Up to `limit` users, groups or roles of a kind behind the name `last`, with all that they have.
    pub async fn principal_details(
        &self,
        caller: &Caller,
        kind: Kind,
        last: &str,
        limit: u64,
    ) -> Result<Vec<PrincipalDetails>, Error> {
        let account = self.allow_account(caller, "iam:GetAccountAuthorizationDetails")?;
        let last = last.to_owned();
        self.database
            .read(move |txn| {
                let records = principals::list(txn, &account, kind, "", &last, limit)?;
                records.into_iter().map(|record| details(txn, record)).collect()
            })
            .await
    }

    /// Up to `limit` policies of the caller's account behind the name `last`, with all their versions.
    pub async fn policy_details(&self, caller: &Caller, last: &str, limit: u64) -> Result<Vec<PolicyDetails>, Error> {
        let account = self.allow_account(caller, "iam:GetAccountAuthorizationDetails")?;
        let last = last.to_owned();
        self.database
            .read(move |txn| {
                let mut found = Vec::new();
                for record in policies::list(txn, &account, "", &last, limit)? {
                    let view = of_arn(txn, &account, &record.arn())?;
                    let versions = policies::versions(txn, &record.unique_id)?.into_iter();
                    let versions = versions.map(|version| {
                        let is_default = version.version == record.default_version;
                        (version, is_default)
                    });
                    found.push((view, versions.collect()));
                }
                Ok(found)
            })
            .await
    }

    /// Up to `limit` policies that come with Berth behind the name `last`, with their only version.
    pub async fn managed_policy_details(
        &self,
        caller: &Caller,
        last: &str,
        limit: u64,
    ) -> Result<Vec<PolicyDetails>, Error> {
        let account = self.allow_account(caller, "iam:GetAccountAuthorizationDetails")?;
        let (last, limit) = (last.to_owned(), usize::try_from(limit).unwrap_or(usize::MAX));
        self.database
            .read(move |txn| {
                let wanted = managed::ALL.iter().filter(|policy| policy.name > last.as_str()).take(limit);
                wanted
                    .map(|policy| Ok((of_arn(txn, &account, policy.arn)?, all_versions(txn, &account, policy.arn)?)))
                    .collect()
            })
            .await
    }
}

fn details(txn: &mut dyn Transaction, record: PrincipalRecord) -> Result<PrincipalDetails, Error> {
    let id = &record.unique_id;
    let of_groups = match record.kind {
        Kind::User => groups::of_user(txn, id, "", MAX_GROUPS)?,
        Kind::Group | Kind::Role => Vec::new(),
    };
    Ok(PrincipalDetails {
        inline: inline_policies::of(txn, id)?,
        attached: attachments::of(txn, id)?,
        groups: of_groups.into_iter().map(|group| group.name).collect(),
        tags: tags::of(txn, id)?,
        record,
    })
}
