//! What stops a write: read-only mode, a nearly full disk of blobs or database, limits of repositories and accounts.

use berth_store::repositories::RepositoryId;
use berth_store::{Transaction, usage};

use crate::Domain;
use crate::error::Error;
use crate::settings::Settings;

impl Domain {
    /// Goes on only where the registry takes content.
    pub(crate) async fn ensure_writable(&self) -> Result<(), Error> {
        self.ensure_not_read_only()?;
        let free = [self.blobs.free_space().await?, self.database.free_space()?];
        let minimum = self.settings.free_space_minimum;
        if free.into_iter().flatten().any(|free| free < minimum) { Err(Error::OutOfSpace) } else { Ok(()) }
    }

    /// Goes on only where the registry takes changes; deletions are welcome on a full disk.
    pub(crate) fn ensure_not_read_only(&self) -> Result<(), Error> {
        if self.settings.read_only { Err(Error::ReadOnly) } else { Ok(()) }
    }
}

/// Refuses a transaction that took the repository or its account over a limit. Counted only where a limit is set.
pub(crate) fn ensure_within(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    settings: &Settings,
) -> Result<(), Error> {
    let limit = settings.repository_bytes;
    if limit > 0 && usage::of_repository(txn, repository)? > limit {
        return Err(Error::QuotaExceeded { scope: "the repository", limit });
    }
    let limit = settings.account_bytes;
    if limit > 0 && usage::of_registry(txn, &settings.registry)? > limit {
        return Err(Error::QuotaExceeded { scope: "the account", limit });
    }
    Ok(())
}
