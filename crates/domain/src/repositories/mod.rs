//! Repositories: finding them and listing them; making, describing, changing and deleting them is in the modules below.

mod create;
mod delete;
mod describe;
mod for_push;
mod settings;

use berth_oci::name::RepositoryName;
use berth_store::Transaction;
use berth_store::repositories::{self, RepositoryId};

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;
use crate::settings::Settings;

pub use create::NewRepository;
pub use describe::RepositoryDescription;
pub(crate) use for_push::{Pusher, for_push};

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
    /// Goes on only for callers that may see some repositories, or all that there will be. Which ones,
    /// [`Domain::catalog`] judges name by name.
    pub async fn allow_catalog(&self, caller: &Caller) -> Result<(), Error> {
        if caller.is_anonymous() {
            return if self.anonymous.is_empty() { Err(Error::Unauthenticated) } else { Ok(()) };
        }
        let all = self.allow_on_any_repository(caller, Action::DescribeRepositories).await;
        match all {
            Err(Error::Denied { .. }) if !self.visible_behind(caller, "", 1).await?.is_empty() => Ok(()),
            other => other,
        }
    }

    /// Up to `limit` repositories behind `last` that the caller may see, in byte order.
    pub async fn catalog(&self, caller: &Caller, last: &str, limit: u64) -> Result<Page<RepositoryName>, Error> {
        self.allow_catalog(caller).await?;
        let visible = self.visible_behind(caller, last, limit.saturating_add(1)).await?;
        Ok(Page::cut(visible, limit))
    }

    /// At least `wanted` repositories that the caller may see, if there are so many.
    async fn visible_behind(&self, caller: &Caller, last: &str, wanted: u64) -> Result<Vec<RepositoryName>, Error> {
        let mut visible = Vec::new();
        let mut last = last.to_owned();
        loop {
            let batch = self.repositories_behind(&last).await?;
            let Some(end) = batch.last() else { break };
            end.as_str().clone_into(&mut last);
            visible.extend(self.only_allowed(caller, Action::DescribeRepositories, batch).await?);
            if u64::try_from(visible.len()).unwrap_or(u64::MAX) >= wanted {
                break;
            }
        }
        Ok(visible)
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
