//! A function inside its transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use berth_store::database::{Job, Verdict};
use berth_store::{Row, StoreError, Transaction, Value};
use bytes::{BufMut as _, BytesMut};
use tokio::runtime::Handle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use super::connection::Connection;
use super::dialect;
use super::error::{Failed, Rerun, classify, describe, refused};

/// What a function may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

impl Kind {
    // A reader may be slow between its statements, because whoever takes its rows is: it holds a snapshot and no lock.
    fn begin(self) -> &'static str {
        match self {
            Self::Read => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = '1h'"
            }
            Self::Write => "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE",
        }
    }
}

/// What one run of a function came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is over: its changes are durable or undone, as it said, or the engine failed.
    Done(Result<(), StoreError>),
    /// Nothing was committed, and another run may fare better.
    Again(Rerun),
}

impl From<Failed> for Outcome {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Again(rerun) => Self::Again(rerun),
            Failed::Final(error) => Self::Done(Err(error)),
        }
    }
}

/// Runs a function in a transaction; blocks the thread. The connection goes back to its pool, or away where its state is
/// not known.
pub(super) fn run(connection: Connection, runtime: &Handle, job: &mut Job, kind: Kind) -> Outcome {
    let mut inside = Inside { connection: &connection, runtime, kind, failed: None };
    let outcome = match inside.control(kind.begin()) {
        Ok(()) => conclude(&mut inside, job, kind),
        Err(failed) => failed.into(),
    };
    if !inside.is_at_rest() {
        connection.give_up();
    }
    outcome
}

fn conclude(inside: &mut Inside<'_>, job: &mut Job, kind: Kind) -> Outcome {
    // Nothing that the function leaves half done is looked at again: its caller has no result, its changes are undone.
    let verdict = catch_unwind(AssertUnwindSafe(|| job(inside))).unwrap_or(Verdict::Failed(StoreError::Panicked));
    // After a refused statement the transaction cannot be kept, whatever the function made of the error.
    if let Some(failed) = inside.failed.take() {
        inside.roll_back();
        return match (failed, verdict) {
            (Failed::Again(rerun), _) => Outcome::Again(rerun),
            // The function has turned the error into its own.
            (Failed::Final(_), Verdict::Undo) => Outcome::Done(Ok(())),
            (Failed::Final(error), Verdict::Keep | Verdict::Failed(_)) => Outcome::Done(Err(error)),
        };
    }
    match verdict {
        Verdict::Keep if kind == Kind::Write => commit(inside),
        Verdict::Keep | Verdict::Undo => {
            inside.roll_back();
            Outcome::Done(Ok(()))
        }
        Verdict::Failed(error) => {
            inside.roll_back();
            Outcome::Done(Err(error))
        }
    }
}

fn commit(inside: &mut Inside<'_>) -> Outcome {
    match inside.control("COMMIT") {
        Ok(()) => Outcome::Done(Ok(())),
        // The commit may have been made: running the function again could make its changes twice.
        Err(Failed::Again(Rerun::Connection(error))) => Outcome::Done(Err(StoreError::Unavailable(format!(
            "the connection was lost while a change was being committed, so it may or may not have been made: {error}"
        )))),
        Err(failed) => {
            inside.roll_back();
            failed.into()
        }
    }
}

struct Inside<'c> {
    connection: &'c Connection,
    runtime: &'c Handle,
    kind: Kind,
    failed: Option<Failed>,
}

impl Inside<'_> {
    /// Runs a statement that begins or ends the transaction.
    fn control(&self, sql: &str) -> Result<(), Failed> {
        self.wait(sql, self.connection.batch_execute(sql))
    }

    fn roll_back(&self) {
        // A connection on which this fails is not used again.
        if self.control("ROLLBACK").is_err() {
            self.connection.doubt();
        }
    }

    fn is_at_rest(&self) -> bool {
        !self.connection.is_closed() && !self.connection.is_in_doubt()
    }

    /// Waits for the server, though not for ever: it may be gone without a word.
    fn wait<T>(&self, sql: &str, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failed> {
        let limit: Duration = self.connection.patience();
        match self.runtime.block_on(async { tokio::time::timeout(limit, answer).await }) {
            Ok(Ok(value)) => Ok(value),
            // A function that only reads wanted to write: that is its own mistake, not a standby's refusal.
            Ok(Err(error)) if self.kind == Kind::Read && error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => {
                Err(Failed::Final(refused(sql, describe(&error))))
            }
            Ok(Err(error)) => Err(classify(sql, &error)),
            Err(_) => {
                self.connection.doubt();
                let told = format!("PostgreSQL did not answer within {limit:?}");
                Err(Failed::Again(Rerun::Connection(StoreError::Unavailable(told))))
            }
        }
    }

    /// Runs a statement, unless one before it failed: PostgreSQL answers nothing else then.
    fn run<T, A>(&mut self, sql: &str, answer: A) -> Result<T, StoreError>
    where
        A: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        if let Some(failed) = &self.failed {
            return Err(failed.store_error());
        }
        self.wait(sql, answer).map_err(|failed| {
            let told = failed.store_error();
            self.failed = Some(failed);
            told
        })
    }
}

impl Transaction for Inside<'_> {
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        let (connection, text) = (self.connection, dialect::statement(sql));
        self.run(sql, async {
            let statement = connection.prepare_cached(&text).await?;
            connection.execute_raw(&statement, parameters.iter().map(Bound)).await
        })
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let (connection, text) = (self.connection, dialect::statement(sql));
        self.run(sql, async {
            let statement = connection.prepare_cached(&text).await?;
            let parameters: Vec<_> = parameters.iter().map(Bound).collect();
            let parameters: Vec<_> = parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
            connection.query(&statement, &parameters).await?.iter().map(read_row).collect()
        })
    }
}

fn read_row(row: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    (0..row.len()).map(|column| row.try_get::<_, Read>(column).map(|read| read.0)).collect::<Result<_, _>>().map(Row)
}

type Unfit = Box<dyn std::error::Error + Sync + Send>;

/// A parameter, in whatever type PostgreSQL takes it for.
#[derive(Debug)]
struct Bound<'v>(&'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Unfit> {
        match (self.0, ty) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (Value::Integer(number), &Type::INT8) => out.put_i64(*number),
            (Value::Integer(number), &Type::INT4) => out.put_i32(i32::try_from(*number)?),
            (Value::Text(text), &Type::TEXT) => out.put_slice(text.as_bytes()),
            (Value::Bytes(bytes), &Type::BYTEA) => out.put_slice(bytes),
            (value, ty) => return Err(format!("{value:?} is no value of type {ty}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

/// A column, whatever its type.
struct Read(Value);

impl<'r> FromSql<'r> for Read {
    fn from_sql(ty: &Type, raw: &'r [u8]) -> Result<Self, Unfit> {
        let value = match *ty {
            Type::INT8 => Value::Integer(i64::from_sql(ty, raw)?),
            Type::INT4 => Value::Integer(i32::from_sql(ty, raw)?.into()),
            Type::BOOL => Value::Integer(bool::from_sql(ty, raw)?.into()),
            Type::TEXT => Value::Text(String::from_sql(ty, raw)?),
            Type::BYTEA => Value::Bytes(raw.to_vec()),
            // No table has such a column, and the other engine would not answer the same.
            _ => return Err(format!("a query answers with a column of type {ty}").into()),
        };
        Ok(Self(value))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Unfit> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
