//! The registry in one `SQLite` file.
//!
//! Writes go through a queue to one thread, which commits many callers' functions in one sync (see `writer`). Reads run
//! on the calling thread, each on a connection and a snapshot of its own (see `readers`). The file is in WAL mode, so
//! neither waits for the other. Other processes may use the file at the same time: operator commands do.

mod connection;
mod inline;
mod readers;
mod schema;
mod transaction;
mod writer;

use std::path::Path;

use async_trait::async_trait;
use berth_store::database::{Engine, Job, StoreError};

use crate::migrations;

pub use self::inline::InlineSqlite;
use self::readers::Readers;
use self::transaction::statement_error;
use self::writer::Writer;

/// The engine over one `SQLite` file. Dropping it waits for the writes that were accepted.
pub struct SqliteEngine {
    readers: Readers,
    writer: Writer,
}

impl SqliteEngine {
    /// Opens the database file at `path`, making it where it is missing and bringing its schema to this binary's version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = connection::open_writing(path)?;
        schema::migrate(&mut connection, migrations::ALL)?;
        Ok(Self { readers: Readers::new(path), writer: Writer::start(connection)? })
    }
}

#[async_trait]
impl Engine for SqliteEngine {
    async fn read(&self, job: Job) -> Result<(), StoreError> {
        self.readers.run(job)
    }

    async fn write(&self, job: Job) -> Result<(), StoreError> {
        self.writer.run(job).await
    }
}
