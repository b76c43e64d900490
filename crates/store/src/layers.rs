//! Layers of a repository, many at once.

use berth_oci::digest::Digest;

use crate::blobs::{FOUND, FoundBlob};
use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::images::among;
use crate::parameters;
use crate::repositories::RepositoryId;

/// Those of some blobs that the repository links, in no order, and when each link was last promised.
pub fn linked(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digests: &[&Digest],
) -> Result<Vec<(FoundBlob, Timestamp)>, StoreError> {
    let rows = among(txn, digests, parameters![repository], |places| {
        format!(
            "SELECT l.linked_at, l.digest, {FOUND} \
             FROM repository_blobs l JOIN blobs b ON b.id = l.blob_id \
             WHERE l.repository_id = ?1 AND l.digest IN ({places})"
        )
    })?;
    let read = |row: &Row| {
        let digest = row.parsed(1, Digest::parse)?;
        Ok((FoundBlob::read(row, 2, &digest)?, Timestamp::from_millis(row.integer(0)?)))
    };
    rows.iter().map(read).collect()
}
