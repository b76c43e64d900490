//! How many images a repository may hold, and how many tags an image may have.
//!
//! Counting a full repository takes milliseconds of the one writer there may be, so a count is good for some pushes: for a
//! sixteenth of what was left when it was made. As many nodes may push at once without going over the limit, and the nearer it
//! is, the more often it is counted.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_store::repositories::{self, RepositoryId};
use berth_store::{Transaction, images, manifests};

use crate::Domain;
use crate::ecr_error::EcrError;
use crate::error::Error;

/// Nodes that may rely on one count each.
const SHARES: u64 = 16;
/// Repositories whose count is remembered.
const REPOSITORIES: usize = 10_000;

/// How many images repositories can take without being counted.
#[derive(Default)]
pub(crate) struct Room(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Repositories that can take so many more.
    left: HashMap<RepositoryId, u64>,
    /// Those that could take none when they were counted.
    full: HashSet<RepositoryId>,
}

impl Room {
    /// Makes room for one more image, or refuses it.
    pub(super) fn take(&self, txn: &mut dyn Transaction, repository: RepositoryId, limit: u64) -> Result<(), Error> {
        if limit == 0 || self.take_known(repository) {
            return Ok(());
        }
        self.count(txn, repository, limit)
    }

    fn count(&self, txn: &mut dyn Transaction, repository: RepositoryId, limit: u64) -> Result<(), Error> {
        let held = images::count(txn, repository, limit)?;
        let mut known = self.known();
        if held < limit {
            known.full.remove(&repository);
            known.bound().left.insert(repository, (limit - held) / SHARES);
            return Ok(());
        }
        known.left.remove(&repository);
        known.bound().full.insert(repository);
        Err(EcrError::LimitExceeded { what: "images in a repository", limit, setting: "images_per_repository" }.into())
    }

    // A transaction may run again, or fail: then this counts too much, and the next count comes sooner.
    fn take_known(&self, repository: RepositoryId) -> bool {
        let mut known = self.known();
        let Some(left) = known.left.get_mut(&repository).filter(|left| **left > 0) else { return false };
        *left -= 1;
        true
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Forgets everything before it becomes too much.
    fn bound(&mut self) -> &mut Self {
        if self.left.len() + self.full.len() >= REPOSITORIES {
            *self = Self::default();
        }
        self
    }
}

impl Domain {
    /// Refuses a new image where the repository was full when it was counted last, and still is: without the one writer that
    /// there may be, which whoever pushes on and on would hold up.
    pub(super) async fn ensure_room(&self, name: &RepositoryName, digest: &Digest) -> Result<(), Error> {
        let limit = self.settings.images_per_repository;
        if limit == 0 || self.room.known().full.is_empty() {
            return Ok(());
        }
        let (settings, room, name, digest) =
            (self.settings.clone(), Arc::clone(&self.room), name.clone(), digest.clone());
        let read = self.database.read(move |txn| match repositories::find(txn, &settings.registry, &name)? {
            Some(repository)
                if room.known().full.contains(&repository) && manifests::find(txn, repository, &digest)?.is_none() =>
            {
                room.count(txn, repository, limit)
            }
            _ => Ok(()),
        });
        read.await
    }
}

/// Refuses a transaction that pointed so many more tags to an image than it may have.
pub(super) fn ensure_tags_within(
    txn: &mut dyn Transaction,
    image: i64,
    (pointed, is_new): (u64, bool),
    limit: u64,
) -> Result<(), Error> {
    if limit == 0 || pointed == 0 || (is_new && pointed <= limit) {
        return Ok(());
    }
    if images::count_tags(txn, image, limit.saturating_add(1))? > limit {
        return Err(EcrError::LimitExceeded { what: "tags of an image", limit, setting: "tags_per_image" }.into());
    }
    Ok(())
}
