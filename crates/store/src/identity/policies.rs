//! Managed policies of accounts, and their versions.

use berth_aws::AccountId;

use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::parameters;

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Its id, which nobody else ever has.
    pub unique_id: String,
    /// Its account.
    pub account: AccountId,
    /// Its name as it was written.
    pub name: String,
    /// `/`, or `/a/b/`.
    pub path: String,
    /// Words for people.
    pub description: Option<String>,
    /// The version in force.
    pub default_version: u64,
    /// The highest version that was ever made.
    pub latest_version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When another version came into force or was made.
    pub updated_at: Timestamp,
}

impl PolicyRecord {
    /// Its ARN: `arn:aws:iam::ACCOUNT:policy/PATH/NAME`.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:policy{}{}", self.account, self.path, self.name)
    }
}

/// One version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRecord {
    /// Its number: 1 for the first.
    pub version: u64,
    /// The document.
    pub document: String,
    /// When it was made.
    pub created_at: Timestamp,
}

const COLUMNS: &str =
    "unique_id, account, name, path, description, default_version, latest_version, created_at, updated_at";

fn read(row: &Row) -> Result<PolicyRecord, StoreError> {
    Ok(PolicyRecord {
        unique_id: row.text(0)?.to_owned(),
        account: row.parsed(1, AccountId::parse)?,
        name: row.text(2)?.to_owned(),
        path: row.text(3)?.to_owned(),
        description: row.optional_text(4)?.map(str::to_owned),
        default_version: row.unsigned(5)?,
        latest_version: row.unsigned(6)?,
        created_at: Timestamp::from_millis(row.integer(7)?),
        updated_at: Timestamp::from_millis(row.integer(8)?),
    })
}

fn read_version(row: &Row) -> Result<VersionRecord, StoreError> {
    Ok(VersionRecord {
        version: row.unsigned(0)?,
        document: row.text(1)?.to_owned(),
        created_at: Timestamp::from_millis(row.integer(2)?),
    })
}

fn key(name: &str) -> String {
    name.to_lowercase()
}

/// Makes a policy with its first version; `false` where the name is taken.
pub fn create(txn: &mut dyn Transaction, record: &PolicyRecord, document: &str) -> Result<bool, StoreError> {
    let sql = "INSERT INTO policies (unique_id, account, name, path, description, default_version, latest_version, \
               created_at, updated_at, name_key) VALUES (?1, ?2, ?3, ?4, ?5, 1, 1, ?6, ?6, ?7) \
               ON CONFLICT (account, name_key) DO NOTHING";
    let values = parameters![
        &record.unique_id,
        &record.account,
        &record.name,
        &record.path,
        record.description.as_deref(),
        record.created_at,
        key(&record.name)
    ];
    let made = txn.execute(sql, values)? > 0;
    if made {
        add_version(txn, &record.unique_id, 1, document, record.created_at)?;
    }
    Ok(made)
}

/// The policy of a name.
pub fn find(txn: &mut dyn Transaction, account: &AccountId, name: &str) -> Result<Option<PolicyRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM policies WHERE account = ?1 AND name_key = ?2");
    txn.query(&sql, parameters![account, key(name)])?.first().map(read).transpose()
}

/// Up to `limit` policies behind the name `last` whose path begins with `prefix`.
pub fn list(
    txn: &mut dyn Transaction,
    account: &AccountId,
    prefix: &str,
    last: &str,
    limit: u64,
) -> Result<Vec<PolicyRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM policies WHERE account = ?1 AND name_key > ?2 AND substr(path, 1, length(?3)) = ?3 \
         ORDER BY name_key LIMIT ?4"
    );
    txn.query(&sql, parameters![account, key(last), prefix, limit])?.iter().map(read).collect()
}

/// How many policies an account has.
pub fn count(txn: &mut dyn Transaction, account: &AccountId) -> Result<u64, StoreError> {
    let rows = txn.query("SELECT count(*) FROM policies WHERE account = ?1", parameters![account])?;
    rows.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// Writes which version is in force and which is the highest.
pub fn update(txn: &mut dyn Transaction, record: &PolicyRecord) -> Result<(), StoreError> {
    let sql = "UPDATE policies SET default_version = ?2, latest_version = ?3, updated_at = ?4 WHERE unique_id = ?1";
    let values = parameters![&record.unique_id, record.default_version, record.latest_version, record.updated_at];
    txn.execute(sql, values).map(|_| ())
}

/// Takes a policy away, with its versions and tags.
pub fn delete(txn: &mut dyn Transaction, unique_id: &str) -> Result<(), StoreError> {
    txn.execute("DELETE FROM policy_versions WHERE policy_id = ?1", parameters![unique_id])?;
    txn.execute("DELETE FROM identity_tags WHERE owner = ?1", parameters![unique_id])?;
    txn.execute("DELETE FROM policies WHERE unique_id = ?1", parameters![unique_id]).map(|_| ())
}

/// Adds a version.
pub fn add_version(
    txn: &mut dyn Transaction,
    policy_id: &str,
    version: u64,
    document: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO policy_versions (policy_id, version, document, created_at) VALUES (?1, ?2, ?3, ?4)";
    txn.execute(sql, parameters![policy_id, version, document, now]).map(|_| ())
}

/// A version.
pub fn version(txn: &mut dyn Transaction, policy_id: &str, version: u64) -> Result<Option<VersionRecord>, StoreError> {
    let sql = "SELECT version, document, created_at FROM policy_versions WHERE policy_id = ?1 AND version = ?2";
    txn.query(sql, parameters![policy_id, version])?.first().map(read_version).transpose()
}

/// All versions, the newest first: there are never more than five.
pub fn versions(txn: &mut dyn Transaction, policy_id: &str) -> Result<Vec<VersionRecord>, StoreError> {
    let sql = "SELECT version, document, created_at FROM policy_versions WHERE policy_id = ?1 ORDER BY version DESC";
    txn.query(sql, parameters![policy_id])?.iter().map(read_version).collect()
}

/// Takes a version away; `false` where it is not there.
pub fn delete_version(txn: &mut dyn Transaction, policy_id: &str, version: u64) -> Result<bool, StoreError> {
    let sql = "DELETE FROM policy_versions WHERE policy_id = ?1 AND version = ?2";
    txn.execute(sql, parameters![policy_id, version]).map(|count| count > 0)
}
