//! What a function sees of a connection, and how `SQLite`'s values and errors read above.

use std::panic::{AssertUnwindSafe, catch_unwind};

use berth_store::database::{Job, Verdict};
use berth_store::{Row, StoreError, Transaction, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};

/// A connection inside a transaction.
struct Inside<'c>(&'c Connection);

impl Transaction for Inside<'_> {
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        let changed = self
            .0
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params_from_iter(parameters.iter().map(Bound))));
        changed.map(|rows| rows as u64).map_err(|error| statement_error(sql, &error))
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let answer = self.0.prepare_cached(sql).and_then(|mut statement| {
            let rows = statement.query_map(params_from_iter(parameters.iter().map(Bound)), read_row)?;
            rows.collect()
        });
        answer.map_err(|error| statement_error(sql, &error))
    }
}

/// Runs a function on a connection. A panic of it is told as [`StoreError::Panicked`].
pub(super) fn run(connection: &Connection, job: &mut Job) -> Verdict {
    // Nothing that the function leaves half done is looked at again: its caller has no result, its changes are undone.
    let outcome = catch_unwind(AssertUnwindSafe(|| job(&mut Inside(connection))));
    outcome.unwrap_or(Verdict::Failed(StoreError::Panicked))
}

/// Runs a statement that begins or ends a transaction or a savepoint.
pub(super) fn control(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let ran = connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
    ran.map(|_| ()).map_err(|error| statement_error(sql, &error))
}

struct Bound<'v>(&'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let columns = row.as_ref().column_count();
    (0..columns).map(|column| read_value(row, column)).collect::<Result<_, _>>().map(Row)
}

fn read_value(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Value> {
    let found = row.get_ref(column)?;
    Ok(match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Text(_) => Value::Text(found.as_str()?.to_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        // No table has such a column, and no other engine would answer the same.
        ValueRef::Real(_) => {
            return Err(rusqlite::Error::InvalidColumnType(column, "a query's answer".to_owned(), found.data_type()));
        }
    })
}

/// An error of `SQLite` by its kind: whether trying again may help.
pub(crate) fn statement_error(sql: &str, error: &rusqlite::Error) -> StoreError {
    if error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        return StoreError::Full(error.to_string());
    }
    if is_unavailable(error) {
        return StoreError::Unavailable(error.to_string());
    }
    StoreError::Statement { statement: sql.to_owned(), reason: error.to_string() }
}

pub(super) fn is_unavailable(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
        )
    )
}
