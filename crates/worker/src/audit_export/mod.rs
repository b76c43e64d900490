//! What is on record, written as files from time to time, by one node at a time.

mod files;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use berth_domain::audit_export::{Batch, Position, Previous, Scope};
use berth_domain::{Domain, Error};

/// Where files go, and how much comes into one.
#[derive(Debug, Clone)]
pub struct Export {
    /// The folder; it must be there.
    pub folder: PathBuf,
    /// Bytes of rows, as the database holds them, after which a new file begins.
    pub size: u64,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Files of records.
    pub files: u64,
    /// Records in them.
    pub records: u64,
    /// The last link whose records are in files.
    pub link: u64,
    /// Links whose rows are not those that were chained: `berth audit verify` tells more.
    pub doubtful: Vec<u64>,
}

/// Why nothing more was written; what is not written yet comes later.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database.
    #[error(transparent)]
    Domain(#[from] Error),
    /// The disk.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        error: std::io::Error,
    },
    /// Another process does it.
    #[error("another process is exporting: try again in two minutes")]
    Busy,
}

/// Writes for ever, `interval` between the beginnings.
pub async fn run(domain: Arc<Domain>, export: Export, interval: Duration) {
    loop {
        match write(&domain, &export).await {
            Ok(written) => tell(&written),
            Err(ExportError::Busy) => {}
            Err(error) => {
                metrics::counter!("berth_audit_export_failures_total").increment(1);
                tracing::warn!(%error, "the audit trail could not be exported; what is missing is written later");
            }
        }
        tokio::time::sleep(interval).await;
    }
}

/// Lets others export at once, when this process has stopped to.
pub async fn finish(domain: &Domain) {
    if let Err(error) = domain.give_back_export_lease().await {
        tracing::warn!(%error, "other nodes export no records for two minutes");
    }
}

fn tell(written: &Written) {
    metrics::counter!("berth_audit_exported_records_total").increment(written.records);
    if written.files > 0 {
        let Written { files, records, link, .. } = written;
        tracing::info!(files, records, link, "the audit trail was exported");
    }
    if !written.doubtful.is_empty() {
        tracing::error!(links = ?written.doubtful, "records are not those that were chained: run berth audit verify");
    }
}

/// Writes everything that is chained and not written yet.
pub async fn write(domain: &Domain, export: &Export) -> Result<Written, ExportError> {
    let mut written = Written::default();
    loop {
        if !domain.take_export_lease().await? {
            return Err(ExportError::Busy);
        }
        let went = step(domain, export, &mut written).await;
        if !matches!(went, Ok(true)) {
            let given_back = domain.give_back_export_lease().await;
            return went.and_then(|_| Ok(given_back.map(|()| written)?));
        }
    }
}

/// Writes one range; whether there may be more.
async fn step(domain: &Domain, export: &Export, written: &mut Written) -> Result<bool, ExportError> {
    let position = domain.export_position().await?;
    written.link = position.done;
    let Some(batch) = domain.gather_export(position, export.size).await? else { return Ok(false) };
    // The folder comes first: a disk that is not mounted must not get a plan, and nothing is written beside it.
    files::ensure_folder(&export.folder)?;
    let planned = Position { planned: batch.last(), ..position };
    if planned != position && !domain.plan_export(position, planned.planned).await? {
        return Ok(true);
    }
    let last = batch.last();
    let Some((done, files, records, doubtful)) = write_batch(domain, &export.folder, planned, batch).await? else {
        return Ok(true);
    };
    if domain.settle_export(planned, done).await? {
        written.link = last;
        written.files += files;
        written.records += records;
        written.doubtful.extend(doubtful);
    }
    Ok(true)
}

type Done = (Vec<(Scope, Previous)>, u64, u64, Vec<u64>);

/// Writes the files of a batch; `None` where another process was faster.
async fn write_batch(
    domain: &Domain,
    folder: &Path,
    planned: Position,
    mut batch: Batch,
) -> Result<Option<Done>, ExportError> {
    let gathered = std::mem::take(&mut batch.files);
    let (mut done, mut records) = (Vec::new(), 0);
    let files = gathered.len() as u64;
    for (scope, gathered) in gathered {
        records += gathered.records();
        let Some((place, bytes, sealed)) = domain.seal_export(&batch, planned, &scope, gathered).await? else {
            return Ok(None);
        };
        let last = Previous { path: place.digest.clone(), sha256: sealed.sha256 };
        let folder = folder.to_owned();
        let writing = tokio::task::spawn_blocking(move || {
            files::put(&folder, &place.records, &bytes)?;
            files::put(&folder, &place.digest, &sealed.bytes)
        });
        writing.await.map_err(|error| files::failed(folder_of(&last), std::io::Error::other(error)))??;
        done.push((scope, last));
    }
    let doubtful = batch.doubtful().collect();
    Ok(Some((done, files, records, doubtful)))
}

fn folder_of(last: &Previous) -> &Path {
    Path::new(&last.path)
}
