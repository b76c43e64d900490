//! Blobs: which digest is held where, and which repositories link it.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;

use crate::blob_store::BlobKey;
use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::parameters;
use crate::repositories::{Registry, RepositoryId};

/// Where the bytes of a blob are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// At a key of the blob store.
    Key(BlobKey),
    /// In the row itself: very small blobs and manifests.
    Inline(Vec<u8>),
}

/// One blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRecord {
    /// Its row number.
    pub id: i64,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Where the bytes are.
    pub location: Location,
    /// How many bytes.
    pub size: u64,
    /// Whether they were found damaged.
    pub quarantined: bool,
}

/// A blob as a pull finds it: everything but bytes that are in its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBlob {
    /// Its row number.
    pub id: i64,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Where the bytes are in the blob store; `None` where they are in the row.
    pub key: Option<BlobKey>,
    /// How many bytes.
    pub size: u64,
    /// Whether they were found damaged.
    pub quarantined: bool,
    /// Whether the bytes in the row are more or fewer than it says: either is damaged.
    pub is_doubtful: bool,
}

/// What [`FoundBlob::read`] reads of `b`, a row of the blobs. The length of bytes in the row is known without reading them.
pub(crate) const FOUND: &str = "b.id, b.digest, b.storage_key, b.size, b.quarantined_at, octet_length(b.inline_bytes)";

impl FoundBlob {
    /// Reads the columns of [`FOUND`] from `first` on. The blob must be that of `digest`, whatever a damaged index says.
    pub(crate) fn read(row: &Row, first: usize, digest: &Digest) -> Result<Self, StoreError> {
        let found: Digest = row.parsed(first + 1, Digest::parse)?;
        if found != *digest {
            return Err(StoreError::led_astray("blobs", digest, &found));
        }
        let key = |text: &str| BlobKey::parse(text).ok_or("no key");
        let key = if row.is_null(first + 2) { None } else { Some(row.parsed(first + 2, key)?) };
        let size = row.unsigned(first + 3)?;
        let is_doubtful = key.is_none() && !row.is_null(first + 5) && row.unsigned(first + 5)? != size;
        let quarantined = !row.is_null(first + 4);
        Ok(Self { id: row.integer(first)?, digest: found, key, size, quarantined, is_doubtful })
    }

    /// The same with its location, where that is a key.
    pub fn at(&self, key: &BlobKey) -> BlobRecord {
        BlobRecord {
            id: self.id,
            digest: self.digest.clone(),
            location: Location::Key(key.clone()),
            size: self.size,
            quarantined: self.quarantined,
        }
    }
}

/// The blob of a digest, and when its link was last promised, where the repository of this name links it: one query, as
/// every pull asks it.
pub fn look_up(
    txn: &mut dyn Transaction,
    registry: &Registry,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<(FoundBlob, Timestamp)>, StoreError> {
    let sql = format!(
        "SELECT l.linked_at, {FOUND} FROM repositories r JOIN repository_blobs l ON l.repository_id = r.id \
         JOIN blobs b ON b.id = l.blob_id WHERE r.account = ?1 AND r.region = ?2 AND r.name = ?3 AND l.digest = ?4"
    );
    let rows = txn.query(&sql, parameters![&registry.account, &registry.region, repository, digest])?;
    let read = |row: &Row| Ok((FoundBlob::read(row, 1, digest)?, Timestamp::from_millis(row.integer(0)?)));
    rows.first().map(read).transpose()
}

impl BlobRecord {
    /// This blob, unless an index or a link that is damaged led to it instead of to the one asked for.
    fn named(self, digest: &Digest) -> Result<Self, StoreError> {
        if self.digest == *digest { Ok(self) } else { Err(StoreError::led_astray("blobs", digest, &self.digest)) }
    }
}

const COLUMNS: &str = "b.id, b.digest, b.storage_key, b.inline_bytes, b.size, b.quarantined_at";

fn read(row: &Row) -> Result<BlobRecord, StoreError> {
    let location = if row.is_null(2) {
        Location::Inline(row.bytes(3)?.to_vec())
    } else {
        Location::Key(row.parsed(2, |text| BlobKey::parse(text).ok_or("no key"))?)
    };
    Ok(BlobRecord {
        id: row.integer(0)?,
        digest: row.parsed(1, Digest::parse)?,
        location,
        size: row.unsigned(4)?,
        quarantined: !row.is_null(5),
    })
}

/// The blob of a digest, whoever links it.
pub fn find(txn: &mut dyn Transaction, digest: &Digest) -> Result<Option<BlobRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM blobs b WHERE b.digest = ?1 AND b.domain = ''");
    let rows = txn.query(&sql, parameters![digest])?;
    rows.first().map(|row| read(row).and_then(|found| found.named(digest))).transpose()
}

/// The blob of a digest, where the repository links it.
pub fn find_linked(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<BlobRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM repository_blobs l JOIN blobs b ON b.id = l.blob_id \
         WHERE l.repository_id = ?1 AND l.digest = ?2"
    );
    let rows = txn.query(&sql, parameters![repository, digest])?;
    rows.first().map(|row| read(row).and_then(|found| found.named(digest))).transpose()
}

/// Remembers where the bytes of a digest are, unless sound ones are known already. Returns the blob's row number and
/// the key that lost: the new one where the digest was known, or the old one where it was quarantined. A key that the row
/// names already, because a rebuild found it first, has not lost.
pub fn record(
    txn: &mut dyn Transaction,
    digest: &Digest,
    location: &Location,
    size: u64,
    now: Timestamp,
) -> Result<(i64, Option<BlobKey>), StoreError> {
    let (key, inline) = columns(location);
    let Some(known) = find(txn, digest)? else {
        return insert(txn, digest, location, size, now).map(|id| (id, None));
    };
    if known.quarantined {
        let sql = "UPDATE blobs SET storage_key = ?2, inline_bytes = ?3, size = ?4, stored_at = ?5, \
                   scrubbed_at = ?5, quarantined_at = NULL WHERE id = ?1";
        txn.execute(sql, parameters![known.id, key, inline, size, now])?;
    }
    let same = known.location == *location;
    let lost = if known.quarantined { known.location } else { location.clone() };
    Ok((known.id, key_of(lost).filter(|_| !same)))
}

fn insert(
    txn: &mut dyn Transaction,
    digest: &Digest,
    location: &Location,
    size: u64,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let (key, inline) = columns(location);
    let sql = "INSERT INTO blobs (digest, storage_key, inline_bytes, size, stored_at, scrubbed_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?5) RETURNING id";
    let rows = txn.query(sql, parameters![digest, key, inline, size, now])?;
    rows.first().map_or_else(
        || Err(StoreError::Corrupt { entity: "blobs", reason: "an insert returned no id".to_owned() }),
        |row| row.integer(0),
    )
}

fn columns(location: &Location) -> (Option<&BlobKey>, Option<&[u8]>) {
    match location {
        Location::Key(key) => (Some(key), None),
        Location::Inline(bytes) => (None, Some(bytes)),
    }
}

fn key_of(location: Location) -> Option<BlobKey> {
    match location {
        Location::Key(key) => Some(key),
        Location::Inline(_) => None,
    }
}

/// Makes a blob readable through a repository. A link that was promised later than `now` keeps that promise.
pub fn link(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digest: &Digest,
    blob_id: i64,
    size: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO repository_blobs (repository_id, digest, blob_id, size, linked_at) \
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (repository_id, digest) DO UPDATE SET linked_at = ?5 \
               WHERE repository_blobs.linked_at < ?5";
    txn.execute(sql, parameters![repository, digest, blob_id, size, now]).map(|_| ())
}

/// Takes a blob away from a repository; says whether it was linked.
pub fn unlink(txn: &mut dyn Transaction, repository: RepositoryId, digest: &Digest) -> Result<bool, StoreError> {
    let sql = "DELETE FROM repository_blobs WHERE repository_id = ?1 AND digest = ?2";
    txn.execute(sql, parameters![repository, digest]).map(|count| count > 0)
}

/// Up to `limit` names of a registry's repositories that link a digest, for a mount that names no source.
pub fn repositories_linking(
    txn: &mut dyn Transaction,
    registry: &Registry,
    digest: &Digest,
    limit: u64,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT r.name FROM blobs b JOIN repository_blobs l ON l.blob_id = b.id \
               JOIN repositories r ON r.id = l.repository_id \
               WHERE b.digest = ?1 AND b.domain = '' AND r.account = ?2 AND r.region = ?3 ORDER BY r.name LIMIT ?4";
    let rows = txn.query(sql, parameters![digest, &registry.account, &registry.region, limit])?;
    rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}

/// Up to `limit` blobs behind row number `after`.
pub fn list(txn: &mut dyn Transaction, after: i64, limit: u64) -> Result<Vec<BlobRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM blobs b WHERE b.id > ?1 ORDER BY b.id LIMIT ?2");
    txn.query(&sql, parameters![after, limit])?.iter().map(read).collect()
}

/// Up to `limit` blobs that were not hashed again since `before`, longest ago first.
pub fn due_for_scrub(txn: &mut dyn Transaction, before: Timestamp, limit: u64) -> Result<Vec<BlobRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM blobs b WHERE b.scrubbed_at < ?1 ORDER BY b.scrubbed_at LIMIT ?2");
    txn.query(&sql, parameters![before, limit])?.iter().map(read).collect()
}

/// Notes that a blob was hashed again and what came of it. Its location guards against one that was replaced meanwhile.
pub fn mark_scrubbed(
    txn: &mut dyn Transaction,
    blob: &BlobRecord,
    damaged: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (key, _) = columns(&blob.location);
    let quarantined_at = damaged.then_some(now);
    let sql =
        "UPDATE blobs SET scrubbed_at = ?2, quarantined_at = ?3 WHERE id = ?1 AND storage_key IS NOT DISTINCT FROM ?4";
    txn.execute(sql, parameters![blob.id, now, quarantined_at, key]).map(|_| ())
}

/// Which of these keys a blob or an open upload owns.
pub fn owned_keys(txn: &mut dyn Transaction, keys: &[BlobKey]) -> Result<Vec<BlobKey>, StoreError> {
    let sql = "SELECT 1 FROM blobs WHERE storage_key = ?1 UNION ALL SELECT 1 FROM uploads WHERE storage_key = ?1 \
         UNION ALL SELECT 1 FROM uploads WHERE tail_key = ?1 LIMIT 1";
    let mut owned = Vec::new();
    for key in keys {
        if !txn.query(sql, parameters![key])?.is_empty() {
            owned.push(key.clone());
        }
    }
    Ok(owned)
}

/// The blobs that own some of these keys.
pub fn at_keys(txn: &mut dyn Transaction, keys: &[BlobKey]) -> Result<Vec<BlobRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM blobs b WHERE b.storage_key = ?1");
    let mut found = Vec::new();
    for key in keys {
        found.extend(txn.query(&sql, parameters![key])?.first().map(read).transpose()?);
    }
    Ok(found)
}

/// Notes that a blob moved from one key to another; `false` where it was not at the first any more.
pub fn relocate(txn: &mut dyn Transaction, id: i64, from: &BlobKey, to: &BlobKey) -> Result<bool, StoreError> {
    let sql = "UPDATE blobs SET storage_key = ?3 WHERE id = ?1 AND storage_key = ?2";
    txn.execute(sql, parameters![id, from, to]).map(|count| count > 0)
}

/// The size of a blob as the repository links it.
pub fn linked_size(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT size FROM repository_blobs WHERE repository_id = ?1 AND digest = ?2";
    txn.query(sql, parameters![repository, digest])?.first().map(|row| row.unsigned(0)).transpose()
}

/// How many blobs there are, and their bytes.
pub fn totals(txn: &mut dyn Transaction) -> Result<(u64, u64), StoreError> {
    let rows = txn.query("SELECT count(*), CAST(coalesce(sum(size), 0) AS BIGINT) FROM blobs", &[])?;
    rows.first().map_or(Ok((0, 0)), |row| Ok((row.unsigned(0)?, row.unsigned(1)?)))
}
