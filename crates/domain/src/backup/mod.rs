//! Backups: what the registry holds at one moment, in a folder or bucket of its own, taken while it serves.
//!
//! An archive holds `registry.json`, which says whose it is; `blobs/<algorithm>/<two digits>/<hex>`, shared by all backups
//! in it, so that a blob is copied once; and for each backup `backups/<id>/tables.jsonl.gz`, the rows of one snapshot of
//! the database, and `backups/<id>/backup.json`, written last: without it there is no such backup.
//!
//! The snapshot is read first, the blobs that it names are copied after it. Until the last one is, a lease keeps garbage
//! collection from forgetting blobs.

mod check;
mod document;
mod keep;
mod place;
mod restore;
mod take;

use std::collections::BTreeMap;

use berth_oci::digest::Digest;
use berth_store::{ArchiveError, StoreError, Timestamp};

use crate::error::Error;
pub use check::{Checked, check};
pub use place::{find_blob, find_in_tables, list};
pub use restore::{Restored, restore};
pub use take::Taken;

/// The layout of archives that this code writes.
const FORMAT: u32 = 1;

/// Blobs copied at the same time.
const AT_ONCE: usize = 4;

/// What a backup is: its `backup.json`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Backup {
    /// The layout of the archive.
    pub format: u32,
    /// Its name; later ones come later in the order of text.
    pub id: String,
    /// The moment whose state it holds, in milliseconds since 1970.
    pub taken_at: Timestamp,
    /// The version of Berth that took it.
    pub version: String,
    /// The digest of the tables' file.
    pub tables: Digest,
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// Blobs outside of the tables.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that the registry had lost, or held damaged, when it was taken. They are not in it.
    pub lacking: Vec<Digest>,
}

/// Why a backup could not be taken, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The registry refused or failed.
    #[error(transparent)]
    Registry(#[from] Error),
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Another process takes a backup of this registry.
    #[error(
        "another backup of this registry is being taken: wait until it is done, or a minute where its process died"
    )]
    Busy,
    /// The lease that keeps blobs from being collected was lost.
    #[error("the backup took a pause of over a minute, so what it needs may be gone: take it again")]
    LeaseLost,
    /// The archive is another registry's.
    #[error("this archive holds backups of another registry: use another folder or prefix")]
    Foreign,
    /// A newer version wrote it.
    #[error("this was written by a newer Berth ({0}): use that version")]
    Newer(String),
    /// There is no such backup.
    #[error("{0}")]
    NoSuchBackup(String),
    /// Something would be overwritten.
    #[error("the database is not empty ({0} has rows): restore into a new data folder or database")]
    NotEmpty(&'static str),
    /// Somebody else wrote to the database during a restore.
    #[error(
        "{0} has other rows than the backup: something else wrote to the database while it was restored. Stop every node of \
         the registry and run the restore again"
    )]
    Disturbed(&'static str),
    /// What the archive gives is not what was written.
    #[error("backup {id} is damaged: {reason}")]
    Damaged {
        /// The backup.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// The temporary file failed.
    #[error("the temporary file for the tables: {0}")]
    Scratch(#[from] std::io::Error),
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        Self::Registry(error.into())
    }
}

impl BackupError {
    fn damaged(id: &str, reason: impl std::fmt::Display) -> Self {
        Self::Damaged { id: id.to_owned(), reason: reason.to_string() }
    }
}

/// Hears how far a backup or restore got.
pub trait Progress: Send + Sync {
    /// There are so many bytes of blobs in all.
    fn expect(&self, bytes: u64);
    /// So many more of them were copied, or were there.
    fn done(&self, bytes: u64);
}

fn blob_name(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("blobs/{}/{}/{hex}", digest.algorithm().as_str(), &hex[..2])
}

fn tables_name(id: &str) -> String {
    format!("backups/{id}/tables.jsonl.gz")
}

/// Refuses a database that a restore left half filled.
pub(crate) async fn ensure_restored(database: &berth_store::Database) -> Result<(), Error> {
    let read = database.read(|txn| berth_store::properties::get(txn, restore::UNFINISHED).map_err(Error::from));
    match read.await? {
        None => Ok(()),
        Some(id) => Err(Error::RestoreUnfinished(String::from_utf8_lossy(&id).into_owned())),
    }
}
