//! Reads: on the calling thread, each on a snapshot that is no older than the last acknowledged commit.
//!
//! Taking and leaving a snapshot costs locks that all connections share, a third of what a read by tag costs as a whole. So
//! a connection stays on its snapshot for the next read, as long as nobody committed since (see `commits`). Nobody stays
//! while the log is long, or for longer than a moment: it could neither be moved into the file nor begin anew behind a
//! snapshot, by this process or another one. That moment also bounds how late programs that are not Berth are heard.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use berth_store::StoreError;
use berth_store::database::{Job, Verdict};
use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::commits::{Commits, State};
use super::connection::open_reading;
use super::transaction::{control, run};

/// Idle connections that are kept; more are opened when more threads read at once.
const KEPT: usize = 32;

/// How long a snapshot may serve reads.
const FRESH_FOR: Duration = Duration::from_millis(5);

/// The connections that read.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
    // Held by every read; whoever needs the database for itself takes it alone.
    gate: RwLock<()>,
    commits: Commits,
    keeps_snapshots: AtomicBool,
    // Whether somebody is going to leave what is kept.
    is_watched: AtomicBool,
}

/// A connection, and the snapshot that it stands on.
struct Reader {
    connection: Connection,
    snapshot: Option<Snapshot>,
}

#[derive(Clone, Copy)]
struct Snapshot {
    state: Option<State>,
    taken: Instant,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            path: path.to_owned(),
            idle: Mutex::default(),
            gate: RwLock::default(),
            commits: Commits::open(path)?,
            keeps_snapshots: AtomicBool::new(true),
            is_watched: AtomicBool::new(false),
        })
    }

    /// Runs a function on one consistent state.
    pub(super) fn run(&self, mut job: Job) -> Result<(), StoreError> {
        let _open = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let now = Snapshot { state: self.commits.state(), taken: Instant::now() };
        let reused = self.idle().pop();
        let mut reader = reused.map_or_else(|| Reader::open(&self.path), Ok)?;
        reader.stand_on(now)?;
        let verdict = run(&reader.connection, &mut job);
        if matches!(verdict, Verdict::Failed(_)) || !self.keeps_snapshots.load(Ordering::Acquire) {
            // A connection whose transaction does not end is dropped, which ends it.
            reader.leave()?;
        }
        self.keep(reader);
        match verdict {
            Verdict::Keep | Verdict::Undo => Ok(()),
            Verdict::Failed(error) => Err(error),
        }
    }

    /// From here on nobody reads what was before the commit that just ended.
    pub(super) fn note_commit(&self) {
        self.commits.note();
    }

    /// Whether snapshots may be kept. Where not, those that nobody reads from are left at once, the others after their read.
    pub(super) fn keep_snapshots(&self, may_be: bool) {
        self.keeps_snapshots.store(may_be, Ordering::Release);
        if !may_be {
            self.idle().retain_mut(|reader| reader.leave().is_ok());
        }
    }

    /// Sees to it that no snapshot is kept for long once nobody reads any more. To be called behind each read.
    pub(super) fn watch(self: &Arc<Self>) {
        if self.is_watched.load(Ordering::Acquire) || self.is_watched.swap(true, Ordering::AcqRel) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            self.is_watched.store(false, Ordering::Release);
            self.idle().retain_mut(|reader| reader.leave().is_ok());
            return;
        };
        let readers = Arc::downgrade(self);
        runtime.spawn(async move {
            loop {
                sleep(FRESH_FOR).await;
                let Some(readers) = readers.upgrade() else { return };
                // First: who keeps a snapshot from here on watches it.
                readers.is_watched.store(false, Ordering::Release);
                if readers.leave_old() || readers.is_watched.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
        });
    }

    /// Leaves what is too old to be read from; whether no snapshot is kept now.
    fn leave_old(&self) -> bool {
        let now = Instant::now();
        let mut idle = self.idle();
        idle.retain_mut(|reader| reader.is_fresh(now) || reader.leave().is_ok());
        idle.iter().all(|reader| reader.snapshot.is_none())
    }

    /// Does something while no connection of these is open.
    pub(super) fn closed<T>(&self, work: impl FnOnce() -> T) -> T {
        let _closed = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.idle().clear();
        work()
    }

    fn keep(&self, reader: Reader) {
        let mut idle = self.idle();
        if idle.len() < KEPT {
            idle.push(reader);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: open_reading(path)?, snapshot: None })
    }

    /// Stays on the snapshot where it is good enough for a read that begins now, or takes a new one.
    fn stand_on(&mut self, now: Snapshot) -> Result<(), StoreError> {
        if self.is_fresh(now.taken) && now.state.is_some() && self.snapshot.is_some_and(|kept| kept.state == now.state)
        {
            return Ok(());
        }
        self.leave()?;
        control(&self.connection, "BEGIN")?;
        self.snapshot = Some(now);
        Ok(())
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.snapshot.is_some_and(|kept| now.saturating_duration_since(kept.taken) < FRESH_FOR)
    }

    fn leave(&mut self) -> Result<(), StoreError> {
        if self.snapshot.take().is_some() {
            control(&self.connection, "ROLLBACK")?;
        }
        Ok(())
    }
}
