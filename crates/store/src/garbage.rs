//! Garbage: links, blobs and keys that nothing needs any more. Each deletion asks again, in its own transaction, for
//! everything that made its subject garbage.

use berth_oci::digest::Digest;

use crate::blob_store::BlobKey;
use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::leases;
use crate::manifests::ManifestRecord;
use crate::parameters;
use crate::repositories::RepositoryId;

/// A link of a blob to a repository, as a walk over all links meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetLink {
    /// The repository.
    pub repository: RepositoryId,
    /// Its name.
    pub name: String,
    /// The blob.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Whether no manifest of the repository uses it and its last promise is old enough.
    pub idle: bool,
}

/// A blob, as a walk over all blobs meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetBlob {
    /// Its row number.
    pub id: i64,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its key in the blob store, where it has one.
    pub key: Option<BlobKey>,
    /// Its bytes.
    pub size: u64,
    /// Whether no repository links it, no manifest is made of it, and it is old enough.
    pub idle: bool,
}

const LINK_IS_IDLE: &str = "l.linked_at < ?3 AND NOT EXISTS (SELECT 1 FROM manifest_references r \
     WHERE r.digest = l.digest AND r.repository_id = l.repository_id AND r.kind = 'blob')";
const BLOB_IS_IDLE: &str = "b.stored_at < ?2 AND NOT EXISTS (SELECT 1 FROM repository_blobs l WHERE l.blob_id = b.id) \
     AND NOT EXISTS (SELECT 1 FROM manifests m WHERE m.blob_id = b.id)";

/// Up to `limit` links behind a place in their order; idle are those last promised before `before`.
pub fn links(
    txn: &mut dyn Transaction,
    behind: (RepositoryId, &str),
    before: Timestamp,
    limit: u64,
) -> Result<Vec<MetLink>, StoreError> {
    let sql = format!(
        "SELECT l.repository_id, p.name, l.digest, l.size, {LINK_IS_IDLE} FROM repository_blobs l \
         JOIN repositories p ON p.id = l.repository_id WHERE (l.repository_id, l.digest) > (?1, ?2) \
         ORDER BY l.repository_id, l.digest LIMIT ?4"
    );
    txn.query(&sql, parameters![behind.0, behind.1, before, limit])?.iter().map(read_link).collect()
}

fn read_link(row: &Row) -> Result<MetLink, StoreError> {
    Ok(MetLink {
        repository: RepositoryId(row.integer(0)?),
        name: row.text(1)?.to_owned(),
        digest: row.parsed(2, Digest::parse)?,
        size: row.unsigned(3)?,
        idle: row.integer(4)? != 0,
    })
}

/// Takes a link away if it is still idle; says whether it was.
pub fn unlink(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digest: &Digest,
    before: Timestamp,
) -> Result<bool, StoreError> {
    let sql =
        format!("DELETE FROM repository_blobs AS l WHERE l.repository_id = ?1 AND l.digest = ?2 AND {LINK_IS_IDLE}");
    txn.execute(&sql, parameters![repository, digest, before]).map(|count| count > 0)
}

/// Up to `limit` blobs behind row number `after`; idle are those stored before `before`.
pub fn blobs(txn: &mut dyn Transaction, after: i64, before: Timestamp, limit: u64) -> Result<Vec<MetBlob>, StoreError> {
    let sql = format!(
        "SELECT b.id, b.digest, b.storage_key, b.size, {BLOB_IS_IDLE} FROM blobs b WHERE b.id > ?1 ORDER BY b.id LIMIT ?3"
    );
    txn.query(&sql, parameters![after, before, limit])?.iter().map(read_blob).collect()
}

fn read_blob(row: &Row) -> Result<MetBlob, StoreError> {
    let key = row.optional_text(2)?.map(|text| {
        BlobKey::parse(text).ok_or(StoreError::Corrupt { entity: "blobs", reason: "a storage key is none".to_owned() })
    });
    Ok(MetBlob {
        id: row.integer(0)?,
        digest: row.parsed(1, Digest::parse)?,
        key: key.transpose()?,
        size: row.unsigned(3)?,
        idle: row.integer(4)? != 0,
    })
}

/// Forgets a blob if it is still idle and still where it was; says whether it was. Nothing is forgotten while a backup is
/// being taken, which copies what was there when it began.
pub fn forget(
    txn: &mut dyn Transaction,
    blob: &MetBlob,
    before: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if leases::holder(txn, leases::BACKUP, now)?.is_some() {
        return Ok(false);
    }
    let sql = format!(
        "DELETE FROM blobs AS b WHERE b.id = ?1 AND b.digest = ?3 AND b.storage_key IS NOT DISTINCT FROM ?4 AND {BLOB_IS_IDLE}"
    );
    txn.execute(&sql, parameters![blob.id, before, &blob.digest, blob.key.as_ref()]).map(|count| count > 0)
}

/// Promises a link anew; says whether it was there. Whoever asks the clock first may write last, so a later promise stays.
pub fn promise(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digest: &Digest,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE repository_blobs SET linked_at = CASE WHEN linked_at < ?3 THEN ?3 ELSE linked_at END \
               WHERE repository_id = ?1 AND digest = ?2";
    txn.execute(sql, parameters![repository, digest, now]).map(|count| count > 0)
}

/// Begins the grace time of what a manifest leaves behind when it is deleted: the blobs that it names, and its own bytes.
pub fn begin_grace_of_manifest(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    manifest: &ManifestRecord,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE repository_blobs SET linked_at = ?3 WHERE repository_id = ?1 AND linked_at < ?3 AND digest IN \
               (SELECT digest FROM manifest_references WHERE manifest_id = ?2 AND kind = 'blob')";
    txn.execute(sql, parameters![repository, manifest.id, now])?;
    begin_grace_of_blob(txn, &manifest.digest, now)
}

/// Begins the grace time of a blob that a repository lets go: `stored_at` is when somebody last needed it.
pub fn begin_grace_of_blob(txn: &mut dyn Transaction, digest: &Digest, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE blobs SET stored_at = ?2 WHERE digest = ?1 AND domain = '' AND stored_at < ?2";
    txn.execute(sql, parameters![digest, now]).map(|_| ())
}
