//! Reads: on the calling thread, each on a snapshot of its own.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use berth_store::StoreError;
use berth_store::database::{Job, Verdict};
use rusqlite::Connection;

use super::connection::open_reading;
use super::transaction::{control, run};

/// Idle connections that are kept; more are opened when more threads read at once.
const KEPT: usize = 32;

/// The connections that read.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    // Held by every read; whoever needs the database for itself takes it alone.
    gate: RwLock<()>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::default(), gate: RwLock::default() }
    }

    /// Runs a function on one consistent state: that of its first query.
    pub(super) fn run(&self, mut job: Job) -> Result<(), StoreError> {
        let _open = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let reused = self.idle().pop();
        let connection = reused.map_or_else(|| open_reading(&self.path), Ok)?;
        control(&connection, "BEGIN")?;
        let verdict = run(&connection, &mut job);
        // A connection whose transaction does not end is dropped, which ends it.
        control(&connection, "ROLLBACK")?;
        self.keep(connection);
        match verdict {
            Verdict::Keep | Verdict::Undo => Ok(()),
            Verdict::Failed(error) => Err(error),
        }
    }

    /// Does something while no connection of these is open.
    pub(super) fn closed<T>(&self, work: impl FnOnce() -> T) -> T {
        let _closed = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.idle().clear();
        work()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
