//! A group of writes: one transaction, each caller's function in a savepoint of its own.
//!
//! If the commit fails, the whole group failed, those included whose functions were undone: what they saw may never have
//! been.

use berth_store::StoreError;
use berth_store::database::{Job, Verdict};
use rusqlite::Connection;

use super::transaction::{control, run};

/// What one caller is told.
pub(super) type Outcome = Result<(), StoreError>;

/// Runs functions in one transaction; what came of each, in their order, or why none of them was done.
pub(super) fn commit_group(connection: &Connection, jobs: &mut [Job]) -> Result<Vec<Outcome>, StoreError> {
    try_group(connection, jobs).inspect_err(|error| {
        tracing::error!(%error, writes = jobs.len(), "a group of writes failed and was undone");
        abandon(connection);
    })
}

fn try_group(connection: &Connection, jobs: &mut [Job]) -> Result<Vec<Outcome>, StoreError> {
    control(connection, "BEGIN IMMEDIATE")?;
    let outcomes = jobs.iter_mut().map(|job| run_in_savepoint(connection, job));
    let outcomes = outcomes.collect::<Result<_, _>>()?;
    control(connection, "COMMIT")?;
    Ok(outcomes)
}

/// Runs one function; an error of the outer result is the whole group's.
fn run_in_savepoint(connection: &Connection, job: &mut Job) -> Result<Outcome, StoreError> {
    control(connection, "SAVEPOINT caller")?;
    let verdict = run(connection, job);
    // A full disk or a failed read may end the outer transaction, and everybody's changes with it.
    if connection.is_autocommit() {
        return Err(rolled_back(verdict));
    }
    if !matches!(verdict, Verdict::Keep) {
        control(connection, "ROLLBACK TO caller")?;
    }
    control(connection, "RELEASE caller")?;
    Ok(match verdict {
        Verdict::Keep | Verdict::Undo => Ok(()),
        Verdict::Failed(error) => Err(error),
    })
}

/// The reason that the function met, where it is one that ends a transaction.
fn rolled_back(verdict: Verdict) -> StoreError {
    match verdict {
        Verdict::Failed(error @ (StoreError::Full(_) | StoreError::Unavailable(_))) => error,
        _ => StoreError::Unavailable("the transaction was rolled back by the engine".to_owned()),
    }
}

/// Ends a transaction that failed, so that the next one can begin.
fn abandon(connection: &Connection) {
    if connection.is_autocommit() {
        return;
    }
    if let Err(error) = control(connection, "ROLLBACK") {
        tracing::error!(%error, "rolling back failed");
    }
}
