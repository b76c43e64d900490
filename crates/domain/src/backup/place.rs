//! What an archive holds, as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Seek as _, Write as _};

use berth_oci::digest::{Algorithm, Digest, Hasher};
use berth_store::{Archive, ArchiveError, Content, Timestamp};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use super::document::Reader;
use super::{Backup, BackupError, FORMAT, blob_name, tables_name};

const REGISTRY: &str = "registry.json";
const BACKUPS: &str = "backups";
/// No document of an archive is larger, in bytes.
const DOCUMENT: usize = 64 << 20;

/// Sees to it that the archive is this registry's: one that holds nothing becomes so.
pub(super) async fn claim(archive: &dyn Archive, registry: &str) -> Result<(), BackupError> {
    let Some(document) = document(archive, REGISTRY).await? else {
        return put(archive, REGISTRY, &json!({ "format": FORMAT, "registry": registry })).await;
    };
    let found: serde_json::Value =
        serde_json::from_slice(&document).map_err(|error| BackupError::damaged(REGISTRY, error))?;
    if found["format"] != json!(FORMAT) {
        return Err(BackupError::Newer(format!("format {}", found["format"])));
    }
    if found["registry"] == json!(registry) { Ok(()) } else { Err(BackupError::Foreign) }
}

pub(super) async fn put(
    archive: &dyn Archive,
    name: &str,
    document: &impl serde::Serialize,
) -> Result<(), BackupError> {
    let text = serde_json::to_vec_pretty(document).map_err(|error| BackupError::damaged(name, error))?;
    Ok(archive.put(name, stream::once(std::future::ready(Ok(Bytes::from(text)))).boxed()).await?)
}

async fn document(archive: &dyn Archive, name: &str) -> Result<Option<Vec<u8>>, BackupError> {
    let mut content = match archive.get(name).await {
        Ok(content) => content,
        Err(ArchiveError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut whole = Vec::new();
    while let Some(frame) = content.next().await {
        whole.extend_from_slice(&frame.map_err(|error| BackupError::damaged(name, error))?);
        if whole.len() > DOCUMENT {
            return Err(BackupError::damaged(name, "it is too large to be what it should be"));
        }
    }
    Ok(Some(whole))
}

/// The backups of an archive, oldest first.
pub async fn list(archive: &dyn Archive) -> Result<Vec<Backup>, BackupError> {
    let mut backups = Vec::new();
    for id in ids(archive).await? {
        if let Some(document) = document(archive, &format!("{BACKUPS}/{id}/backup.json")).await? {
            backups.push(serde_json::from_slice(&document).map_err(|error| BackupError::damaged(&id, error))?);
        }
    }
    Ok(backups)
}

/// The moment of the latest backup; one whose document is damaged does not count.
pub(super) async fn latest_moment(archive: &dyn Archive) -> Result<Option<Timestamp>, BackupError> {
    for id in ids(archive).await?.iter().rev() {
        let document = match document(archive, &format!("{BACKUPS}/{id}/backup.json")).await {
            Err(BackupError::Damaged { .. }) => None,
            read => read?,
        };
        let backup = document.and_then(|document| serde_json::from_slice::<Backup>(&document).ok());
        if let Some(backup) = backup {
            return Ok(Some(backup.taken_at));
        }
    }
    Ok(None)
}

/// The ids of all backups in order, of those that were not finished too.
pub(super) async fn ids(archive: &dyn Archive) -> Result<Vec<String>, BackupError> {
    let mut ids = Vec::new();
    let mut listed = archive.list(BACKUPS);
    while let Some(found) = listed.try_next().await? {
        ids.extend(found.name.split('/').nth(1).map(str::to_owned));
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// The backup of an id, or the latest one.
pub(super) async fn find(archive: &dyn Archive, id: Option<&str>) -> Result<Backup, BackupError> {
    let found = named(archive, id).await?;
    if found.format == FORMAT { Ok(found) } else { Err(BackupError::Newer(format!("format {}", found.format))) }
}

async fn named(archive: &dyn Archive, id: Option<&str>) -> Result<Backup, BackupError> {
    let mut backups = list(archive).await?;
    let told = |text: &str| BackupError::NoSuchBackup(text.to_owned());
    match id {
        None => backups.pop().ok_or_else(|| told("there is no backup here: check the place, or take one first")),
        Some(id) => backups
            .into_iter()
            .find(|backup| backup.id == id)
            .ok_or_else(|| told(&format!("there is no backup {id} here: `berth backup --list` shows which there are"))),
    }
}

/// Brings a backup's tables into a file, checked.
pub(super) async fn fetch_tables(archive: &dyn Archive, backup: &Backup, file: &File) -> Result<(), BackupError> {
    file.set_len(0)?;
    let mut out = file;
    out.rewind()?;
    let mut content = archive.get(&tables_name(&backup.id)).await?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    while let Some(frame) = content.next().await {
        let frame = frame.map_err(|error| BackupError::damaged(&backup.id, error))?;
        hasher.update(&frame);
        out.write_all(&frame)?;
    }
    let digest = hasher.finish();
    if digest == backup.tables {
        return Ok(());
    }
    Err(BackupError::damaged(&backup.id, format!("its tables have digest {digest}, not {}", backup.tables)))
}

/// A blob's bytes, which end in an error where they are not the blob's.
pub(super) async fn blob(archive: &dyn Archive, digest: &Digest) -> Result<Content<'static>, ArchiveError> {
    Ok(checked(archive.get(&blob_name(digest)).await?, digest.clone()))
}

/// Content that ends in an error of the kind `InvalidData` where its digest is another one.
pub(super) fn checked(content: Content<'static>, digest: Digest) -> Content<'static> {
    let hasher = Hasher::new(digest.algorithm());
    let state = Some((content, hasher, digest));
    stream::try_unfold(state, |state| async move {
        let Some((mut content, mut hasher, digest)) = state else { return Ok(None) };
        if let Some(frame) = content.try_next().await? {
            hasher.update(&frame);
            return Ok(Some((frame, Some((content, hasher, digest)))));
        }
        if hasher.finish() == digest {
            return Ok(None);
        }
        Err(std::io::Error::new(std::io::ErrorKind::InvalidData, format!("the bytes of {digest} are wrong or cut")))
    })
    .boxed()
}

/// The bytes of a blob that lies outside of the tables, from whichever backup brought it; checked while they are read.
pub async fn find_blob(archive: &dyn Archive, digest: &Digest) -> Result<Option<Content<'static>>, BackupError> {
    match blob(archive, digest).await {
        Ok(content) => Ok(Some(content)),
        Err(ArchiveError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The bytes of manifests and other small content that the tables of backups hold themselves; of the latest backup that
/// has sound ones. `scratch` is a file for the tables.
pub async fn find_in_tables(
    archive: &dyn Archive,
    wanted: &BTreeSet<Digest>,
    scratch: &File,
) -> Result<BTreeMap<Digest, Vec<u8>>, BackupError> {
    let mut found = BTreeMap::new();
    for backup in list(archive).await?.iter().rev() {
        if found.len() == wanted.len() {
            break;
        }
        fetch_tables(archive, backup, scratch).await?;
        let mut reader = Reader::new(&backup.id, scratch)?;
        while let Some(batch) = reader.batch(500)? {
            if let ("blobs", Some(digest), Some(bytes)) =
                (batch.table.name, batch.column("digest"), batch.column("inline_bytes"))
            {
                for row in batch.rows.iter().filter(|row| row.bytes(bytes).is_ok()) {
                    keep_wanted(wanted, &mut found, row.text(digest)?, row.bytes(bytes)?);
                }
            }
        }
    }
    Ok(found)
}

fn keep_wanted(wanted: &BTreeSet<Digest>, found: &mut BTreeMap<Digest, Vec<u8>>, digest: &str, bytes: &[u8]) {
    if let Ok(digest) = Digest::parse(digest)
        && wanted.contains(&digest)
        && Digest::of(digest.algorithm(), bytes) == digest
    {
        found.entry(digest).or_insert_with(|| bytes.to_vec());
    }
}
