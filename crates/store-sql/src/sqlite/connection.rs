//! Connections and how they are set up.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use berth_store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::transaction::is_unavailable;

/// How long a connection waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Statements that a connection keeps prepared: more than the registry has texts.
const PREPARED: usize = 256;

/// A connection that writes, on a file that is made where it is missing.
pub(super) fn open_writing(path: &Path) -> Result<Connection, StoreError> {
    let opened = open(path, OpenFlags::SQLITE_OPEN_CREATE).and_then(|connection| {
        write_ahead(&connection)?;
        Ok(connection)
    });
    opened.map_err(|error| cannot_open(path, &error))
}

/// A connection that only reads. The file is opened for writing all the same, as the shared memory beside it must be.
pub(super) fn open_reading(path: &Path) -> Result<Connection, StoreError> {
    let opened = open(path, OpenFlags::empty()).and_then(|connection| {
        connection.pragma_update(None, "query_only", true)?;
        // What is moved from the log at the end is the writer's affair.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        Ok(connection)
    });
    opened.map_err(|error| cannot_open(path, &error))
}

/// The only connection: it fails with `SQLITE_BUSY` where there are others, and reads the log from its beginning, whatever
/// the shared memory says of it.
pub(super) fn open_alone(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path, OpenFlags::empty())?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update_and_check(None, "locking_mode", "exclusive", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    // The first access takes the lock.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn open(path: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    connection.pragma_update(None, "foreign_keys", true)?;
    // A plan is made once for a text, not again for each value: that took a quarter of the time of a pull by tag.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
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

/// Makes the names of the database's file and log durable. `SQLite` syncs the folder too, and takes no notice of a failure.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| StoreError::Open(format!("{}: syncing its folder: {error}", path.display())))
}

pub(super) fn cannot_open(path: &Path, error: &rusqlite::Error) -> StoreError {
    let told = format!("{}: {error}", path.display());
    if is_unavailable(error) { StoreError::Unavailable(told) } else { StoreError::Open(told) }
}
