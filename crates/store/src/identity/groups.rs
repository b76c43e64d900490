//! Which users are in which groups.

use super::principals::{PrincipalRecord, joined};
use crate::database::{StoreError, Transaction};
use crate::parameters;

/// Puts a user into a group; once is enough.
pub fn add(txn: &mut dyn Transaction, group_id: &str, user_id: &str) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO group_members (group_id, user_id) VALUES (?1, ?2) ON CONFLICT (group_id, user_id) DO NOTHING";
    txn.execute(sql, parameters![group_id, user_id]).map(|_| ())
}

/// Takes a user out of a group; `false` where it was not in it.
pub fn remove(txn: &mut dyn Transaction, group_id: &str, user_id: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM group_members WHERE group_id = ?1 AND user_id = ?2";
    txn.execute(sql, parameters![group_id, user_id]).map(|count| count > 0)
}

/// Up to `limit` groups of a user behind the name `last`.
pub fn of_user(
    txn: &mut dyn Transaction,
    user_id: &str,
    last: &str,
    limit: u64,
) -> Result<Vec<PrincipalRecord>, StoreError> {
    joined(txn, ("user_id", "group_id"), user_id, last, limit)
}

/// Up to `limit` users of a group behind the name `last`.
pub fn members(
    txn: &mut dyn Transaction,
    group_id: &str,
    last: &str,
    limit: u64,
) -> Result<Vec<PrincipalRecord>, StoreError> {
    joined(txn, ("group_id", "user_id"), group_id, last, limit)
}
