//! Open uploads: leases on a key of the blob store.

use berth_aws::AccountId;
use berth_oci::digest::Algorithm;

use crate::blob_store::{BlobKey, Checkpoint, Unfinished};
use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::parameters;
use crate::repositories::RepositoryId;

/// One open upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRecord {
    /// Its id, a UUID.
    pub id: String,
    /// The repository that the blob is for.
    pub repository: RepositoryId,
    /// The account that it counts for.
    pub account: AccountId,
    /// The ARN of who began it; nobody else may use it.
    pub principal: String,
    /// Where its bytes go.
    pub key: BlobKey,
    /// What they are hashed with.
    pub algorithm: Algorithm,
    /// When it began.
    pub created_at: Timestamp,
    /// When it may be taken away.
    pub expires_at: Timestamp,
    /// On a store that several nodes share: from where to go on.
    pub checkpoint: Option<Checkpoint>,
    /// Whether a node that wrote to it did not say how far it got.
    pub contested: bool,
    /// Counts the requests that wrote to it, on a shared store.
    pub version: i64,
    /// Parts that came through the API of ECR.
    pub parts: u64,
    /// Where the first of them ended that was too short to be followed by another.
    pub short_part_end: Option<u64>,
}

impl UploadRecord {
    /// The upload for its store.
    pub fn unfinished(&self) -> Unfinished<'_> {
        Unfinished { key: &self.key, checkpoint: self.checkpoint.as_ref(), contested: self.contested }
    }
}

const COLUMNS: &str = "id, repository_id, account, principal, storage_key, algorithm, created_at, expires_at, received, \
                       checkpoint, tail_key, contested, version, parts, short_part_end";

fn read(row: &Row) -> Result<UploadRecord, StoreError> {
    Ok(UploadRecord {
        id: row.text(0)?.to_owned(),
        repository: RepositoryId(row.integer(1)?),
        account: row.parsed(2, AccountId::parse)?,
        principal: row.text(3)?.to_owned(),
        key: row.parsed(4, |text| BlobKey::parse(text).ok_or("no key"))?,
        algorithm: row.parsed(5, Algorithm::parse)?,
        created_at: Timestamp::from_millis(row.integer(6)?),
        expires_at: Timestamp::from_millis(row.integer(7)?),
        checkpoint: read_checkpoint(row)?,
        contested: row.integer(11)? != 0,
        version: row.integer(12)?,
        parts: row.unsigned(13)?,
        short_part_end: if row.is_null(14) { None } else { Some(row.unsigned(14)?) },
    })
}

fn read_checkpoint(row: &Row) -> Result<Option<Checkpoint>, StoreError> {
    if row.is_null(9) {
        return Ok(None);
    }
    let tail = if row.is_null(10) { None } else { Some(row.parsed(10, |text| BlobKey::parse(text).ok_or("no key"))?) };
    Ok(Some(Checkpoint { offset: row.unsigned(8)?, tail, state: row.bytes(9)?.to_vec() }))
}

/// Lets one node write to an upload until `until`, and nobody else; `None` where another one may. A claim that was never
/// given back marks the upload as contested.
pub fn claim(
    txn: &mut dyn Transaction,
    id: &str,
    node: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Option<UploadRecord>, StoreError> {
    let sql = "UPDATE uploads SET contested = CASE WHEN taken_by IS NULL THEN contested ELSE 1 END, taken_by = ?2, \
               taken_until = ?4, version = version + 1 \
               WHERE id = ?1 AND (taken_by IS NULL OR taken_by = ?2 OR taken_until < ?3)";
    if txn.execute(sql, parameters![id, node, now, until])? == 0 {
        return Ok(None);
    }
    find(txn, id)
}

/// Keeps a claim for longer; `false` where it was lost.
pub fn renew(
    txn: &mut dyn Transaction,
    upload: &UploadRecord,
    node: &str,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE uploads SET taken_until = ?4 WHERE id = ?1 AND taken_by = ?2 AND version = ?3";
    txn.execute(sql, parameters![&upload.id, node, upload.version, until]).map(|count| count > 0)
}

/// Gives a claim back, noting how far the upload got, or with `None` that this is not known; `false` where it was lost.
pub fn give_back(
    txn: &mut dyn Transaction,
    upload: &UploadRecord,
    node: &str,
    checkpoint: Option<&Checkpoint>,
) -> Result<bool, StoreError> {
    let Some(checkpoint) = checkpoint else {
        let sql = "UPDATE uploads SET taken_by = NULL, taken_until = NULL, contested = 1 \
                   WHERE id = ?1 AND taken_by = ?2 AND version = ?3";
        return txn.execute(sql, parameters![&upload.id, node, upload.version]).map(|count| count > 0);
    };
    let sql = "UPDATE uploads SET taken_by = NULL, taken_until = NULL, received = ?4, checkpoint = ?5, tail_key = ?6 \
               WHERE id = ?1 AND taken_by = ?2 AND version = ?3";
    let (tail, state) = (checkpoint.tail.as_ref(), checkpoint.state.as_slice());
    txn.execute(sql, parameters![&upload.id, node, upload.version, checkpoint.offset, state, tail])
        .map(|count| count > 0)
}

/// Gives back what a node claimed before it ended, which is how many uploads; where it was in each, nobody knows.
pub fn give_back_all(txn: &mut dyn Transaction, node: &str) -> Result<u64, StoreError> {
    let sql = "UPDATE uploads SET taken_by = NULL, taken_until = NULL, contested = 1, version = version + 1 \
               WHERE taken_by = ?1";
    txn.execute(sql, parameters![node])
}

/// Closes an upload that a node holds; `false` where it lost it.
pub fn close_claimed(txn: &mut dyn Transaction, upload: &UploadRecord, node: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM uploads WHERE id = ?1 AND taken_by = ?2 AND version = ?3";
    txn.execute(sql, parameters![&upload.id, node, upload.version]).map(|count| count > 0)
}

/// Opens an upload.
pub fn insert(txn: &mut dyn Transaction, upload: &UploadRecord) -> Result<(), StoreError> {
    let sql = "INSERT INTO uploads (id, repository_id, account, principal, storage_key, algorithm, created_at, \
               expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let values = parameters![
        &upload.id,
        upload.repository,
        &upload.account,
        &upload.principal,
        &upload.key,
        upload.algorithm.as_str(),
        upload.created_at,
        upload.expires_at
    ];
    txn.execute(sql, values).map(|_| ())
}

/// Counts a part that came whole. One that ended at `end` and may not be followed by another is remembered, the first of them.
/// `false` where the upload was closed.
pub fn count_part(txn: &mut dyn Transaction, id: &str, short_end: Option<u64>) -> Result<bool, StoreError> {
    let counted = match short_end {
        None => txn.execute("UPDATE uploads SET parts = parts + 1 WHERE id = ?1", parameters![id])?,
        Some(end) => {
            let sql = "UPDATE uploads SET parts = parts + 1, short_part_end = CASE WHEN short_part_end < ?2 \
                       THEN short_part_end ELSE ?2 END WHERE id = ?1";
            txn.execute(sql, parameters![id, end])?
        }
    };
    Ok(counted > 0)
}

/// Lets an upload begin anew at another key; `false` where it was closed, or begun anew by somebody else.
pub fn begin_anew(txn: &mut dyn Transaction, upload: &UploadRecord, key: &BlobKey) -> Result<bool, StoreError> {
    let sql = "UPDATE uploads SET storage_key = ?3 WHERE id = ?1 AND storage_key = ?2";
    txn.execute(sql, parameters![&upload.id, &upload.key, key]).map(|count| count > 0)
}

/// The upload of an id.
pub fn find(txn: &mut dyn Transaction, id: &str) -> Result<Option<UploadRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE id = ?1");
    txn.query(&sql, parameters![id])?.first().map(read).transpose()
}

/// Closes an upload; says whether it was open.
pub fn delete(txn: &mut dyn Transaction, id: &str) -> Result<bool, StoreError> {
    txn.execute("DELETE FROM uploads WHERE id = ?1", parameters![id]).map(|count| count > 0)
}

/// Those of some keys that an open upload began at.
pub fn begun_at(txn: &mut dyn Transaction, keys: &[BlobKey]) -> Result<Vec<BlobKey>, StoreError> {
    let mut begun = Vec::new();
    for key in keys {
        if !txn.query("SELECT 1 FROM uploads WHERE storage_key = ?1", parameters![key])?.is_empty() {
            begun.push(key.clone());
        }
    }
    Ok(begun)
}

/// How many uploads an account has open, counted no further than `limit`.
pub fn count(txn: &mut dyn Transaction, account: &AccountId, limit: u64) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM uploads WHERE account = ?1 LIMIT ?2) AS open";
    txn.query(sql, parameters![account, limit])?.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// Up to `limit` uploads that expired before `now`.
pub fn expired(txn: &mut dyn Transaction, now: Timestamp, limit: u64) -> Result<Vec<UploadRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2");
    txn.query(&sql, parameters![now, limit])?.iter().map(read).collect()
}

/// Up to `limit` uploads of a repository. No index leads there: an account has not many open.
pub fn of_repository(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    limit: u64,
) -> Result<Vec<UploadRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE repository_id = ?1 LIMIT ?2");
    txn.query(&sql, parameters![repository, limit])?.iter().map(read).collect()
}

/// Moves the end of an upload's lease.
pub fn extend(txn: &mut dyn Transaction, id: &str, expires_at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE uploads SET expires_at = ?2 WHERE id = ?1 AND expires_at < ?2";
    txn.execute(sql, parameters![id, expires_at]).map(|_| ())
}
