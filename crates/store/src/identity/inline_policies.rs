//! Policies that belong to one user, group or role.

use crate::database::{StoreError, Transaction};
use crate::parameters;

/// Writes one, over what has its name.
pub fn put(txn: &mut dyn Transaction, owner: &str, name: &str, document: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO inline_policies (owner, name, document) VALUES (?1, ?2, ?3) \
               ON CONFLICT (owner, name) DO UPDATE SET document = ?3";
    txn.execute(sql, parameters![owner, name, document]).map(|_| ())
}

/// The document of one.
pub fn find(txn: &mut dyn Transaction, owner: &str, name: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT document FROM inline_policies WHERE owner = ?1 AND name = ?2";
    txn.query(sql, parameters![owner, name])?.first().map(|row| row.text(0).map(str::to_owned)).transpose()
}

/// Takes one away; `false` where there is none.
pub fn delete(txn: &mut dyn Transaction, owner: &str, name: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM inline_policies WHERE owner = ?1 AND name = ?2";
    txn.execute(sql, parameters![owner, name]).map(|count| count > 0)
}

/// All of somebody's, as pairs of name and document, in the order of their names. Their sum of characters is limited.
pub fn of(txn: &mut dyn Transaction, owner: &str) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT name, document FROM inline_policies WHERE owner = ?1 ORDER BY name";
    let rows = txn.query(sql, parameters![owner])?;
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))).collect()
}
