//! The operations of the registry and every rule they follow.
//!
//! Begin with [`Domain`]: each door calls its methods and decides nothing itself. The first line of every operation is
//! the authorisation ([`Domain::allow`]); bytes go to the blob store first, then one transaction writes the rows.
//!
//! It may not know HTTP, an engine of the database, or where blobs lie.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod access;
pub mod administrator;
pub mod backup;
pub mod blobs;
pub mod body;
pub mod caller;
mod contents;
mod credential;
pub mod ecr_error;
pub mod error;
pub mod garbage;
pub mod identity;
pub mod images;
pub mod import;
mod key_usage;
pub mod login;
pub mod moving;
pub mod passes;
mod pattern;
pub mod principal;
pub mod quota;
pub mod rebuild;
pub mod referrers;
pub mod repair;
pub mod repositories;
pub mod repository_policies;
pub mod seal;
pub mod settings;
pub mod stats;
pub mod sts;
pub mod tags;
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

/// The registry: its facts, its bytes, and the rules between a caller and them.
pub struct Domain {
    database: Database,
    blobs: Arc<dyn BlobStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: Arc<Settings>,
    server_key: seal::ServerKey,
    sessions: uploads::Sessions,
    node: String,
    facts: access::facts::Facts,
    key_usage: key_usage::KeyUsage,
    anonymous: Vec<berth_aws::policy::Named>,
    contents: contents::Contents,
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
        let (sessions, facts, key_usage, contents) = Default::default();
        let anonymous = access::anonymous_policies(&settings)?;
        let settings = Arc::new(settings);
        Ok(Self {
            database,
            blobs,
            clock,
            random,
            settings,
            server_key,
            sessions,
            node,
            facts,
            key_usage,
            anonymous,
            contents,
        })
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
