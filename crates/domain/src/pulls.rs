//! When images were pulled last. Noted in memory, seldom for each image, and written from there together: no pull writes to
//! the database for it. What was noted since the last writing is lost if the process dies.
//!
//! Pulls of principals that are excluded (ECR, "pull time update exclusions") are left out when they are written.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use berth_store::registry_settings::{self, Kind};
use berth_store::repositories::Registry;
use berth_store::{Timestamp, Transaction, images};

use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;
use crate::principal::IdentityKind;

/// How exact it is, in memory: a pull is noted again when the clock enters another quarter of an hour.
const QUARTER: i64 = 15 * 60 * 1000;
/// And in the database.
const EXACT_TO: Duration = Duration::from_hours(1);
/// Pulls that are remembered as noted, without a lock.
const REMEMBERED: usize = 8 * 1024;
/// Pulls that wait to be written; of more than that nothing is noted until they are.
const WAITING: usize = 64 * 1024;
/// Rows that one transaction writes.
const BATCH: usize = 500;
/// Exclusions of a registry that count; fewer can be made.
const EXCLUSIONS: u64 = 1000;

/// What is not written yet.
pub(crate) struct Pulls {
    hasher: RandomState,
    // Of each pull that was noted lately a hash, at the place that the hash names. Another pull at the same place has it noted
    // again, which harms nobody.
    noted: Box<[AtomicU64]>,
    waiting: Mutex<HashMap<Pull, Timestamp>>,
}

/// Who pulled what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pull {
    registry: Registry,
    image: i64,
    principal: String,
}

impl Default for Pulls {
    fn default() -> Self {
        let noted = std::iter::repeat_with(AtomicU64::default).take(REMEMBERED).collect();
        Self { hasher: RandomState::new(), noted, waiting: Mutex::default() }
    }
}

impl Pulls {
    fn note(&self, registry: &Registry, image: i64, principal: &str, now: Timestamp) {
        let hash = self.hasher.hash_one((image, principal, now.as_millis().div_euclid(QUARTER)));
        let place = usize::try_from(hash % REMEMBERED as u64).unwrap_or_default();
        let Some(noted) = self.noted.get(place).filter(|noted| noted.load(Ordering::Relaxed) != hash) else { return };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING {
            noted.store(hash, Ordering::Relaxed);
            waiting.insert(Pull { registry: registry.clone(), image, principal: principal.to_owned() }, now);
        }
    }

    fn take(&self) -> HashMap<Pull, Timestamp> {
        std::mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits again for what could not be written.
    fn give_back(&self, pulls: HashMap<Pull, Timestamp>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (pull, at) in pulls {
            if waiting.len() < WAITING {
                waiting.entry(pull).or_insert(at);
            }
        }
    }
}

impl Domain {
    /// Notes that an image was pulled.
    pub(crate) fn note_pull(&self, caller: &Caller, image: i64) {
        let principal = match caller.identity().map(|identity| &identity.kind) {
            Some(IdentityKind::Session { role_arn }) => role_arn,
            _ => caller.principal(),
        };
        self.pulls.note(&self.settings.registry, image, principal, self.clock.now());
    }

    /// Writes when images were pulled last; how many rows that changed.
    pub async fn write_pull_times(&self) -> Result<usize, Error> {
        let taken = self.pulls.take();
        if taken.is_empty() || self.settings.read_only {
            return Ok(0);
        }
        let written = self.write_pulls(&taken).await;
        if written.is_err() {
            self.pulls.give_back(taken);
        }
        written
    }

    async fn write_pulls(&self, pulls: &HashMap<Pull, Timestamp>) -> Result<usize, Error> {
        let registries: HashSet<Registry> = pulls.keys().map(|pull| pull.registry.clone()).collect();
        let excluded = self.database.read(move |txn| excluded(txn, &registries)).await?;
        let counts =
            |pull: &Pull| excluded.get(&pull.registry).is_none_or(|principals| !principals.contains(&pull.principal));
        let mut latest = HashMap::new();
        for (pull, at) in pulls.iter().filter(|(pull, _)| counts(pull)) {
            let newest = latest.entry(pull.image).or_insert(*at);
            *newest = (*newest).max(*at);
        }
        let latest: Vec<(i64, Timestamp)> = latest.into_iter().collect();
        let mut written = 0;
        for batch in latest.chunks(BATCH) {
            written += self.write_batch(batch.to_vec()).await?;
        }
        Ok(written)
    }

    async fn write_batch(&self, mut batch: Vec<(i64, Timestamp)>) -> Result<usize, Error> {
        // Nodes that write at the same time lock rows in the same order.
        batch.sort_unstable();
        let write = self.database.write(move |txn| {
            let mut written = 0;
            for (image, at) in &batch {
                written += usize::from(images::note_pulled(txn, *image, *at, at.before(EXACT_TO))?);
            }
            Ok(written)
        });
        write.await
    }
}

/// The principals whose pulls count for nothing.
fn excluded(
    txn: &mut dyn Transaction,
    registries: &HashSet<Registry>,
) -> Result<HashMap<Registry, HashSet<String>>, Error> {
    let mut excluded = HashMap::new();
    for registry in registries {
        let settings = registry_settings::list(txn, registry, Kind::PullTimeExclusion, "", EXCLUSIONS)?;
        excluded.insert(registry.clone(), settings.into_iter().map(|setting| setting.name).collect());
    }
    Ok(excluded)
}

#[cfg(test)]
mod tests {
    use berth_aws::{AccountId, Region};

    use super::*;

    fn registry() -> Registry {
        let account = AccountId::parse("000000000000").unwrap();
        Registry { account, region: Region::parse("us-east-1").unwrap() }
    }

    #[test]
    fn a_pull_is_noted_once_in_a_quarter_of_an_hour() {
        let (pulls, at) = (Pulls::default(), |minute: i64| Timestamp::from_millis(minute * 60 * 1000));
        for (minute, noted) in [(0, 1), (7, 0), (14, 0), (15, 1), (29, 0), (1000, 1)] {
            pulls.note(&registry(), 7, "somebody", at(minute));
            let waiting = pulls.take();
            assert_eq!(waiting.len(), noted, "{minute}");
            assert!(waiting.values().all(|noted| *noted == at(minute)));
        }
    }

    #[test]
    fn pulls_of_others_and_of_other_images_are_noted_too() {
        let (pulls, now) = (Pulls::default(), Timestamp::from_millis(0));
        for (image, principal) in [(1, "a"), (1, "b"), (2, "a"), (1, "a")] {
            pulls.note(&registry(), image, principal, now);
        }
        assert_eq!(pulls.take().len(), 3);
    }

    #[test]
    fn what_waits_is_bounded_and_noted_again_once_there_is_room() {
        let (pulls, now, images) = (Pulls::default(), Timestamp::from_millis(0), i64::try_from(WAITING).unwrap());
        for image in 0..=images {
            pulls.note(&registry(), image, "somebody", now);
        }
        let taken = pulls.take();
        assert_eq!(taken.len(), WAITING);
        assert!(taken.keys().all(|pull| pull.image != images));
        pulls.note(&registry(), images, "somebody", now);
        pulls.give_back(taken);
        let waiting = pulls.take();
        assert_eq!(waiting.len(), WAITING);
        assert!(waiting.keys().any(|pull| pull.image == images));
    }
}
