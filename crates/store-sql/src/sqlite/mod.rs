//! The registry in one `SQLite` file.
//!
//! Writes go through a queue to one thread, which commits many callers' functions in one sync (see `writer`). Reads run
//! on the calling thread, each on a connection and a snapshot of its own (see `readers`). The file is in WAL mode, so
//! neither waits for the other. What a failed sync means is told in `log`. Other processes may use the file at the same time: operator commands do.

mod commits;
mod connection;
mod group;
mod inline;
mod log;
mod readers;
mod schema;
mod transaction;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use berth_store::database::{Engine, Job, StoreError};

use crate::migrations;

pub use self::inline::InlineSqlite;
use self::readers::Readers;
use self::transaction::statement_error;
use self::writer::Writer;

/// The engine over one `SQLite` file. Dropping it waits for the writes that were accepted.
pub struct SqliteEngine {
    path: PathBuf,
    readers: Arc<Readers>,
    writer: Writer,
}

impl SqliteEngine {
    /// Opens the database file at `path`, making it where it is missing and bringing its schema to this binary's version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        log::replay(path)?;
        let mut connection = connection::open_writing(path)?;
        schema::migrate(&mut connection, migrations::ALL)?;
        connection::sync_folder(path)?;
        let readers = Arc::new(Readers::open(path)?);
        let writer = Writer::start(path, connection, Arc::clone(&readers))?;
        Ok(Self { path: path.to_owned(), readers, writer })
    }
}

#[async_trait]
impl Engine for SqliteEngine {
    async fn read(&self, job: Job) -> Result<(), StoreError> {
        let outcome = self.readers.run(job);
        self.readers.watch();
        outcome
    }

    async fn write(&self, job: Job) -> Result<(), StoreError> {
        self.writer.run(job).await
    }

    fn is_failing(&self) -> bool {
        self.writer.is_failing()
    }

    fn free_space(&self) -> Result<Option<u64>, StoreError> {
        let space = rustix::fs::statvfs(&self.path);
        let space = space.map_err(|error| StoreError::Unavailable(format!("{}: {error}", self.path.display())))?;
        Ok(Some(space.f_bavail.saturating_mul(space.f_frsize)))
    }
}
