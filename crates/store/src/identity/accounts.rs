//! Accounts.

use berth_aws::AccountId;

use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::parameters;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// Its twelve digits.
    pub id: AccountId,
    /// Another name for it.
    pub alias: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

fn read(row: &Row) -> Result<AccountRecord, StoreError> {
    Ok(AccountRecord {
        id: row.parsed(0, AccountId::parse)?,
        alias: row.optional_text(1)?.map(str::to_owned),
        created_at: Timestamp::from_millis(row.integer(2)?),
    })
}

/// Makes an account; `false` where it is there already.
pub fn create(txn: &mut dyn Transaction, id: &AccountId, now: Timestamp) -> Result<bool, StoreError> {
    let sql = "INSERT INTO accounts (id, created_at) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING";
    txn.execute(sql, parameters![id, now]).map(|count| count > 0)
}

/// The account of an id.
pub fn find(txn: &mut dyn Transaction, id: &AccountId) -> Result<Option<AccountRecord>, StoreError> {
    let sql = "SELECT id, alias, created_at FROM accounts WHERE id = ?1";
    txn.query(sql, parameters![id])?.first().map(read).transpose()
}

/// Up to `limit` accounts behind `last`.
pub fn list(txn: &mut dyn Transaction, last: &str, limit: u64) -> Result<Vec<AccountRecord>, StoreError> {
    let sql = "SELECT id, alias, created_at FROM accounts WHERE id > ?1 ORDER BY id LIMIT ?2";
    txn.query(sql, parameters![last, limit])?.iter().map(read).collect()
}

/// Gives an account its alias, or none; `false` where another account has it.
pub fn set_alias(txn: &mut dyn Transaction, id: &AccountId, alias: Option<&str>) -> Result<bool, StoreError> {
    if let Some(alias) = alias {
        let sql = "SELECT 1 FROM accounts WHERE alias = ?1 AND id <> ?2";
        if !txn.query(sql, parameters![alias, id])?.is_empty() {
            return Ok(false);
        }
    }
    txn.execute("UPDATE accounts SET alias = ?2 WHERE id = ?1", parameters![id, alias]).map(|count| count > 0)
}

/// Takes an account away that holds nothing, and what is set for its registries; `false` where it holds users, roles, policies,
/// identity providers or repositories.
pub fn delete(txn: &mut dyn Transaction, id: &AccountId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM accounts WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM principals WHERE account = ?1) \
               AND NOT EXISTS (SELECT 1 FROM policies WHERE account = ?1) \
               AND NOT EXISTS (SELECT 1 FROM oidc_providers WHERE account = ?1) \
               AND NOT EXISTS (SELECT 1 FROM saml_providers WHERE account = ?1) \
               AND NOT EXISTS (SELECT 1 FROM repositories WHERE account = ?1)";
    if txn.execute(sql, parameters![id])? == 0 {
        return Ok(false);
    }
    // What was set for its registries is not for the next account of this id.
    txn.execute("DELETE FROM registry_policies WHERE account = ?1", parameters![id])?;
    txn.execute("DELETE FROM registry_settings WHERE account = ?1", parameters![id])?;
    Ok(true)
}
