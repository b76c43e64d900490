//! The registry in memory, with every function run on the calling thread: for simulations, which decide themselves when
//! a transaction runs and whether its changes stay.

use std::sync::{Mutex, PoisonError};

use berth_store::StoreError;
use berth_store::database::{Job, Verdict};
use rusqlite::Connection;

use super::transaction::{control, run};
use crate::migrations;

/// A database in memory. It is no engine: whoever simulates one says what becomes of each transaction.
pub struct InlineSqlite(Mutex<Connection>);

impl InlineSqlite {
    /// An empty registry.
    pub fn open() -> Result<Self, StoreError> {
        let opened = Connection::open_in_memory().and_then(|connection| {
            connection.set_prepared_statement_cache_capacity(256);
            connection.pragma_update(None, "foreign_keys", true)?;
            Ok(connection)
        });
        let mut connection = opened.map_err(|error| StoreError::Open(error.to_string()))?;
        super::schema::migrate(&mut connection, migrations::ALL)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Runs a function in a transaction of its own. Its changes stay where it asks for that and `keep` allows it.
    pub fn transact(&self, job: &mut Job, keep: bool) -> Result<(), StoreError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        control(&connection, "BEGIN IMMEDIATE")?;
        let verdict = run(&connection, job);
        let ending = if keep && matches!(verdict, Verdict::Keep) { "COMMIT" } else { "ROLLBACK" };
        control(&connection, ending)?;
        match verdict {
            Verdict::Keep | Verdict::Undo => Ok(()),
            Verdict::Failed(error) => Err(error),
        }
    }
}
