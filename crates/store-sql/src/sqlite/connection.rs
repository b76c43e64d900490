//! Connections and how they are set up.

use std::path::Path;
use std::time::Duration;

use berth_store::StoreError;
use rusqlite::{Connection, OpenFlags};

/// How long a connection waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Statements that a connection keeps prepared: more than the registry has texts.
const PREPARED: usize = 256;

/// A connection that writes, on a file that is made where it is missing.
pub(super) fn open_writing(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_CREATE)?;
    write_ahead(&connection).map_err(|error| cannot_open(path, &error))?;
    Ok(connection)
}

/// A connection that only reads. The file is opened for writing all the same, as the shared memory beside it must be.
pub(super) fn open_reading(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::empty())?;
    let restricted = connection.pragma_update(None, "query_only", true);
    restricted.map_err(|error| cannot_open(path, &error))?;
    Ok(connection)
}

fn open(path: &Path, more: OpenFlags) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(connection)
    });
    opened.map_err(|error| cannot_open(path, &error))
}

// FULL, not NORMAL: with a write-ahead log NORMAL does not sync at commit, and what was acknowledged must be durable.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |row| {
        let mode: String = row.get(0)?;
        if mode == "wal" { Ok(()) } else { Err(rusqlite::Error::InvalidQuery) }
    })?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)
}

fn cannot_open(path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::Open(format!("{}: {error}", path.display()))
}
