//! What PostgreSQL's errors mean to a caller.

use berth_store::StoreError;
use berth_store::database::Job;
use tokio_postgres::error::SqlState;

use super::transaction::Outcome;

/// A run that failed and may be made again.
#[derive(Debug)]
pub(super) enum Rerun {
    /// Another transaction came in between.
    Conflict(StoreError),
    /// A row that the function did not see is there already, by a transaction at the same time; or it is the function's
    /// own mistake, and comes again.
    Duplicate(StoreError),
    /// The connection was lost before anything was committed.
    Connection(StoreError),
}

impl Rerun {
    /// How often to run a function that ends so, at most.
    pub(super) fn most_runs(&self) -> u32 {
        match self {
            Self::Conflict(_) | Self::Connection(_) => u32::MAX,
            Self::Duplicate(_) => 4,
        }
    }

    /// A word for the figures.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            Self::Duplicate(_) => "duplicate",
            Self::Connection(_) => "connection",
        }
    }

    /// What the caller is told when it was tried long enough.
    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Self::Conflict(error) => StoreError::Unavailable(format!("too many writes met: {error}")),
            Self::Duplicate(error) | Self::Connection(error) => error,
        }
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NoConnection {
    /// The server cannot be reached just now.
    Unreachable(StoreError),
    /// All connections of the pool were busy for too long.
    Busy(StoreError),
    /// The server does not let this user in, or has no such database: waiting does not help.
    Refused(StoreError),
}

impl NoConnection {
    pub(super) fn again_or_fail(self, job: Job) -> Result<(Job, Outcome), StoreError> {
        match self {
            Self::Unreachable(error) => Ok((job, Outcome::Again(Rerun::Connection(error)))),
            Self::Busy(error) | Self::Refused(error) => Err(error),
        }
    }

    /// Why connecting failed.
    pub(super) fn because(error: &tokio_postgres::Error) -> Self {
        let told = describe(error);
        // Login refused, no such database.
        let refused = |state: &SqlState| ["28", "3D"].contains(&state.code().get(..2).unwrap_or_default());
        if error.code().is_some_and(refused) {
            return Self::Refused(StoreError::Open(told));
        }
        Self::Unreachable(StoreError::Unavailable(told))
    }

    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Self::Unreachable(error) | Self::Busy(error) | Self::Refused(error) => error,
        }
    }
}

/// An error of a statement, by whether running the whole function again may help.
#[derive(Debug)]
pub(super) enum Failed {
    /// It may.
    Again(Rerun),
    /// It does not.
    Final(StoreError),
}

impl Failed {
    /// What the function itself is told.
    pub(super) fn store_error(&self) -> StoreError {
        match self {
            Self::Again(Rerun::Conflict(error) | Rerun::Duplicate(error) | Rerun::Connection(error))
            | Self::Final(error) => error.clone(),
        }
    }
}

/// An error by its kind. `sql` is empty where no statement is to blame.
pub(super) fn classify(sql: &str, error: &tokio_postgres::Error) -> Failed {
    let told = describe(error);
    let Some(state) = error.code() else {
        // Without a state the server said nothing: the connection broke, or a value did not fit its parameter.
        return if error.is_closed() || is_io(error) {
            Failed::Again(Rerun::Connection(StoreError::Unavailable(told)))
        } else {
            Failed::Final(refused(sql, told))
        };
    };
    if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(state) {
        return Failed::Again(Rerun::Conflict(StoreError::Unavailable(told)));
    }
    if [SqlState::UNIQUE_VIOLATION, SqlState::FOREIGN_KEY_VIOLATION].contains(state) {
        return Failed::Again(Rerun::Duplicate(refused(sql, told)));
    }
    if is_shutdown(state) {
        return Failed::Again(Rerun::Connection(StoreError::Unavailable(told)));
    }
    Failed::Final(if is_unavailable(state) { StoreError::Unavailable(told) } else { refused(sql, told) })
}

/// The server refused a statement for what it says.
pub(super) fn refused(sql: &str, reason: String) -> StoreError {
    StoreError::Statement { statement: sql.to_owned(), reason }
}

/// The server's own words rather than "db error".
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(server) = error.as_db_error() {
        return format!("{} ({})", server.message(), server.code().code());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error + 'static>::is::<std::io::Error>)
}

/// The server ends this connection; another one may find it up again, or its successor.
fn is_shutdown(state: &SqlState) -> bool {
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(state)
        || state.code().starts_with("08")
}

/// Full, read-only (a standby, or an operator's wish), out of connections, cut short: time or an operator may help.
fn is_unavailable(state: &SqlState) -> bool {
    let class = state.code().get(..2).unwrap_or_default();
    // Insufficient resources, operator intervention, system error, object not in the right state, login refused.
    ["53", "57", "58", "55", "28"].contains(&class)
        || [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::INVALID_CATALOG_NAME, SqlState::TOO_MANY_CONNECTIONS]
            .contains(state)
}
