//! Which version of the schema a file has: `PRAGMA user_version`, changed in the same transaction as the schema.

use berth_store::StoreError;
use rusqlite::{Connection, TransactionBehavior};

use super::statement_error;

/// Brings a database to the last of `migrations`.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    while version(connection)? != migrations.len() {
        step(connection, migrations)?;
    }
    Ok(())
}

/// Applies the one migration that follows the database's version, which another process may have just moved.
fn step(connection: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.map_err(|error| statement_error("BEGIN IMMEDIATE", &error))?;
    let from = version(&transaction)?;
    if from > migrations.len() {
        return Err(written_by_newer(from, migrations.len()));
    }
    if let Some(migration) = migrations.get(from) {
        apply(&transaction, migration, from + 1)?;
    }
    transaction.commit().map_err(|error| statement_error("COMMIT", &error))
}

fn apply(connection: &Connection, migration: &str, to: usize) -> Result<(), StoreError> {
    let applied = connection
        .execute_batch(migration)
        .and_then(|()| connection.pragma_update(None, "user_version", to.to_string()));
    applied.map_err(|error| StoreError::Open(format!("migration {to} failed: {error}")))
}

fn version(connection: &Connection) -> Result<usize, StoreError> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    let found = found.map_err(|error| statement_error("PRAGMA user_version", &error))?;
    usize::try_from(found).map_err(|_| StoreError::Open(format!("its schema version is {found}")))
}

fn written_by_newer(found: usize, known: usize) -> StoreError {
    StoreError::Open(format!(
        "written by a newer Berth (schema {found}, this one knows {known}): use that version, or restore a backup"
    ))
}

#[cfg(test)]
mod tests;
