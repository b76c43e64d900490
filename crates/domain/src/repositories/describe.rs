//! Describing repositories.

use std::collections::HashSet;

use berth_aws::ecr::mutability::TagMutability;
use berth_oci::name::RepositoryName;
use berth_store::repositories::{self, RepositoryRecord};
use berth_store::{StoreError, Timestamp};

use super::{BATCH, Page};
use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;

/// What is told of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryDescription {
    /// Its name.
    pub name: RepositoryName,
    /// When it was made.
    pub created_at: Timestamp,
    /// Which tags may move.
    pub mutability: TagMutability,
    /// Whether a push begins a scan.
    pub scan_on_push: bool,
    /// How its content is encrypted, in the words of ECR: `AES256`.
    pub encryption: String,
}

impl RepositoryDescription {
    pub(super) fn of(record: RepositoryRecord) -> Result<Self, Error> {
        let decided = record.decided;
        let mutability = TagMutability::from_stored(&decided.mutability, &decided.mutability_filters);
        Ok(Self {
            mutability: mutability.ok_or_else(|| StoreError::Corrupt {
                entity: "repositories",
                reason: format!("{} is no mutability of tags", decided.mutability),
            })?,
            name: record.name,
            created_at: record.created_at,
            scan_on_push: decided.scan_on_push,
            encryption: decided.encryption,
        })
    }
}

impl Domain {
    /// Describes the repositories of these names, in their order (ECR `DescribeRepositories` with names). Each must be open
    /// to the caller; [`Error::RepositoryUnknown`] names the first that there is not.
    pub async fn describe_repositories(
        &self,
        caller: &Caller,
        names: &[RepositoryName],
    ) -> Result<Vec<RepositoryDescription>, Error> {
        for name in names {
            self.allow(caller, Action::DescribeRepositories, name).await?;
        }
        let found = self.records_of(names).await?;
        let known = names.iter().zip(found);
        known
            .map(|(name, found)| {
                found.ok_or_else(|| Error::RepositoryUnknown(name.clone())).and_then(RepositoryDescription::of)
            })
            .collect()
    }

    pub(crate) async fn records_of(&self, names: &[RepositoryName]) -> Result<Vec<Option<RepositoryRecord>>, Error> {
        let (registry, names) = (self.settings.registry.clone(), names.to_vec());
        self.database.read(move |txn| repositories::describe_many(txn, &registry, &names).map_err(Error::from)).await
    }

    /// Up to `limit` repositories behind `last` that the caller may see, in byte order (ECR `DescribeRepositories`). AWS asks
    /// for the right to all of them; here it is as in [`Domain::catalog`].
    pub async fn describe_repositories_behind(
        &self,
        caller: &Caller,
        last: &str,
        limit: u64,
    ) -> Result<Page<RepositoryDescription>, Error> {
        self.allow_catalog(caller).await?;
        let wanted = usize::try_from(limit.saturating_add(1)).unwrap_or(usize::MAX);
        let (mut visible, mut last) = (Vec::new(), last.to_owned());
        while visible.len() < wanted {
            let batch = self.records_behind(&last).await?;
            let Some(end) = batch.last() else { break };
            end.name.as_str().clone_into(&mut last);
            visible.extend(self.visible_of(caller, batch).await?);
        }
        let Page { items, more } = Page::cut(visible, limit);
        let items = items.into_iter().map(RepositoryDescription::of).collect::<Result<_, _>>()?;
        Ok(Page { items, more })
    }

    async fn records_behind(&self, last: &str) -> Result<Vec<RepositoryRecord>, Error> {
        let (registry, last) = (self.settings.registry.clone(), last.to_owned());
        self.database
            .read(move |txn| repositories::list_descriptions(txn, &registry, &last, BATCH).map_err(Error::from))
            .await
    }

    async fn visible_of(
        &self,
        caller: &Caller,
        records: Vec<RepositoryRecord>,
    ) -> Result<impl Iterator<Item = RepositoryRecord>, Error> {
        let names = records.iter().map(|record| record.name.clone()).collect();
        let allowed = self.only_allowed(caller, Action::DescribeRepositories, names).await?;
        let allowed: HashSet<RepositoryName> = allowed.into_iter().collect();
        Ok(records.into_iter().filter(move |record| allowed.contains(&record.name)))
    }
}
