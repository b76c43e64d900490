//! Tags of users, roles and policies. Keys are one whatever their case, and read as they were written.

use crate::database::{StoreError, Transaction};
use crate::parameters;

/// Sets tags.
pub fn put(txn: &mut dyn Transaction, owner: &str, tags: &[(String, String)]) -> Result<(), StoreError> {
    let sql = "INSERT INTO identity_tags (owner, key_key, key, value) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (owner, key_key) DO UPDATE SET key = ?3, value = ?4";
    tags.iter()
        .try_for_each(|(key, value)| txn.execute(sql, parameters![owner, key.to_lowercase(), key, value]).map(|_| ()))
}

/// Takes tags away.
pub fn remove(txn: &mut dyn Transaction, owner: &str, keys: &[String]) -> Result<(), StoreError> {
    let sql = "DELETE FROM identity_tags WHERE owner = ?1 AND key_key = ?2";
    keys.iter().try_for_each(|key| txn.execute(sql, parameters![owner, key.to_lowercase()]).map(|_| ()))
}

/// All tags of somebody, in the order of their keys: there are at most 50.
pub fn of(txn: &mut dyn Transaction, owner: &str) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT key, value FROM identity_tags WHERE owner = ?1 ORDER BY key_key";
    let rows = txn.query(sql, parameters![owner])?;
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))).collect()
}
