//! A group of writes: one transaction, in which each caller's changes stay or go by themselves.
//!
//! A savepoint for each of them would do that, at the price of a copy of each page that it touches. Nearly all functions keep
//! their changes, or fail before they made any: so they run without savepoints first, and only where one is to be undone that
//! did change something the whole group is undone and runs again with them.
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
    let outcomes = if let Some(outcomes) = run_bare(connection, jobs)? {
        outcomes
    } else {
        control(connection, "ROLLBACK")?;
        control(connection, "BEGIN IMMEDIATE")?;
        jobs.iter_mut().map(|job| run_in_savepoint(connection, job)).collect::<Result<_, _>>()?
    };
    control(connection, "COMMIT")?;
    Ok(outcomes)
}

/// Runs the functions one behind the other; `None` where one of them left changes that must go.
fn run_bare(connection: &Connection, jobs: &mut [Job]) -> Result<Option<Vec<Outcome>>, StoreError> {
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        let before = connection.total_changes();
        let verdict = run(connection, job);
        if connection.is_autocommit() {
            return Err(rolled_back(verdict));
        }
        if !matches!(verdict, Verdict::Keep) && connection.total_changes() != before {
            return Ok(None);
        }
        outcomes.push(outcome(verdict));
    }
    Ok(Some(outcomes))
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Keep | Verdict::Undo => Ok(()),
        Verdict::Failed(error) => Err(error),
    }
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
    Ok(outcome(verdict))
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
