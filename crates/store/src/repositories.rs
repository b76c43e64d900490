//! Repositories.

use berth_aws::{AccountId, Region};
use berth_oci::name::RepositoryName;

use crate::clock::Timestamp;
use crate::database::{StoreError, Transaction};
use crate::parameters;

/// The row number of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryId(pub i64);

impl From<RepositoryId> for crate::Value {
    fn from(id: RepositoryId) -> Self {
        Self::Integer(id.0)
    }
}

/// Where repositories live: an account's registry in one region.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Registry {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

/// The repository of a name.
pub fn find(
    txn: &mut dyn Transaction,
    registry: &Registry,
    name: &RepositoryName,
) -> Result<Option<RepositoryId>, StoreError> {
    let sql = "SELECT id FROM repositories WHERE account = ?1 AND region = ?2 AND name = ?3";
    let rows = txn.query(sql, parameters![&registry.account, &registry.region, name])?;
    rows.first().map(|row| row.integer(0).map(RepositoryId)).transpose()
}

/// The repository of a name, made where it does not exist.
pub fn find_or_create(
    txn: &mut dyn Transaction,
    registry: &Registry,
    name: &RepositoryName,
    created_by: &str,
    now: Timestamp,
) -> Result<RepositoryId, StoreError> {
    if let Some(id) = find(txn, registry, name)? {
        return Ok(id);
    }
    let sql = "INSERT INTO repositories (account, region, name, created_at, created_by) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (account, region, name) DO NOTHING";
    txn.execute(sql, parameters![&registry.account, &registry.region, name, now, created_by])?;
    find(txn, registry, name)?.ok_or_else(|| StoreError::Corrupt {
        entity: "repositories",
        reason: format!("{name} is not there after it was made"),
    })
}

/// Up to `limit` names behind `last`, in byte order.
pub fn list(
    txn: &mut dyn Transaction,
    registry: &Registry,
    last: &str,
    limit: u64,
) -> Result<Vec<RepositoryName>, StoreError> {
    let sql = "SELECT name FROM repositories WHERE account = ?1 AND region = ?2 AND name > ?3 ORDER BY name LIMIT ?4";
    let rows = txn.query(sql, parameters![&registry.account, &registry.region, last, limit])?;
    rows.iter().map(|row| row.parsed(0, RepositoryName::parse)).collect()
}
