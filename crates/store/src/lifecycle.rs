//! Lifecycle policies of repositories.

use crate::clock::Timestamp;
use crate::database::{StoreError, Transaction};
use crate::parameters;
use crate::repositories::RepositoryId;

/// The policy of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecyclePolicyRecord {
    /// Its text, as it was written.
    pub document: String,
    /// When it was last carried out.
    pub last_evaluated_at: Option<Timestamp>,
}

/// The policy of a repository.
pub fn find(txn: &mut dyn Transaction, repository: RepositoryId) -> Result<Option<LifecyclePolicyRecord>, StoreError> {
    let sql = "SELECT document, last_evaluated_at FROM lifecycle_policies WHERE repository_id = ?1";
    let rows = txn.query(sql, parameters![repository])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let evaluated = if row.is_null(1) { None } else { Some(Timestamp::from_millis(row.integer(1)?)) };
    Ok(Some(LifecyclePolicyRecord { document: row.text(0)?.to_owned(), last_evaluated_at: evaluated }))
}

/// Gives a repository its policy, which was never carried out.
pub fn put(txn: &mut dyn Transaction, repository: RepositoryId, document: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO lifecycle_policies (repository_id, document) VALUES (?1, ?2) \
               ON CONFLICT (repository_id) DO UPDATE SET document = ?2, last_evaluated_at = NULL";
    txn.execute(sql, parameters![repository, document]).map(|_| ())
}

/// Takes the policy away; whether there was one.
pub fn delete(txn: &mut dyn Transaction, repository: RepositoryId) -> Result<bool, StoreError> {
    Ok(txn.execute("DELETE FROM lifecycle_policies WHERE repository_id = ?1", parameters![repository])? > 0)
}
