//! Writes: one thread, one queue, one sync for all that wait.
//!
//! Everything queued when the thread comes round is one transaction, each caller's function in a savepoint of its own.
//! Nobody is answered before the outer commit; if that fails, the whole group failed, those included whose functions
//! were undone: what they saw may never have been.

use std::thread::JoinHandle;

use berth_store::StoreError;
use berth_store::database::{Job, Verdict};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::transaction::{control, run};

/// Writes that may wait; further callers wait for a place.
const QUEUE: usize = 1024;

/// Writes that share one commit at most, so that the first of them does not wait long for the last.
const GROUP: usize = 256;

type Outcome = Result<(), StoreError>;

struct Write {
    job: Job,
    answer: oneshot::Sender<Outcome>,
}

/// The thread that writes, and the way to it.
pub(super) struct Writer {
    // Taken by `drop`: without a sender the thread ends when it has emptied the queue.
    queue: Option<mpsc::Sender<Write>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on its connection.
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (queue, writes) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || serve(&connection, writes))
            .map_err(|error| StoreError::Open(format!("starting the writer: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands a function to the thread and waits until its changes are durable. A caller who stops waiting does not stop
    /// the function.
    pub(super) async fn run(&self, job: Job) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(closing)?;
        queue.send(Write { job, answer }).await.map_err(|_| closing())?;
        outcome.await.unwrap_or_else(|_| Err(closing()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.take();
        let Some(thread) = self.thread.take() else { return };
        // A function that held the last handle drops it on the thread itself, which cannot wait for its own end.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread that writes to the database ended by a panic");
        }
    }
}

fn closing() -> StoreError {
    StoreError::Unavailable("it is closing".to_owned())
}

fn serve(connection: &Connection, mut writes: mpsc::Receiver<Write>) {
    let mut group = Vec::with_capacity(GROUP);
    while writes.blocking_recv_many(&mut group, GROUP) > 0 {
        let (mut jobs, answers): (Vec<_>, Vec<_>) = group.drain(..).map(|write| (write.job, write.answer)).unzip();
        let outcomes = commit_group(connection, &mut jobs);
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // A caller who went away needs no answer.
            let _ = answer.send(outcome);
        }
    }
}

/// Runs functions in one transaction; what came of each, in their order.
fn commit_group(connection: &Connection, jobs: &mut [Job]) -> Vec<Outcome> {
    match try_group(connection, jobs) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            tracing::error!(%error, writes = jobs.len(), "a group of writes failed and was undone");
            abandon(connection);
            jobs.iter().map(|_| Err(error.clone())).collect()
        }
    }
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
        return Err(StoreError::Unavailable("the transaction was rolled back by the engine".to_owned()));
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

/// Ends a transaction that failed, so that the next one can begin.
fn abandon(connection: &Connection) {
    if connection.is_autocommit() {
        return;
    }
    if let Err(error) = control(connection, "ROLLBACK") {
        tracing::error!(%error, "rolling back failed");
    }
}
