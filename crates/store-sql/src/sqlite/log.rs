//! The write-ahead log, and what a failed sync means for it.
//!
//! After a failed sync the kernel takes the pages that it could not write for clean: a second sync succeeds and says
//! nothing of them. Only writing them again does. `SQLite` does so for a commit whose sync failed: the next one writes its
//! frames over those. Two places are left, and both are met by replaying the whole log, alone, into the database's file:
//!
//! - A crash behind such a commit. Its frames are still in the kernel's cache and look whole, so recovery takes them for
//!   committed, and what is acknowledged next would lie behind frames that the disk may not have.
//! - A failed sync of the database's file. A checkpoint that readers kept from its end counts what it wrote as done
//!   without a sync, so the next checkpoint does not write it again.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use berth_store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, ErrorCode};

use super::connection::{cannot_open, open_alone};
use super::statement_error;

/// Pages in the log from which on they are moved to the database's file: what `SQLite` does by itself, which keeps a
/// failure to itself, too.
const MOVED_FROM: i32 = 1000;

/// The extended code of a sync that failed.
const SYNC_FAILED: i32 = rusqlite::ffi::SQLITE_IOERR_FSYNC;

/// Counts what commits of one connection leave in the log, and moves it.
pub(super) struct Log {
    pages: Arc<AtomicI32>,
}

impl Log {
    /// Takes the place of `SQLite`'s own checkpoints on this connection.
    pub(super) fn of(connection: &mut Connection) -> Result<Self, StoreError> {
        let pages = Arc::new(AtomicI32::new(0));
        let count = Arc::clone(&pages);
        let hook = move |_: &mut Wal, pages| {
            count.store(pages, Ordering::Relaxed);
            Ok(())
        };
        connection.wal_hook(Some(hook)).map_err(|error| statement_error("wal_hook", &error))?;
        Ok(Self { pages })
    }

    /// Whether there are so many pages that [`Self::settle`] moves them.
    pub(super) fn is_long(&self) -> bool {
        self.pages.load(Ordering::Relaxed) >= MOVED_FROM
    }

    /// Moves the log's pages where there are many. An error means that the file may lack what was written to it: the
    /// log must be replayed before anything else is written. Other failures are told and tried again.
    pub(super) fn settle(&self, connection: &Connection) -> Result<(), StoreError> {
        if !self.is_long() {
            return Ok(());
        }
        match checkpoint(connection, "PASSIVE") {
            Ok(_) => Ok(()),
            Err(error) if is_failed_sync(&error) => Err(statement_error("checkpoint", &error)),
            Err(error) => {
                tracing::error!(%error, "the log of the database could not be moved to its file; trying again");
                Ok(())
            }
        }
    }
}

fn is_failed_sync(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == SYNC_FAILED)
}

/// Whether all of the log is in the database's file now.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<bool> {
    let pragma = format!("PRAGMA wal_checkpoint({mode})");
    connection.query_row(&pragma, [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// Closes a connection without moving what is in the log.
pub(super) fn close_as_it_is(connection: Connection) {
    if let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
        tracing::warn!(%error, "a connection cannot be closed without moving the log");
    }
    drop(connection);
}

/// Whether the log was replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replayed {
    /// All that was committed is in the database's file, and synced.
    Whole,
    /// Another process has the database open. The first that opened it did this.
    InUse,
}

/// Writes everything in the log of the database at `path` into its file, from the log's beginning, and takes the log away.
/// This process may have no other connection to it.
pub(super) fn replay(path: &Path) -> Result<Replayed, StoreError> {
    // A log without its database was begun by a start that was cut off, and means nothing.
    let has_log = fs::metadata(log_of(path)).is_ok_and(|log| log.len() > 0);
    if !has_log || !path.exists() {
        return Ok(Replayed::Whole);
    }
    match open_alone(path).and_then(|connection| checkpoint(&connection, "TRUNCATE")) {
        Ok(true) => Ok(Replayed::Whole),
        Ok(false) => Ok(Replayed::InUse),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(Replayed::InUse),
        Err(error) => Err(cannot_open(path, &error)),
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}
