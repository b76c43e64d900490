//! The operations of the registry and every rule they follow.
//!
//! Begin with [`Domain`]: each door calls its methods and decides nothing itself. The first line of every operation is
//! the authorisation ([`Domain::allow`]); bytes go to the blob store first, then one transaction writes the rows.
//!
//! It may not know HTTP, an engine of the database, or where blobs lie.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod access;
pub mod account_settings;
mod address;
pub mod administrator;
pub mod audit;
pub mod audit_export;
pub mod backup;
pub mod blobs;
pub mod body;
pub mod caller;
mod contents;
mod credential;
pub mod ecr_error;
pub mod error;
pub mod failed_logins;
pub mod federation;
pub mod garbage;
pub mod identity;
pub mod images;
pub mod import;
mod key_usage;
pub mod layers;
pub mod lifecycle;
pub mod login;
pub mod moving;
pub mod passes;
mod pattern;
pub mod principal;
pub mod pull_through;
pub mod pull_time_exclusions;
mod pulls;
pub mod quota;
pub mod rebuild;
pub mod referrers;
pub mod registries;
mod registry_documents;
pub mod repair;
pub mod replication;
pub mod repositories;
pub mod repository_policies;
pub mod resource_tags;
pub mod scanning;
pub mod seal;
pub mod settings;
pub mod signing;
pub mod stats;
pub mod sts;
pub mod tags;
mod target;
pub mod templates;
pub mod throttle;
pub mod unserved;
pub mod uploads;
pub mod verify;

use std::sync::Arc;

use berth_store::{BlobStore, Clock, Database, Random};

pub use body::{Body, BodyFailed};
pub use caller::{Action, Caller, Circumstances};
pub use ecr_error::EcrError;
pub use error::Error;
pub use settings::Settings;

/// A registry: its facts, its bytes, and the rules between a caller and them.
///
/// It is a handle, cheap to clone: what all registries of the server have in common is behind it ([`registries`]), and what
/// is here is one registry's. [`Domain::open`] gives that of the server's own account.
#[derive(Clone)]
pub struct Domain {
    shared: Arc<registries::Shared>,
    settings: Arc<Settings>,
    anonymous: Arc<[berth_aws::policy::Named]>,
}

/// What a [`Domain`] is made of.
pub struct Parts {
    /// Where facts are.
    pub database: Database,
    /// Where bytes are.
    pub blobs: Arc<dyn BlobStore>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub random: Arc<dyn Random>,
    /// What the operator decided.
    pub settings: Settings,
    /// Opens sealed secrets.
    pub server_key: seal::ServerKey,
    /// The name of this process among those that share the blob store; the same after it began again, so that it finds
    /// what it was writing.
    pub node: String,
}

impl Domain {
    /// Puts the registry together, refusing a server key that is not the one its secrets were sealed with, and a database
    /// that a restore left half filled.
    pub async fn open(parts: Parts) -> Result<Self, Error> {
        backup::ensure_restored(&parts.database).await?;
        garbage::keep_keys_of_lost_database(&parts).await?;
        let Parts { database, blobs, clock, random, settings, server_key, node } = parts;
        seal::check_server_key(&database, &server_key, random.as_ref()).await?;
        let (sessions, facts, key_usage, contents, handles) = Default::default();
        let (pulls, room) = Default::default();
        let audit = audit::Queue::new(settings.registry.account.clone(), berth_store::clock::sixteen(random.as_ref()));
        let audit_key = audit::SigningKey::of(&server_key)?;
        let throttles = throttle::Throttles::default();
        let failed_logins = failed_logins::FailedLogins::new(settings.failed_logins);
        let (home, anonymous) = (settings.registry.clone(), access::anonymous_policies(&settings)?.into());
        let shared = registries::Shared {
            database: audit::ledger::Ledger::new(database),
            audit,
            audit_key,
            blobs,
            clock,
            random,
            server_key,
            sessions,
            node,
            facts,
            key_usage,
            contents,
            pulls,
            room,
            home,
            handles,
            throttles,
            failed_logins,
            issuers: federation::issuers::Issuers::default(),
        };
        Ok(Self { shared: Arc::new(shared), settings: Arc::new(settings), anonymous })
    }

    /// What the clock says.
    pub fn now(&self) -> berth_store::Timestamp {
        self.clock.now()
    }

    /// What the operator decided.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether database and blob store answer, and the database takes writes again where the last one met a failing disk. A
    /// full disk is none: pulls and deletions go on.
    pub async fn ready(&self) -> Result<(), Error> {
        self.database.read(|txn| berth_store::properties::get(txn, "ready").map_err(Error::from)).await?;
        self.blobs.free_space().await?;
        if !self.database.is_failing() {
            return Ok(());
        }
        let tried = self.database.write(|txn| berth_store::properties::set(txn, "ready", b"").map_err(Error::from));
        match tried.await {
            Err(Error::OutOfSpace) => Ok(()),
            other => other,
        }
    }
}
