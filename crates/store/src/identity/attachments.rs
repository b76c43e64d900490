//! Which managed policies a user, group or role has.

use crate::database::{StoreError, Transaction};
use crate::parameters;

/// Attaches a policy; once is enough.
pub fn attach(txn: &mut dyn Transaction, owner: &str, policy_arn: &str) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO policy_attachments (owner, policy_arn) VALUES (?1, ?2) ON CONFLICT (owner, policy_arn) DO NOTHING";
    txn.execute(sql, parameters![owner, policy_arn]).map(|_| ())
}

/// Takes a policy from somebody; `false` where it was not attached.
pub fn detach(txn: &mut dyn Transaction, owner: &str, policy_arn: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM policy_attachments WHERE owner = ?1 AND policy_arn = ?2";
    txn.execute(sql, parameters![owner, policy_arn]).map(|count| count > 0)
}

/// The ARNs of somebody's policies, in their order.
pub fn of(txn: &mut dyn Transaction, owner: &str) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT policy_arn FROM policy_attachments WHERE owner = ?1 ORDER BY policy_arn";
    txn.query(sql, parameters![owner])?.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}

/// How many users, groups and roles of an account have a policy.
pub fn count(txn: &mut dyn Transaction, account: &str, policy_arn: &str) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM policy_attachments JOIN principals ON unique_id = owner \
               WHERE policy_arn = ?1 AND account = ?2";
    let rows = txn.query(sql, parameters![policy_arn, account])?;
    rows.first().map_or(Ok(0), |row| row.unsigned(0))
}
