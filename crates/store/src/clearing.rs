//! What a repository holds goes before the repository does: so much in one transaction as is soon done, whole images, each
//! before the images that it lists, and links only where no image is left.

use crate::clock::Timestamp;
use crate::database::{StoreError, Transaction};
use crate::manifests::{self, ManifestRecord};
use crate::parameters;
use crate::repositories::RepositoryId;
use crate::uploads::{self, UploadRecord};
use crate::{garbage, tags};

/// What one step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    /// Uploads that were closed: their bytes are to be given up.
    pub uploads: Vec<UploadRecord>,
    /// Whether the repository holds nothing now.
    pub is_empty: bool,
}

/// Takes up to `limit` rows, or little more, of what a repository holds: images with their tags, uploads, links, the history
/// of tags. The grace time of what blobs lose their last use begins `now`.
pub fn clear(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    limit: u64,
    now: Timestamp,
) -> Result<Cleared, StoreError> {
    let mut budget = Budget(limit);
    clear_manifests(txn, repository, &mut budget, now)?;
    let uploads = clear_uploads(txn, repository, &mut budget)?;
    clear_links(txn, repository, &mut budget, now)?;
    let history = tags::forget_history(txn, repository, budget.0)?;
    budget.spend(history);
    Ok(Cleared { uploads, is_empty: budget.0 > 0 })
}

/// Rows that may still go; the last step that spends nothing of it finds nothing more.
struct Budget(u64);

impl Budget {
    fn spend(&mut self, rows: u64) {
        self.0 = self.0.saturating_sub(rows);
    }
}

fn clear_manifests(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    budget: &mut Budget,
    now: Timestamp,
) -> Result<(), StoreError> {
    while budget.0 > 0 {
        let found = next_manifests(txn, repository, budget.0)?;
        if found.is_empty() {
            return Ok(());
        }
        for manifest in found {
            if budget.0 == 0 {
                return Ok(());
            }
            budget.spend(1 + tags::forget_of(txn, &manifest)?);
            garbage::begin_grace_of_manifest(txn, repository, &manifest, now)?;
            manifests::delete(txn, &manifest)?;
        }
    }
    Ok(())
}

/// Those that no index lists; where each is listed, which only damage can do, any.
fn next_manifests(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    limit: u64,
) -> Result<Vec<ManifestRecord>, StoreError> {
    let free = manifests::unlisted(txn, repository, limit)?;
    if free.is_empty() { manifests::any_of(txn, repository, limit) } else { Ok(free) }
}

fn clear_uploads(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    budget: &mut Budget,
) -> Result<Vec<UploadRecord>, StoreError> {
    let open = uploads::of_repository(txn, repository, budget.0)?;
    for upload in &open {
        uploads::delete(txn, &upload.id)?;
    }
    budget.spend(open.len() as u64);
    Ok(open)
}

fn clear_links(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    budget: &mut Budget,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "SELECT digest FROM repository_blobs WHERE repository_id = ?1 ORDER BY digest LIMIT ?2";
    let rows = txn.query(sql, parameters![repository, budget.0])?;
    let Some(last) = rows.last().map(|row| row.text(0)).transpose()? else { return Ok(()) };
    let sql = "UPDATE blobs SET stored_at = ?3 WHERE stored_at < ?3 AND id IN \
               (SELECT blob_id FROM repository_blobs WHERE repository_id = ?1 AND digest <= ?2)";
    txn.execute(sql, parameters![repository, last, now])?;
    let sql = "DELETE FROM repository_blobs WHERE repository_id = ?1 AND digest <= ?2";
    let links = txn.execute(sql, parameters![repository, last])?;
    budget.spend(links);
    Ok(())
}
