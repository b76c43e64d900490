//! Which version of the schema a database has: the row of `berth_schema`, changed in the same transaction as the schema.

use berth_store::StoreError;
use tokio_postgres::Row;

use super::connection::Connection;
use super::dialect;
use super::error::describe;
use super::pool::Pool;

/// Nodes that migrate take turns by this lock, whose number means nothing.
const LOCK: i64 = 0x6265_7274_6800_0001;

/// The tables whose rows the server numbers.
pub(super) const NUMBERED: &[&str] = &["repositories", "blobs", "manifests", "tag_history"];

/// The oldest server whose SQL the registry's statements were tested to fit.
const OLDEST_SERVER: i32 = 130_000;

/// Refuses a server on which the registry's promises do not hold, and tells what weakens them.
pub(super) async fn check_server(pool: &Pool) -> Result<(), StoreError> {
    let connection = pool.connection().await.map_err(super::error::NoConnection::into_store_error)?;
    let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), \
               current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')";
    let row = connection.query_one(sql, &[]).await.map_err(|error| cannot_open(&error))?;
    let version: i32 = column(&row, 0)?;
    if version < OLDEST_SERVER {
        return Err(StoreError::Open(format!("PostgreSQL {} is too old: use 13 or later", version / 10_000)));
    }
    let encoding: String = column(&row, 1)?;
    if encoding != "UTF8" {
        return Err(StoreError::Open(format!(
            "the database's encoding is {encoding}: make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
        )));
    }
    for (nth, name) in [(2, "fsync"), (3, "full_page_writes"), (4, "synchronous_commit")] {
        if column::<String>(&row, nth)? == "off" {
            tracing::warn!("PostgreSQL runs with {name} = off: acknowledged pushes may be lost when its machine fails");
        }
    }
    Ok(())
}

/// Brings the database to the last of `migrations`. A database that a newer version of Berth brought further is left as
/// it is: what a version adds does not disturb the one before (see [`crate::migrations`]).
pub(super) async fn migrate(pool: &Pool, migrations: &[&str]) -> Result<(), StoreError> {
    let connection = pool.connection().await.map_err(super::error::NoConnection::into_store_error)?;
    let outcome = migrate_on(&connection, migrations).await;
    if outcome.is_err() {
        // Its transaction may still be open.
        connection.give_up();
    }
    outcome
}

async fn migrate_on(connection: &Connection, migrations: &[&str]) -> Result<(), StoreError> {
    loop {
        run(connection, "BEGIN").await?;
        run(connection, &format!("SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({LOCK})")).await?;
        let found = version(connection).await?;
        ensure_known(found, migrations.len())?;
        let Some(migration) = migrations.get(found) else { return run(connection, "COMMIT").await };
        apply(connection, migration, found + 1).await?;
        run(connection, "COMMIT").await?;
    }
}

/// One version further than this binary's is what a rolling upgrade makes; more than that was never tested together.
fn ensure_known(found: usize, known: usize) -> Result<(), StoreError> {
    if found <= known {
        return Ok(());
    }
    if found == known + 1 {
        tracing::warn!(found, known, "the database was brought to the next schema by a newer Berth; this one works on");
        return Ok(());
    }
    Err(StoreError::Open(format!(
        "written by a newer Berth (schema {found}, this one knows {known}): use that version, or restore a backup"
    )))
}

async fn version(connection: &Connection) -> Result<usize, StoreError> {
    // The server has something to say about a table that is there, which is no news to anybody.
    let quietly = "SET LOCAL client_min_messages = warning";
    run(connection, &format!("{quietly}; CREATE TABLE IF NOT EXISTS berth_schema (version BIGINT NOT NULL)")).await?;
    let row = connection.query_one("SELECT coalesce(max(version), 0) FROM berth_schema", &[]).await;
    let found: i64 = column(&row.map_err(|error| cannot_open(&error))?, 0)?;
    usize::try_from(found).map_err(|_| StoreError::Open(format!("its schema version is {found}")))
}

async fn apply(connection: &Connection, migration: &str, to: usize) -> Result<(), StoreError> {
    let sql = format!(
        "{}; DELETE FROM berth_schema; INSERT INTO berth_schema (version) VALUES ({to})",
        dialect::schema(migration)
    );
    connection
        .batch_execute(&sql)
        .await
        .map_err(|error| StoreError::Open(format!("migration {to} failed: {}", describe(&error))))
}

async fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    connection.batch_execute(sql).await.map_err(|error| cannot_open(&error))
}

fn column<'r, T: tokio_postgres::types::FromSql<'r>>(row: &'r Row, nth: usize) -> Result<T, StoreError> {
    row.try_get(nth).map_err(|error| cannot_open(&error))
}

fn cannot_open(error: &tokio_postgres::Error) -> StoreError {
    StoreError::Open(describe(error))
}
