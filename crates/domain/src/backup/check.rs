//! Checking a backup: everything in it is read and hashed.

use std::fs::File;

use berth_store::{Archive, ArchiveError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::document::Reader;
use super::take::{Blob, blobs_of};
use super::{AT_ONCE, Backup, BackupError, Progress, place};

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    /// The backup.
    pub backup: Backup,
    /// Blobs that are whole.
    pub blobs: u64,
    /// What is wrong, in words.
    pub findings: Vec<String>,
}

/// Reads a backup, or the latest one, to its end. `scratch` is an empty file for the tables.
pub async fn check(
    archive: &dyn Archive,
    id: Option<&str>,
    scratch: &File,
    progress: &dyn Progress,
) -> Result<Checked, BackupError> {
    let backup = place::find(archive, id).await?;
    place::fetch_tables(archive, &backup, scratch).await?;
    progress.expect(backup.bytes);
    let findings = backup.lacking.iter().map(|digest| format!("{digest} was lost before the backup was taken"));
    let mut checked = Checked { findings: findings.collect(), backup: backup.clone(), blobs: 0 };
    let mut reader = Reader::new(&backup.id, scratch)?;
    while let Some(batch) = reader.batch(500)? {
        if batch.table.name != "blobs" {
            continue;
        }
        let blobs = blobs_of(&backup.id, &batch)?;
        let there = blobs.iter().filter(|blob| !backup.lacking.contains(&blob.digest));
        let mut outcomes = stream::iter(there.map(|blob| read(archive, blob, progress))).buffer_unordered(AT_ONCE);
        while let Some(outcome) = outcomes.next().await {
            match outcome? {
                None => checked.blobs += 1,
                Some(finding) => checked.findings.push(finding),
            }
        }
    }
    Ok(checked)
}

/// What is wrong with a blob.
async fn read(archive: &dyn Archive, blob: &Blob, progress: &dyn Progress) -> Result<Option<String>, BackupError> {
    let mut content = match place::blob(archive, &blob.digest).await {
        Ok(content) => content,
        Err(ArchiveError::NotFound(name)) => return Ok(Some(format!("{} is missing: {name}", blob.digest))),
        Err(error) => return Err(error.into()),
    };
    loop {
        match content.try_next().await {
            Ok(Some(frame)) => progress.done(frame.len() as u64),
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(format!("{} is damaged: {error}", blob.digest))),
        }
    }
}
