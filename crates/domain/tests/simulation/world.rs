//! One simulated registry: two nodes, one database, one blob store, one clock, and what its clients were told.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_aws::{AccountId, Region};
use berth_domain::seal::ServerKey;
use berth_domain::{Caller, Domain, Error, Parts, Settings};
use berth_oci::digest::Digest;
use berth_oci::endpoint::UploadId;
use berth_store::repositories::Registry;
use berth_store::{BlobStoreError, Clock, Database, StoreError};
use berth_store_sql::sqlite::InlineSqlite;

use crate::chaos::Chaos;
use crate::clock::{SimulatedClock, SimulatedRandom};
use crate::content::Pool;
use crate::engine::{SimulatedEngine, owner_of};
use crate::executor::alone;
use crate::model::{Model, Moment, Outcome};
use crate::store::{Event, MemoryStore};

pub const GRACE: Duration = Duration::from_secs(10);
pub const UPLOAD_TTL: Duration = Duration::from_secs(8);
pub const NODES: usize = 2;

/// An upload that somebody left open.
#[derive(Clone)]
pub struct OpenUpload {
    pub node: usize,
    pub repository: usize,
    pub blob: Digest,
    pub id: UploadId,
}

/// Everything that lives as long as a run.
pub struct World {
    pub chaos: Arc<Chaos>,
    pub clock: Arc<SimulatedClock>,
    pub store: Arc<MemoryStore>,
    pub database: Arc<InlineSqlite>,
    pub pool: Pool,
    pub model: RefCell<Model>,
    pub uploads: RefCell<Vec<OpenUpload>>,
    pub operations_left: RefCell<usize>,
    pub power_losses: RefCell<u64>,
    forbidden: Arc<Mutex<Option<String>>>,
    key: ServerKey,
    inline_blob_bytes: u64,
}

/// Which blobs lie in the database differs from world to world.
fn settings(inline_blob_bytes: u64) -> Settings {
    let registry =
        Registry { account: AccountId::parse("000000000000").unwrap(), region: Region::parse("us-east-1").unwrap() };
    Settings { inline_blob_bytes, gc_grace: GRACE, upload_ttl: UPLOAD_TTL, ..Settings::new(registry) }
}

impl World {
    pub fn new(seed: u64) -> Rc<Self> {
        let chaos = Arc::new(Chaos::seeded(seed));
        let clock = Arc::new(SimulatedClock::new());
        let database = Arc::new(InlineSqlite::open().unwrap());
        let forbidden = Arc::default();
        let watch = watch(Arc::clone(&database), Arc::clone(&forbidden));
        let store = MemoryStore::new(Arc::clone(&chaos), Arc::clone(&clock) as Arc<dyn Clock>, watch);
        let pool = Pool::drawn(&chaos);
        let key = ServerKey::generate(&SimulatedRandom(Arc::clone(&chaos)));
        Rc::new(Self {
            store: Arc::new(store),
            chaos,
            clock,
            database,
            pool,
            forbidden,
            key,
            inline_blob_bytes: [0, 150, 16 * 1024][usize::try_from(seed % 3).unwrap()],
            model: RefCell::default(),
            uploads: RefCell::default(),
            operations_left: RefCell::new(0),
            power_losses: RefCell::new(0),
        })
    }

    /// A process that starts: nothing of an earlier one is in its memory.
    pub fn start_node(&self) -> Rc<Domain> {
        let engine = SimulatedEngine { database: Arc::clone(&self.database), chaos: Arc::clone(&self.chaos) };
        let parts = Parts {
            database: Database::new(engine),
            blobs: Arc::clone(&self.store) as Arc<_>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            random: Arc::new(SimulatedRandom(Arc::clone(&self.chaos))),
            settings: settings(self.inline_blob_bytes),
            server_key: self.key.clone(),
            node: "simulated".to_owned(),
        };
        let was_calm = self.chaos.is_calm();
        self.chaos.set_calm(true);
        let domain = alone(Domain::open(parts)).unwrap();
        self.chaos.set_calm(was_calm);
        Rc::new(domain)
    }

    pub fn now(&self) -> i64 {
        self.clock.now().as_millis()
    }

    pub fn tick(&self) -> Moment {
        self.model.borrow_mut().tick()
    }

    pub fn violated(&self, what: impl FnOnce() -> String) {
        self.model.borrow_mut().violated(what());
    }

    /// The first thing that is not as it must be.
    pub fn violation(&self) -> Option<String> {
        let forbidden = self.forbidden.lock().unwrap().clone();
        forbidden.or_else(|| self.model.borrow().violation().map(str::to_owned))
    }

    /// Manifests of the pool that name a blob.
    pub fn users_of(&self, digest: &Digest) -> Vec<Digest> {
        let using = self.pool.manifests.iter().filter(|manifest| manifest.blobs.contains(digest));
        using.map(|manifest| manifest.digest.clone()).collect()
    }

    /// Whether a repository must have had a blob from `from` until now.
    pub fn must_have_blob(&self, repository: usize, digest: &Digest, from: Moment) -> bool {
        let (users, now) = (self.users_of(digest), self.now());
        let mut model = self.model.borrow_mut();
        let to = model.tick();
        model.must_have_blob(repository, digest, &users, (from, to), now)
    }

    pub fn must_have_manifest(&self, repository: usize, digest: &Digest, from: Moment) -> bool {
        let mut model = self.model.borrow_mut();
        let to = model.tick();
        model.must_have_manifest(repository, digest, (from, to))
    }

    /// What an operation's error tells: whether something may have happened. Errors that no fault explains are violations.
    pub fn judge<T>(&self, what: &str, result: &Result<T, Error>) -> Outcome {
        match result {
            Ok(_) => Outcome::Done,
            Err(Error::Database(StoreError::Unavailable(_)) | Error::BlobStore(BlobStoreError::Io { .. })) => {
                Outcome::Unknown
            }
            Err(error @ (Error::Database(_) | Error::BlobStore(_) | Error::Damaged(_) | Error::OutOfSpace)) => {
                self.violated(|| format!("{what}: {error:?}"));
                Outcome::Unknown
            }
            Err(_) => Outcome::Refused,
        }
    }
}

/// Who pushes and pulls.
pub fn caller() -> Caller {
    let principal = "arn:aws:iam::000000000000:root".to_owned();
    Caller::operator(settings(0).registry.account, principal)
}

/// Rows before bytes, and no key twice.
fn watch(database: Arc<InlineSqlite>, forbidden: Arc<Mutex<Option<String>>>) -> crate::store::Watch {
    Box::new(move |event| {
        let wrong = match event {
            Event::Deleting(key) => {
                owner_of(&database, key).map(|owner| format!("key {key} is deleted while a row has it: {owner}"))
            }
            Event::Reused(key) => Some(format!("key {key} is used again")),
        };
        if let Some(wrong) = wrong {
            forbidden.lock().unwrap().get_or_insert(wrong);
        }
    })
}
