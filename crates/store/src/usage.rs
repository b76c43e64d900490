//! How many bytes repositories and accounts link: what quotas count.

use crate::database::{StoreError, Transaction};
use crate::parameters;
use crate::repositories::{Registry, RepositoryId};

/// Bytes of the layers and configs that a repository links, each blob once.
pub fn of_repository(txn: &mut dyn Transaction, repository: RepositoryId) -> Result<u64, StoreError> {
    let sql = "SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM repository_blobs WHERE repository_id = ?1";
    txn.query(sql, parameters![repository])?.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// Bytes of the layers and configs that the repositories of a registry link, each blob once.
pub fn of_registry(txn: &mut dyn Transaction, registry: &Registry) -> Result<u64, StoreError> {
    let sql = "SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM (SELECT DISTINCT l.blob_id, l.size FROM repositories r \
               JOIN repository_blobs l ON l.repository_id = r.id WHERE r.account = ?1 AND r.region = ?2) AS linked";
    txn.query(sql, parameters![&registry.account, &registry.region])?.first().map_or(Ok(0), |row| row.unsigned(0))
}
