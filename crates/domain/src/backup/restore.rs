//! Restoring a backup into an empty database and a blob store.
//!
//! Blobs come before the rows that need them. Those that the blob store holds already, where only the database was lost,
//! are read and kept. A property marks the database until the restore is done: no registry opens before, and running it
//! again goes on.

use std::collections::BTreeMap;
use std::fs::File;

use berth_oci::digest::Digest;
use berth_store::blob_store::chunks;
use berth_store::dump::{TABLES, Table};
use berth_store::{Archive, ArchiveError, BlobKey, BlobStoreError, Row, Transaction, Value, blobs, properties};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::document::{Batch, Reader};
use super::{AT_ONCE, Backup, BackupError, Progress, place};
use crate::error::Error;
use crate::garbage::{KEYS_KEPT_UNTIL, keep_keys};
use crate::{Parts, seal};

/// Marks a database whose restore has not ended; its value is the backup's id.
pub(crate) const UNFINISHED: &str = "restore_unfinished";
/// Rows written in one transaction.
const BATCH: usize = 500;

/// What came of restoring a backup.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Restored {
    /// The backup.
    pub backup: Backup,
    /// Blobs that were copied; the others were in the blob store.
    pub copied: u64,
    /// Blobs that neither has. They are quarantined: pushing them again, or `berth verify --repair`, brings them back.
    pub lacking: Vec<Digest>,
}

/// Restores a backup, or the latest one. With `without_secrets` access keys stay behind and any server key will do.
/// `scratch` is an empty file for the tables.
pub async fn restore(
    parts: &Parts,
    archive: &dyn Archive,
    id: Option<&str>,
    without_secrets: bool,
    scratch: &File,
    progress: &dyn Progress,
) -> Result<Restored, BackupError> {
    let backup = place::find(archive, id).await?;
    place::fetch_tables(archive, &backup, scratch).await?;
    progress.expect(backup.bytes);
    let restored = Restored { backup: backup.clone(), copied: 0, lacking: Vec::new() };
    let mut run = Run { parts, archive, without_secrets, progress, restored };
    run.check_server_key(&mut Reader::new(&backup.id, scratch)?)?;
    run.begin().await?;
    let mut reader = Reader::new(&backup.id, scratch)?;
    while let Some(batch) = reader.batch(BATCH)? {
        run.batch(batch).await?;
    }
    run.end().await?;
    Ok(run.restored)
}

struct Run<'r> {
    parts: &'r Parts,
    archive: &'r dyn Archive,
    without_secrets: bool,
    progress: &'r dyn Progress,
    restored: Restored,
}

impl Run<'_> {
    /// Before anything is written: secrets that nobody can open would be of no use.
    fn check_server_key(&self, reader: &mut Reader<'_>) -> Result<(), BackupError> {
        let Some(batch) = reader.batch(BATCH)? else { return Ok(()) };
        if self.without_secrets || batch.table.name != "properties" {
            return Ok(());
        }
        let sealed = batch.rows.iter().find(|row| row.0.first() == Some(&seal::CANARY_PROPERTY.into()));
        match sealed.map(|row| row.bytes(1)).transpose()? {
            Some(sealed) if !seal::opens(&self.parts.server_key, sealed) => {
                Err(BackupError::Registry(Error::WrongServerKey))
            }
            _ => Ok(()),
        }
    }

    /// Marks the database, having seen that nothing is lost by that. Blobs that an earlier attempt brought stay.
    async fn begin(&self) -> Result<(), BackupError> {
        let id = self.restored.backup.id.clone();
        let begin = self.parts.database.write(move |txn| {
            let marked = properties::get(txn, UNFINISHED)?;
            if marked.is_none() {
                ensure_empty(txn)?;
            }
            let goes_on = marked.as_deref() == Some(id.as_bytes());
            let cleared = TABLES.iter().rev().filter(|table| !(goes_on && table.name == "blobs"));
            cleared.into_iter().try_for_each(|table| table.clear(txn))?;
            Ok::<_, BackupError>(properties::set(txn, UNFINISHED, id.as_bytes())?)
        });
        begin.await
    }

    async fn batch(&mut self, mut batch: Batch) -> Result<(), BackupError> {
        match batch.table.name {
            "access_keys" if self.without_secrets => return Ok(()),
            "properties" => {
                let stays = |row: &Row| {
                    let is = |name: &str| row.0.first() == Some(&name.into());
                    !(is(UNFINISHED) || is(KEYS_KEPT_UNTIL) || self.without_secrets && is(seal::CANARY_PROPERTY))
                };
                batch.rows.retain(stays);
            }
            "blobs" => self.bring_blobs(&mut batch).await?,
            _ => {}
        }
        let insert = self
            .parts
            .database
            .write(move |txn| batch.table.insert(txn, &batch.columns, &batch.rows).map_err(BackupError::from));
        insert.await
    }

    /// Brings the bytes of the rows' blobs and writes into the rows where they lie now.
    async fn bring_blobs(&mut self, batch: &mut Batch) -> Result<(), BackupError> {
        let damaged = || BackupError::damaged(&self.restored.backup.id, "a row of blobs cannot be read");
        let column = |name| batch.column(name).ok_or_else(damaged);
        let (digest, key) = (column("digest")?, column("storage_key")?);
        let (size, quarantined) = (column("size")?, column("quarantined_at")?);
        let mut wanted = Vec::new();
        for (nth, row) in batch.rows.iter().enumerate().filter(|(_, row)| row.0[key] != Value::Null) {
            let parsed = Digest::parse(row.text(digest)?).ok().zip(BlobKey::parse(row.text(key)?));
            let (digest, key) = parsed.ok_or_else(damaged)?;
            wanted.push(Wanted { nth, digest, key, size: row.unsigned(size)? });
        }
        let brought: Vec<(&Wanted, Brought)> =
            stream::iter(wanted.iter().map(|blob| self.bring(blob))).buffer_unordered(AT_ONCE).try_collect().await?;
        for (blob, brought) in brought {
            let row = &mut batch.rows[blob.nth].0;
            match brought {
                Brought::There(at) => (row[key], row[quarantined]) = ((&at).into(), Value::Null),
                Brought::Copied(at) => {
                    self.restored.copied += 1;
                    (row[key], row[quarantined]) = ((&at).into(), Value::Null);
                }
                Brought::Lacking => {
                    self.restored.lacking.push(blob.digest.clone());
                    row[quarantined] = self.parts.clock.now().into();
                }
            }
        }
        Ok(())
    }

    async fn bring<'b>(&self, blob: &'b Wanted) -> Result<(&'b Wanted, Brought), BackupError> {
        let brought = match self.find(blob).await? {
            Some(key) => Brought::There(key),
            None => self.copy(blob).await?.map_or(Brought::Lacking, Brought::Copied),
        };
        self.progress.done(blob.size);
        Ok((blob, brought))
    }

    /// Where the blob store has the blob: at its key of old, or where an attempt before this one put it.
    async fn find(&self, blob: &Wanted) -> Result<Option<BlobKey>, BackupError> {
        let digest = blob.digest.clone();
        let earlier = self.parts.database.read(move |txn| blobs::find(txn, &digest).map_err(BackupError::from)).await?;
        let earlier = earlier.and_then(|earlier| match earlier.location {
            blobs::Location::Key(key) if !earlier.quarantined => Some(key),
            _ => None,
        });
        for key in earlier.into_iter().chain([blob.key.clone()]) {
            if self.is_sound(&key, blob).await? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    async fn is_sound(&self, key: &BlobKey, blob: &Wanted) -> Result<bool, BackupError> {
        let store = &self.parts.blobs;
        let read = match store.size(key).await {
            Ok(size) if size == blob.size => store.read(key, 0, u64::MAX).await,
            Ok(_) | Err(BlobStoreError::NotFound(_)) => return Ok(false),
            Err(error) => Err(error),
        };
        let mut content = place::checked(chunks(read.map_err(Error::from)?), blob.digest.clone());
        loop {
            match content.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(true),
                Err(_) => return Ok(false),
            }
        }
    }

    /// Copies a blob to a fresh key; `None` where the archive has no sound copy.
    async fn copy(&self, blob: &Wanted) -> Result<Option<BlobKey>, BackupError> {
        let mut content = match place::blob(self.archive, &blob.digest).await {
            Ok(content) => content,
            Err(ArchiveError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let key = BlobKey::fresh(self.parts.random.as_ref());
        let mut writer = self.parts.blobs.create(&key, blob.digest.algorithm()).await.map_err(Error::from)?;
        loop {
            match content.try_next().await {
                Ok(Some(frame)) => writer.append(frame).await.map_err(Error::from)?,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(digest = %blob.digest, %error, "the archive's copy cannot be read");
                    drop(writer);
                    self.parts.blobs.delete(&key).await.map_err(Error::from)?;
                    return Ok(None);
                }
            }
        }
        Ok(Some(writer.commit(&blob.digest).await.map_err(Error::from)?.key))
    }

    /// Opens the database to registries if it holds what the backup does. Keys without a row may belong to pushes behind the
    /// backup, which `berth verify --rebuild` finds.
    async fn end(&self) -> Result<(), BackupError> {
        self.parts.database.settle_row_numbers().await?;
        let (now, expected) = (self.parts.clock.now(), self.expected_rows());
        let end = self.parts.database.write(move |txn| {
            ensure_rows(txn, &expected)?;
            keep_keys(txn, now)?;
            Ok::<_, BackupError>(properties::remove(txn, UNFINISHED)?)
        });
        let ended = end.await;
        if matches!(ended, Err(BackupError::Disturbed(_))) {
            self.distrust().await?;
        }
        ended
    }

    /// The next attempt begins at the beginning.
    async fn distrust(&self) -> Result<(), BackupError> {
        let marked = format!("{}, which was disturbed", self.restored.backup.id);
        let mark = move |txn: &mut dyn Transaction| Ok(properties::set(txn, UNFINISHED, marked.as_bytes())?);
        self.parts.database.write(mark).await
    }

    /// How many rows each table must have now. Properties are the database's own in part.
    fn expected_rows(&self) -> BTreeMap<String, u64> {
        let mut expected = self.restored.backup.rows.clone();
        expected.remove("properties");
        if self.without_secrets {
            expected.remove("access_keys");
        }
        expected
    }
}

struct Wanted {
    nth: usize,
    digest: Digest,
    key: BlobKey,
    size: u64,
}

enum Brought {
    There(BlobKey),
    Copied(BlobKey),
    Lacking,
}

/// A node that served from the database meanwhile would have mixed its rows among those of the backup.
fn ensure_rows(txn: &mut dyn Transaction, expected: &BTreeMap<String, u64>) -> Result<(), BackupError> {
    for table in TABLES {
        let there = table.count(txn)?;
        if expected.get(table.name).is_some_and(|count| *count != there) {
            return Err(BackupError::Disturbed(table.name));
        }
    }
    Ok(())
}

/// Properties alone are made by looking at a registry, and hold nothing that could be missed.
fn ensure_empty(txn: &mut dyn Transaction) -> Result<(), BackupError> {
    for table in TABLES.iter().filter(|table| table.name != "properties") {
        if !Table::is_empty(table, txn)? {
            return Err(BackupError::NotEmpty(table.name));
        }
    }
    Ok(())
}
