//! The identity providers of SAML that accounts trust, and the assertions that were used.

use berth_aws::AccountId;

use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::parameters;

/// An identity provider of SAML that an account trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlProviderRecord {
    /// Its id, which no other provider ever has.
    pub unique_id: String,
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// The metadata document, as it was uploaded.
    pub metadata: String,
    /// When the document says that it ends.
    pub valid_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl SamlProviderRecord {
    /// Its ARN: `arn:aws:iam::ACCOUNT:saml-provider/NAME`.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:saml-provider/{}", self.account, self.name)
    }
}

const COLUMNS: &str = "unique_id, account, name, metadata, valid_until, created_at";

fn read(row: &Row) -> Result<SamlProviderRecord, StoreError> {
    let valid_until = if row.is_null(4) { None } else { Some(row.integer(4)?) };
    Ok(SamlProviderRecord {
        unique_id: row.text(0)?.to_owned(),
        account: row.parsed(1, AccountId::parse)?,
        name: row.text(2)?.to_owned(),
        metadata: row.text(3)?.to_owned(),
        valid_until: valid_until.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.integer(5)?),
    })
}

/// Makes a provider; `false` where the account has one of this name already.
pub fn create(txn: &mut dyn Transaction, record: &SamlProviderRecord) -> Result<bool, StoreError> {
    let sql = "INSERT INTO saml_providers (unique_id, account, name, metadata, valid_until, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (account, name) DO NOTHING";
    let SamlProviderRecord { unique_id, account, name, metadata, valid_until, created_at } = record;
    txn.execute(sql, parameters![unique_id, account, name, metadata, *valid_until, *created_at]).map(|count| count > 0)
}

/// The provider of an account with a name.
pub fn find(
    txn: &mut dyn Transaction,
    account: &AccountId,
    name: &str,
) -> Result<Option<SamlProviderRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM saml_providers WHERE account = ?1 AND name = ?2");
    txn.query(&sql, parameters![account, name])?.first().map(read).transpose()
}

/// Up to `limit` providers of an account, in the order of their names. Their metadata is left empty: it can be long.
pub fn list(txn: &mut dyn Transaction, account: &AccountId, limit: u64) -> Result<Vec<SamlProviderRecord>, StoreError> {
    let sql = "SELECT unique_id, account, name, '', valid_until, created_at FROM saml_providers WHERE account = ?1 \
               ORDER BY name LIMIT ?2";
    txn.query(sql, parameters![account, limit])?.iter().map(read).collect()
}

/// Gives a provider other metadata.
pub fn update(
    txn: &mut dyn Transaction,
    unique_id: &str,
    metadata: &str,
    valid_until: Option<Timestamp>,
) -> Result<(), StoreError> {
    let sql = "UPDATE saml_providers SET metadata = ?2, valid_until = ?3 WHERE unique_id = ?1";
    txn.execute(sql, parameters![unique_id, metadata, valid_until]).map(|_| ())
}

/// Takes a provider away, with its tags.
pub fn delete(txn: &mut dyn Transaction, unique_id: &str) -> Result<(), StoreError> {
    txn.execute("DELETE FROM identity_tags WHERE owner = ?1", parameters![unique_id])?;
    txn.execute("DELETE FROM saml_providers WHERE unique_id = ?1", parameters![unique_id]).map(|_| ())
}

/// Notes that an assertion was used; `false` where it had been already. Those that nobody could show any more are forgotten.
///
/// - `provider`: the ARN of the provider whose it is, so that a provider made anew does not take it again
/// - `id_hash`: the SHA-256 of what tells it from all others
/// - `until`: from when on it would be refused in any case
pub fn use_assertion(
    txn: &mut dyn Transaction,
    provider: &str,
    id_hash: [u8; 32],
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    txn.execute("DELETE FROM used_assertions WHERE used_until < ?1", parameters![now])?;
    let sql = "INSERT INTO used_assertions (provider, id_hash, used_until) VALUES (?1, ?2, ?3) \
               ON CONFLICT (provider, id_hash) DO NOTHING";
    txn.execute(sql, parameters![provider, id_hash.to_vec(), until]).map(|count| count > 0)
}
