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
    /// The ARN of whom it belongs to.
    pub principal: String,
    /// The secret half, sealed with the server key.
    pub secret_sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

fn read(row: &Row) -> Result<AccessKeyRecord, StoreError> {
    Ok(AccessKeyRecord {
        id: row.parsed(0, AccessKeyId::parse)?,
        account: row.parsed(1, AccountId::parse)?,
        principal: row.text(2)?.to_owned(),
        secret_sealed: row.bytes(3)?.to_vec(),
        created_at: Timestamp::from_millis(row.integer(4)?),
    })
}

/// The key with an id.
pub fn find(txn: &mut dyn Transaction, id: &AccessKeyId) -> Result<Option<AccessKeyRecord>, StoreError> {
    let sql = "SELECT access_key_id, account, principal, secret_sealed, created_at FROM access_keys \
               WHERE access_key_id = ?1";
    txn.query(sql, parameters![id.as_str()])?.first().map(read).transpose()
}

/// Whether a principal has any key.
pub fn principal_has_key(txn: &mut dyn Transaction, principal: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM access_keys WHERE principal = ?1 LIMIT 1";
    Ok(!txn.query(sql, parameters![principal])?.is_empty())
}

/// Makes `record` the only key of its principal.
pub fn replace_for_principal(txn: &mut dyn Transaction, record: &AccessKeyRecord) -> Result<(), StoreError> {
    txn.execute("DELETE FROM access_keys WHERE principal = ?1", parameters![&record.principal])?;
    let sql = "INSERT INTO access_keys (access_key_id, account, principal, secret_sealed, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5)";
    let values = parameters![
        record.id.as_str(),
        &record.account,
        &record.principal,
        record.secret_sealed.as_slice(),
        record.created_at
    ];
    txn.execute(sql, values).map(|_| ())
}
