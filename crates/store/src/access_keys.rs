//! Access keys and whose they are. Secrets are stored sealed; opening them is the domain's affair.

use berth_aws::{AccessKeyId, AccountId};

use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::parameters;

/// One access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyRecord {
    /// The public half.
    pub id: AccessKeyId,
    /// The account of its principal.
    pub account: AccountId,
    /// The ARN of whom it belonged to when it was made.
    pub principal: String,
    /// The secret half, sealed with the server key.
    pub secret_sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The unique id of its user; none on keys from before there were users.
    pub owner: Option<String>,
    /// Whether it may be used.
    pub is_active: bool,
}

/// When a key was used last, as far as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUsed {
    /// The moment, late by a minute at most.
    pub at: Timestamp,
    /// The service: `ecr`, `iam` or `sts`.
    pub service: String,
    /// The region.
    pub region: String,
}

const COLUMNS: &str = "access_key_id, account, principal, secret_sealed, created_at, owner, status";
const ACTIVE: &str = "Active";
const INACTIVE: &str = "Inactive";

const fn status(is_active: bool) -> &'static str {
    if is_active { ACTIVE } else { INACTIVE }
}

fn read(row: &Row) -> Result<AccessKeyRecord, StoreError> {
    Ok(AccessKeyRecord {
        id: row.parsed(0, AccessKeyId::parse)?,
        account: row.parsed(1, AccountId::parse)?,
        principal: row.text(2)?.to_owned(),
        secret_sealed: row.bytes(3)?.to_vec(),
        created_at: Timestamp::from_millis(row.integer(4)?),
        owner: row.optional_text(5)?.map(str::to_owned),
        is_active: row.text(6)? == ACTIVE,
    })
}

/// The key with an id.
pub fn find(txn: &mut dyn Transaction, id: &AccessKeyId) -> Result<Option<AccessKeyRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM access_keys WHERE access_key_id = ?1");
    txn.query(&sql, parameters![id.as_str()])?.first().map(read).transpose()
}

/// The keys of a user, oldest first: there are at most two, save an administrator's.
pub fn of_owner(txn: &mut dyn Transaction, owner: &str) -> Result<Vec<AccessKeyRecord>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM access_keys WHERE owner = ?1 ORDER BY created_at, access_key_id LIMIT 100");
    txn.query(&sql, parameters![owner])?.iter().map(read).collect()
}

/// Gives keys of a principal that no user owns to the user who took its place.
pub fn adopt(txn: &mut dyn Transaction, principal: &str, owner: &str) -> Result<(), StoreError> {
    let sql = "UPDATE access_keys SET owner = ?2 WHERE principal = ?1 AND owner IS NULL";
    txn.execute(sql, parameters![principal, owner]).map(|_| ())
}

/// Adds a key; `false` where its id is taken.
pub fn add(txn: &mut dyn Transaction, record: &AccessKeyRecord) -> Result<bool, StoreError> {
    let sql = "INSERT INTO access_keys (access_key_id, account, principal, secret_sealed, created_at, owner, status) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (access_key_id) DO NOTHING";
    let values = parameters![
        record.id.as_str(),
        &record.account,
        &record.principal,
        record.secret_sealed.as_slice(),
        record.created_at,
        record.owner.as_deref(),
        status(record.is_active)
    ];
    txn.execute(sql, values).map(|count| count > 0)
}

/// Makes `record` the only key of its owner.
pub fn replace_for_owner(txn: &mut dyn Transaction, record: &AccessKeyRecord) -> Result<bool, StoreError> {
    txn.execute("DELETE FROM access_keys WHERE owner = ?1", parameters![record.owner.as_deref()])?;
    add(txn, record)
}

/// Switches a user's key on or off; `false` where the user has no such key.
pub fn set_active(
    txn: &mut dyn Transaction,
    owner: &str,
    id: &AccessKeyId,
    is_active: bool,
) -> Result<bool, StoreError> {
    let sql = "UPDATE access_keys SET status = ?3 WHERE owner = ?1 AND access_key_id = ?2";
    txn.execute(sql, parameters![owner, id.as_str(), status(is_active)]).map(|count| count > 0)
}

/// Takes a user's key away; `false` where the user has no such key.
pub fn delete(txn: &mut dyn Transaction, owner: &str, id: &AccessKeyId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM access_keys WHERE owner = ?1 AND access_key_id = ?2";
    txn.execute(sql, parameters![owner, id.as_str()]).map(|count| count > 0)
}

/// Notes when a key was used, unless something later is noted.
pub fn note_used(txn: &mut dyn Transaction, id: &AccessKeyId, used: &LastUsed) -> Result<(), StoreError> {
    let sql = "UPDATE access_keys SET last_used_at = ?2, last_used_service = ?3, last_used_region = ?4 \
               WHERE access_key_id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)";
    txn.execute(sql, parameters![id.as_str(), used.at, &used.service, &used.region]).map(|_| ())
}

/// When a key was used last.
pub fn last_used(txn: &mut dyn Transaction, id: &AccessKeyId) -> Result<Option<LastUsed>, StoreError> {
    let sql = "SELECT last_used_at, last_used_service, last_used_region FROM access_keys \
               WHERE access_key_id = ?1 AND last_used_at IS NOT NULL";
    let rows = txn.query(sql, parameters![id.as_str()])?;
    let used = rows.first().map(|row| {
        Ok(LastUsed {
            at: Timestamp::from_millis(row.integer(0)?),
            service: row.text(1)?.to_owned(),
            region: row.text(2)?.to_owned(),
        })
    });
    used.transpose()
}
