//! Tags and every move they made.

use berth_oci::digest::Digest;
use berth_oci::tag::Tag;

use crate::clock::Timestamp;
use crate::database::{StoreError, Transaction};
use crate::manifests::ManifestRecord;
use crate::parameters;
use crate::repositories::RepositoryId;

/// Who changed a tag, and when.
#[derive(Debug, Clone)]
pub struct Change {
    /// The ARN of who did it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// One move of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagMove {
    /// Where it points from here on; `None` where it went away.
    pub digest: Option<Digest>,
    /// Where it pointed before.
    pub previous: Option<Digest>,
    /// The ARN of who moved it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// The digest that a tag points to.
pub fn find(txn: &mut dyn Transaction, repository: RepositoryId, tag: &str) -> Result<Option<Digest>, StoreError> {
    let sql = "SELECT digest FROM tags WHERE repository_id = ?1 AND name = ?2";
    let rows = txn.query(sql, parameters![repository, tag])?;
    rows.first().map(|row| row.parsed(0, Digest::parse)).transpose()
}

/// Points a tag to a manifest, `to` its row number and digest, and writes the move from `previous` into its history.
pub fn point(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    tag: &Tag,
    to: (i64, &Digest),
    previous: Option<&Digest>,
    change: &Change,
) -> Result<(), StoreError> {
    let (manifest_id, digest) = to;
    let sql = "INSERT INTO tags (repository_id, name, manifest_id, digest, tagged_at, tagged_by) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (repository_id, name) DO UPDATE \
               SET manifest_id = ?3, digest = ?4, tagged_at = ?5, tagged_by = ?6";
    txn.execute(sql, parameters![repository, tag, manifest_id, digest, change.at, &change.by])?;
    remember(txn, repository, tag.as_str(), Some(digest), previous, change)
}

/// Takes a tag away and writes that into its history; says whether it was there.
pub fn remove(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    tag: &str,
    change: &Change,
) -> Result<bool, StoreError> {
    let Some(previous) = find(txn, repository, tag)? else { return Ok(false) };
    txn.execute("DELETE FROM tags WHERE repository_id = ?1 AND name = ?2", parameters![repository, tag])?;
    remember(txn, repository, tag, None, Some(&previous), change)?;
    Ok(true)
}

/// Takes away every tag of a manifest.
pub fn remove_all_of(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    manifest: &ManifestRecord,
    change: &Change,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO tag_history (repository_id, tag, previous, changed_at, changed_by) \
               SELECT repository_id, name, digest, CAST(?3 AS BIGINT), CAST(?4 AS TEXT) FROM tags \
               WHERE manifest_id = ?1 AND repository_id = ?2 ORDER BY name";
    txn.execute(sql, parameters![manifest.id, repository, change.at, &change.by])?;
    let sql = "DELETE FROM tags WHERE manifest_id = ?1 AND repository_id = ?2";
    txn.execute(sql, parameters![manifest.id, repository]).map(|_| ())
}

/// Takes away every tag of a manifest without a word in their history, which goes too; how many there were.
pub fn forget_of(txn: &mut dyn Transaction, manifest: &ManifestRecord) -> Result<u64, StoreError> {
    txn.execute("DELETE FROM tags WHERE manifest_id = ?1", parameters![manifest.id])
}

/// Takes away up to `limit` moves of a repository's tags; how many there were.
pub fn forget_history(txn: &mut dyn Transaction, repository: RepositoryId, limit: u64) -> Result<u64, StoreError> {
    let sql = "DELETE FROM tag_history WHERE repository_id = ?1 AND id IN \
               (SELECT id FROM tag_history WHERE repository_id = ?1 LIMIT ?2)";
    txn.execute(sql, parameters![repository, limit])
}

fn remember(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    tag: &str,
    digest: Option<&Digest>,
    previous: Option<&Digest>,
    change: &Change,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO tag_history (repository_id, tag, digest, previous, changed_at, changed_by) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    txn.execute(sql, parameters![repository, tag, digest, previous, change.at, &change.by]).map(|_| ())
}

/// Up to `limit` tags behind `last`, in byte order.
pub fn list(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    last: &str,
    limit: u64,
) -> Result<Vec<Tag>, StoreError> {
    let sql = "SELECT name FROM tags WHERE repository_id = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
    let rows = txn.query(sql, parameters![repository, last, limit])?;
    rows.iter().map(|row| row.parsed(0, Tag::parse)).collect()
}

/// Up to `limit` moves of a tag, oldest first.
pub fn history(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    tag: &Tag,
    limit: u64,
) -> Result<Vec<TagMove>, StoreError> {
    let sql = "SELECT digest, previous, changed_by, changed_at FROM tag_history \
               WHERE repository_id = ?1 AND tag = ?2 ORDER BY id LIMIT ?3";
    let rows = txn.query(sql, parameters![repository, tag, limit])?;
    let optional = |row: &crate::Row, column| {
        if row.is_null(column) { Ok(None) } else { row.parsed(column, Digest::parse).map(Some) }
    };
    rows.iter()
        .map(|row| {
            Ok(TagMove {
                digest: optional(row, 0)?,
                previous: optional(row, 1)?,
                by: row.text(2)?.to_owned(),
                at: Timestamp::from_millis(row.integer(3)?),
            })
        })
        .collect()
}
