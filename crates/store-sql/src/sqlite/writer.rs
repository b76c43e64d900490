//! Writes: one thread, one queue, one sync for all that wait.
//!
//! Everything queued when the thread comes round is one group, which `group` commits. Nobody is answered before that.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use berth_store::StoreError;
use berth_store::database::Job;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connection::{open_writing, sync_folder};
use super::group::{Outcome, commit_group};
use super::log::{Log, Replayed, close_as_it_is, replay};
use super::readers::Readers;

/// Writes that may wait; further callers wait for a place.
const QUEUE: usize = 1024;

/// Writes that share one commit at most, so that the first of them does not wait long for the last.
const GROUP: usize = 256;

/// How long a group waits for as many others as were in the last one: on a disk that syncs faster than requests come they
/// would all go alone. One client alone never waits.
const PATIENCE: Duration = Duration::from_micros(300);

struct Write {
    job: Job,
    answer: oneshot::Sender<Outcome>,
}

/// The thread that writes, and the way to it.
pub(super) struct Writer {
    // Taken by `drop`: without a sender the thread ends when it has emptied the queue.
    queue: Option<mpsc::Sender<Write>>,
    thread: Option<JoinHandle<()>>,
    is_failing: Arc<AtomicBool>,
}

impl Writer {
    /// Starts the thread on its connection to the database at `path`, which `readers` read.
    pub(super) fn start(path: &Path, connection: Connection, readers: Arc<Readers>) -> Result<Self, StoreError> {
        let (queue, writes) = mpsc::channel(QUEUE);
        let is_failing = Arc::new(AtomicBool::new(false));
        let connected = Some(Connected::over(connection)?);
        let serving = Serving { path: path.to_owned(), readers, connected, is_failing: Arc::clone(&is_failing) };
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || serving.run(writes))
            .map_err(|error| StoreError::Open(format!("starting the writer: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), is_failing })
    }

    /// Hands a function to the thread and waits until its changes are durable. A caller who stops waiting does not stop
    /// the function.
    pub(super) async fn run(&self, job: Job) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(closing)?;
        queue.send(Write { job, answer }).await.map_err(|_| closing())?;
        outcome.await.unwrap_or_else(|_| Err(closing()))
    }

    /// Whether the disk failed the last group.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Acquire)
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

struct Connected {
    connection: Connection,
    log: Log,
}

impl Connected {
    fn over(mut connection: Connection) -> Result<Self, StoreError> {
        let log = Log::of(&mut connection)?;
        Ok(Self { connection, log })
    }
}

/// What the thread works with.
struct Serving {
    path: PathBuf,
    readers: Arc<Readers>,
    // None where the file may lack what was written to it: nothing is written before the log was replayed.
    connected: Option<Connected>,
    is_failing: Arc<AtomicBool>,
}

impl Serving {
    fn run(mut self, mut writes: mpsc::Receiver<Write>) {
        let mut group = Vec::with_capacity(GROUP);
        let mut company = 0;
        while writes.blocking_recv_many(&mut group, GROUP) > 0 {
            if group.len() < company {
                std::thread::park_timeout(PATIENCE);
                let late = std::iter::from_fn(|| writes.try_recv().ok()).take(GROUP - group.len());
                group.extend(late);
            }
            company = group.len();
            let (mut jobs, answers): (Vec<_>, Vec<_>) = group.drain(..).map(|write| (write.job, write.answer)).unzip();
            let committed = self.commit(&mut jobs);
            let failing = matches!(committed, Err(StoreError::Unavailable(_) | StoreError::Open(_)));
            self.is_failing.store(failing, Ordering::Release);
            // Whatever became of it: what failed may be in the log all the same.
            self.readers.note_commit();
            let outcomes = committed.unwrap_or_else(|error| jobs.iter().map(|_| Err(error.clone())).collect());
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // A caller who went away needs no answer.
                let _ = answer.send(outcome);
            }
            self.settle_log();
        }
    }

    fn commit(&mut self, jobs: &mut [Job]) -> Result<Vec<Outcome>, StoreError> {
        if self.connected.is_none() {
            self.connected = Some(self.reconnect()?);
        }
        let Some(connected) = &self.connected else { return Err(closing()) };
        commit_group(&connected.connection, jobs)
    }

    /// Behind the answers, so that nobody waits for it.
    fn settle_log(&mut self) {
        let Some(connected) = self.connected.take() else { return };
        self.readers.keep_snapshots(!connected.log.is_long());
        match connected.log.settle(&connected.connection) {
            Ok(()) => self.connected = Some(connected),
            Err(error) => {
                tracing::error!(%error, "the database's file could not be synced; its log is replayed before the next write");
                self.is_failing.store(true, Ordering::Release);
                close_as_it_is(connected.connection);
            }
        }
    }

    /// Replays the log while nobody reads, and begins anew.
    fn reconnect(&self) -> Result<Connected, StoreError> {
        self.readers.closed(|| match replay(&self.path)? {
            Replayed::Whole => {
                let connected = Connected::over(open_writing(&self.path)?)?;
                sync_folder(&self.path)?;
                tracing::info!("the database's log was replayed");
                Ok(connected)
            }
            Replayed::InUse => {
                Err(StoreError::Unavailable("its log must be replayed, and another process has it open".to_owned()))
            }
        })
    }
}
