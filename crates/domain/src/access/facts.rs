//! What decides who may do what, kept in memory as long as it is true.
//!
//! Every change of it renews a revision in the same transaction (`berth_store::identity::revision`). What was read bears the
//! revision that it was read at and counts only while that is still the one. The revision is asked for once a second, so a
//! change made anywhere counts everywhere a second later, and on the node that made it at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use berth_aws::AccountId;
use berth_aws::policy::Named;
use berth_oci::name::RepositoryName;
use berth_store::identity::resource_policies::{self, RepositoryFacts};
use berth_store::identity::{accounts, revision};
use berth_store::repositories::Registry;
use berth_store::{Timestamp, Transaction};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::Domain;
use crate::credential::Credential;
use crate::error::Error;

/// How long a revision is taken for the newest.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Memory that credentials may take, in bytes, where one takes so much beside its text.
const CREDENTIALS: u64 = 64 * 1024 * 1024;
const CREDENTIAL: u64 = 8 * 1024;
/// Repositories kept, of all registries together.
const REPOSITORIES: usize = 10_000;
/// Registries kept, and accounts.
const REGISTRIES: usize = 1_000;

/// Names one state of all facts.
pub(crate) type Revision = Arc<[u8]>;

/// Something read, and the revision that it was true at.
struct Read<T> {
    at: Revision,
    value: Arc<T>,
}

impl<T> Clone for Read<T> {
    fn clone(&self) -> Self {
        Self { at: Arc::clone(&self.at), value: Arc::clone(&self.value) }
    }
}

/// The policies around a repository, compiled.
#[derive(Debug, Default)]
pub(crate) struct RepositoryRules {
    pub(crate) policy: Option<Named>,
    pub(crate) tags: Vec<(String, String)>,
}

impl RepositoryRules {
    fn compile(facts: RepositoryFacts) -> Result<Self, Error> {
        let policy = facts.policy.as_deref().map(super::compile_resource_policy).transpose()?;
        Ok(Self { policy, tags: facts.tags })
    }
}

/// What is kept.
pub(crate) struct Facts {
    newest: Mutex<Option<(Revision, Timestamp)>>,
    credentials: Cache<String, Read<Option<Credential>>, Size>,
    repositories: Cache<Place, Read<RepositoryRules>>,
    registries: Cache<Registry, Read<Option<Named>>>,
    accounts: Cache<AccountId, Read<bool>>,
}

/// A repository among those of all registries.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    registry: Registry,
    name: RepositoryName,
}

/// The same, borrowed: whoever looks one up makes no copy. It hashes as [`Place`] does, field by field.
#[derive(Hash)]
struct At<'a> {
    registry: &'a Registry,
    name: &'a RepositoryName,
}

impl Equivalent<Place> for At<'_> {
    fn equivalent(&self, place: &Place) -> bool {
        *self.name == place.name && *self.registry == place.registry
    }
}

#[derive(Clone)]
struct Size;

impl Weighter<String, Read<Option<Credential>>> for Size {
    fn weight(&self, shown: &String, _: &Read<Option<Credential>>) -> u64 {
        CREDENTIAL + shown.len() as u64
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            newest: Mutex::default(),
            credentials: Cache::with_weighter(8 * 1024, CREDENTIALS, Size),
            repositories: Cache::new(REPOSITORIES),
            registries: Cache::new(REGISTRIES),
            accounts: Cache::new(REGISTRIES),
        }
    }
}

impl Facts {
    fn known_revision(&self, now: Timestamp) -> Option<Revision> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest
            .as_ref()
            .filter(|(_, at)| *at <= now && now < at.after(FRESH_FOR))
            .map(|(revision, _)| Arc::clone(revision))
    }

    fn set_revision(&self, revision: &Revision, now: Timestamp) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(revision), now));
    }

    /// The next request asks for the revision anew: to be called behind every change of these facts.
    pub(crate) fn changed(&self) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Domain {
    /// The revision that counts now.
    pub(crate) async fn revision(&self) -> Result<Revision, Error> {
        let now = self.clock.now();
        if let Some(known) = self.facts.known_revision(now) {
            return Ok(known);
        }
        let read = self.database.read(|txn| revision::current(txn).map_err(Error::from)).await?;
        let read = Revision::from(read);
        self.facts.set_revision(&read, now);
        Ok(read)
    }

    /// What is kept of a credential, by what a client shows of it.
    pub(crate) async fn kept_credential(&self, shown: &str) -> Result<Option<Arc<Option<Credential>>>, Error> {
        let revision = self.revision().await?;
        Ok(self.facts.credentials.get(shown).filter(|kept| kept.at == revision).map(|kept| kept.value))
    }

    /// Reads a credential and keeps it, also that there is none.
    pub(crate) async fn read_credential<F>(&self, shown: &str, read: F) -> Result<Arc<Option<Credential>>, Error>
    where
        F: Fn(&mut dyn Transaction) -> Result<Option<Credential>, Error> + Send + 'static,
    {
        let read = self.read_with_revision(read).await?;
        self.facts.credentials.insert(shown.to_owned(), read.clone());
        Ok(read.value)
    }

    /// What is decided about a repository by itself; nothing for one that does not exist.
    pub(crate) async fn repository_rules(&self, name: &RepositoryName) -> Result<Arc<RepositoryRules>, Error> {
        let revision = self.revision().await?;
        let at = At { registry: &self.settings.registry, name };
        if let Some(kept) = self.facts.repositories.get(&at).filter(|kept| kept.at == revision) {
            return Ok(kept.value);
        }
        let place = Place { registry: self.settings.registry.clone(), name: name.clone() };
        let (registry, wanted) = (place.registry.clone(), place.name.clone());
        let read = self
            .read_with_revision(move |txn| {
                RepositoryRules::compile(resource_policies::of_repository(txn, &registry, &wanted)?)
            })
            .await?;
        self.facts.repositories.insert(place, read.clone());
        Ok(read.value)
    }

    /// The same of many, whose names are in order: those that have nothing are left out. Nothing of it is kept.
    pub(crate) async fn rules_among(
        &self,
        names: &[RepositoryName],
    ) -> Result<BTreeMap<String, RepositoryRules>, Error> {
        let (Some(first), Some(last)) = (names.first().cloned(), names.last().cloned()) else {
            return Ok(BTreeMap::new());
        };
        let registry = self.settings.registry.clone();
        let facts = self
            .database
            .read(move |txn| resource_policies::between(txn, &registry, &first, &last).map_err(Error::from))
            .await?;
        facts.into_iter().map(|(name, facts)| Ok((name, RepositoryRules::compile(facts)?))).collect()
    }

    /// The policy of the registry.
    pub(crate) async fn registry_rules(&self) -> Result<Arc<Option<Named>>, Error> {
        let revision = self.revision().await?;
        let kept = self.facts.registries.get(&self.settings.registry);
        if let Some(kept) = kept.filter(|kept| kept.at == revision) {
            return Ok(kept.value);
        }
        let registry = self.settings.registry.clone();
        let read = self
            .read_with_revision(move |txn| {
                let document = resource_policies::of_registry(txn, &registry)?;
                document.as_deref().map(super::compile_registry_policy).transpose()
            })
            .await?;
        self.facts.registries.insert(self.settings.registry.clone(), read.clone());
        Ok(read.value)
    }

    /// Whether there is an account.
    pub(crate) async fn account_exists(&self, id: &AccountId) -> Result<bool, Error> {
        let revision = self.revision().await?;
        if let Some(kept) = self.facts.accounts.get(id).filter(|kept| kept.at == revision) {
            return Ok(*kept.value);
        }
        let wanted = id.clone();
        let read = self.read_with_revision(move |txn| Ok(accounts::find(txn, &wanted)?.is_some())).await?;
        self.facts.accounts.insert(id.clone(), read.clone());
        Ok(*read.value)
    }

    async fn read_with_revision<T, F>(&self, read: F) -> Result<Read<T>, Error>
    where
        T: Send + Sync + 'static,
        F: Fn(&mut dyn Transaction) -> Result<T, Error> + Send + 'static,
    {
        let (at, value) = self.database.read(move |txn| Ok::<_, Error>((revision::current(txn)?, read(txn)?))).await?;
        Ok(Read { at: at.into(), value: Arc::new(value) })
    }
}
