//! Repositories: finding them, making them on first push, listing them.

use berth_oci::name::RepositoryName;
use berth_store::repositories::{self, RepositoryId};
use berth_store::{Timestamp, Transaction};

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::settings::Settings;

/// How many names are read at once while looking for those that the caller may see.
const BATCH: u64 = 1000;

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What it lists.
    pub items: Vec<T>,
    /// Whether more follows.
    pub more: bool,
}

impl<T> Page<T> {
    /// Cuts a listing that was read one item further than `limit`.
    pub(crate) fn cut(mut items: Vec<T>, limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }
}

impl Domain {
    /// Goes on only for callers that may see some repositories. Which ones, [`Domain::catalog`] judges name by name.
    pub fn allow_catalog(&self, caller: &Caller) -> Result<(), Error> {
        match caller {
            Caller::Anonymous if self.settings.anonymous_pull.is_empty() => Err(Error::Unauthenticated),
            Caller::Anonymous | Caller::Administrator { .. } => Ok(()),
            Caller::Powerless { .. } => {
                caller.allow_administration(Action::DescribeRepositories.as_str(), &self.settings)
            }
        }
    }

    /// Up to `limit` repositories behind `last` that the caller may see, in byte order.
    pub async fn catalog(&self, caller: &Caller, last: &str, limit: u64) -> Result<Page<RepositoryName>, Error> {
        self.allow_catalog(caller)?;
        let mut visible = Vec::new();
        let mut last = last.to_owned();
        loop {
            let batch = self.repositories_behind(&last).await?;
            let Some(end) = batch.last() else { break };
            end.as_str().clone_into(&mut last);
            visible.extend(
                batch.into_iter().filter(|name| caller.may(Action::DescribeRepositories, name, &self.settings)),
            );
            if u64::try_from(visible.len()).unwrap_or(u64::MAX) > limit {
                break;
            }
        }
        Ok(Page::cut(visible, limit))
    }

    async fn repositories_behind(&self, last: &str) -> Result<Vec<RepositoryName>, Error> {
        let (registry, last) = (self.settings.registry.clone(), last.to_owned());
        self.database.read(move |txn| repositories::list(txn, &registry, &last, BATCH).map_err(Error::from)).await
    }
}

/// The repository of a name, or the error that there is none.
pub(crate) fn existing(
    txn: &mut dyn Transaction,
    settings: &Settings,
    name: &RepositoryName,
) -> Result<RepositoryId, Error> {
    repositories::find(txn, &settings.registry, name)?.ok_or_else(|| Error::RepositoryUnknown(name.clone()))
}

/// The repository of a name for a push: made where it is missing and the operator allows that.
pub(crate) fn for_push(
    txn: &mut dyn Transaction,
    settings: &Settings,
    name: &RepositoryName,
    by: &str,
    now: Timestamp,
) -> Result<RepositoryId, Error> {
    if settings.create_on_push {
        return Ok(repositories::find_or_create(txn, &settings.registry, name, by, now)?);
    }
    existing(txn, settings, name)
}
