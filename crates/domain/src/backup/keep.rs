//! Retention: all but the latest backups go, and blobs that none of those that stay needs.

use std::collections::HashSet;
use std::fs::File;
use std::num::NonZeroUsize;

use berth_store::Archive;
use futures_util::TryStreamExt as _;

use super::document::Reader;
use super::take::{blobs_of, short};
use super::{Backup, BackupError, place};

/// Keeps the latest `keep` backups of an archive; the ids of the others, which went. Those that were not finished go too:
/// only one backup of a registry is taken at a time.
pub(super) async fn latest(
    archive: &dyn Archive,
    keep: NonZeroUsize,
    scratch: &File,
) -> Result<Vec<String>, BackupError> {
    let backups = place::list(archive).await?;
    let stays = &backups[backups.len().saturating_sub(keep.get())..];
    let needed = needed(archive, stays, scratch).await?;
    let removed: Vec<String> =
        place::ids(archive).await?.into_iter().filter(|id| stays.iter().all(|backup| backup.id != *id)).collect();
    for id in &removed {
        remove(archive, id).await?;
    }
    remove_unneeded(archive, &needed).await?;
    Ok(removed)
}

async fn needed(archive: &dyn Archive, stays: &[Backup], scratch: &File) -> Result<HashSet<u128>, BackupError> {
    let mut needed = HashSet::new();
    for backup in stays {
        place::fetch_tables(archive, backup, scratch).await?;
        let mut reader = Reader::new(&backup.id, scratch)?;
        while let Some(batch) = reader.batch(500)? {
            if batch.table.name == "blobs" {
                needed.extend(blobs_of(&backup.id, &batch)?.iter().filter_map(|blob| short(&blob.digest.hex())));
            }
        }
    }
    Ok(needed)
}

/// What says that the backup is there goes first.
async fn remove(archive: &dyn Archive, id: &str) -> Result<(), BackupError> {
    archive.delete(&format!("backups/{id}/backup.json")).await?;
    let rest: Vec<_> = archive.list(&format!("backups/{id}")).try_collect().await?;
    for found in rest {
        archive.delete(&found.name).await?;
    }
    Ok(())
}

async fn remove_unneeded(archive: &dyn Archive, needed: &HashSet<u128>) -> Result<(), BackupError> {
    let mut listed = archive.list("blobs");
    while let Some(found) = listed.try_next().await? {
        let hash = found.name.rsplit('/').next().and_then(short);
        if hash.is_some_and(|hash| !needed.contains(&hash)) {
            archive.delete(&found.name).await?;
        }
    }
    Ok(())
}
