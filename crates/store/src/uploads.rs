//! Open uploads: leases on a key of the blob store.

use berth_aws::AccountId;
use berth_oci::digest::Algorithm;

use crate::blob_store::BlobKey;
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
}

const COLUMNS: &str = "id, repository_id, account, principal, storage_key, algorithm, created_at, expires_at";

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
    })
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

/// The upload of an id.
pub fn find(txn: &mut dyn Transaction, id: &str) -> Result<Option<UploadRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE id = ?1");
    txn.query(&sql, parameters![id])?.first().map(read).transpose()
}

/// Closes an upload; says whether it was open.
pub fn delete(txn: &mut dyn Transaction, id: &str) -> Result<bool, StoreError> {
    txn.execute("DELETE FROM uploads WHERE id = ?1", parameters![id]).map(|count| count > 0)
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

/// Moves the end of an upload's lease.
pub fn extend(txn: &mut dyn Transaction, id: &str, expires_at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE uploads SET expires_at = ?2 WHERE id = ?1 AND expires_at < ?2";
    txn.execute(sql, parameters![id, expires_at]).map(|_| ())
}
