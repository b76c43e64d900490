//! The identity providers that accounts trust: issuers of OpenID Connect, and what both kinds of providers have in common.

use berth_aws::AccountId;

use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::parameters;

/// An issuer of OpenID Connect that an account trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProviderRecord {
    /// Its id, which no other provider ever has.
    pub unique_id: String,
    /// Whose it is.
    pub account: AccountId,
    /// The issuer without `https://`.
    pub url: String,
    /// For whom tokens may be made (`aud`).
    pub client_ids: Vec<String>,
    /// Fingerprints of certificates, in hexadecimal.
    pub thumbprints: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl OidcProviderRecord {
    /// Its ARN: `arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH`.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:oidc-provider/{}", self.account, self.url)
    }
}

const COLUMNS: &str = "unique_id, account, url, client_ids, thumbprints, created_at";

fn read(row: &Row) -> Result<OidcProviderRecord, StoreError> {
    Ok(OidcProviderRecord {
        unique_id: row.text(0)?.to_owned(),
        account: row.parsed(1, AccountId::parse)?,
        url: row.text(2)?.to_owned(),
        client_ids: row.parsed(3, list)?,
        thumbprints: row.parsed(4, list)?,
        created_at: Timestamp::from_millis(row.integer(5)?),
    })
}

fn list(text: &str) -> Result<Vec<String>, serde_json::Error> {
    serde_json::from_str(text)
}

fn text_of(list: &[String]) -> String {
    serde_json::Value::from(list).to_string()
}

/// Makes a provider; `false` where the account has one for this issuer already.
pub fn create_oidc(txn: &mut dyn Transaction, record: &OidcProviderRecord) -> Result<bool, StoreError> {
    let sql = "INSERT INTO oidc_providers (unique_id, account, url, client_ids, thumbprints, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (account, url) DO NOTHING";
    let OidcProviderRecord { unique_id, account, url, client_ids, thumbprints, created_at } = record;
    let (client_ids, thumbprints) = (text_of(client_ids), text_of(thumbprints));
    txn.execute(sql, parameters![unique_id, account, url, client_ids, thumbprints, *created_at]).map(|count| count > 0)
}

/// The provider of an account for an issuer, given without `https://`.
pub fn find_oidc(
    txn: &mut dyn Transaction,
    account: &AccountId,
    url: &str,
) -> Result<Option<OidcProviderRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM oidc_providers WHERE account = ?1 AND url = ?2");
    txn.query(&sql, parameters![account, url])?.first().map(read).transpose()
}

/// Up to `limit` providers of an account, in the order of their issuers.
pub fn list_oidc(
    txn: &mut dyn Transaction,
    account: &AccountId,
    limit: u64,
) -> Result<Vec<OidcProviderRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM oidc_providers WHERE account = ?1 ORDER BY url LIMIT ?2");
    txn.query(&sql, parameters![account, limit])?.iter().map(read).collect()
}

/// Writes the lists of a provider.
pub fn update_oidc(txn: &mut dyn Transaction, record: &OidcProviderRecord) -> Result<(), StoreError> {
    let sql = "UPDATE oidc_providers SET client_ids = ?2, thumbprints = ?3 WHERE unique_id = ?1";
    let (client_ids, thumbprints) = (text_of(&record.client_ids), text_of(&record.thumbprints));
    txn.execute(sql, parameters![record.unique_id.as_str(), client_ids, thumbprints]).map(|_| ())
}

/// Takes a provider away, with its tags.
pub fn delete_oidc(txn: &mut dyn Transaction, unique_id: &str) -> Result<(), StoreError> {
    txn.execute("DELETE FROM identity_tags WHERE owner = ?1", parameters![unique_id])?;
    txn.execute("DELETE FROM oidc_providers WHERE unique_id = ?1", parameters![unique_id]).map(|_| ())
}

/// The ARN of a provider of a kind, `oidc` or `saml`; `None` where it is no more.
pub fn arn_of(txn: &mut dyn Transaction, kind: &str, unique_id: &str) -> Result<Option<String>, StoreError> {
    let (sql, word) = match kind {
        "oidc" => ("SELECT account, url FROM oidc_providers WHERE unique_id = ?1", "oidc-provider"),
        "saml" => ("SELECT account, name FROM saml_providers WHERE unique_id = ?1", "saml-provider"),
        _ => return Ok(None),
    };
    let rows = txn.query(sql, parameters![unique_id])?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(format!("arn:aws:iam::{}:{word}/{}", row.text(0)?, row.text(1)?)))
}

/// Whether any account has a provider for an issuer, given without `https://`.
pub fn is_oidc_used(txn: &mut dyn Transaction, url: &str) -> Result<bool, StoreError> {
    Ok(!txn.query("SELECT 1 FROM oidc_providers WHERE url = ?1 LIMIT 1", parameters![url])?.is_empty())
}

/// How many providers of both kinds an account has.
pub fn count(txn: &mut dyn Transaction, account: &AccountId) -> Result<u64, StoreError> {
    let mut sum = 0;
    for sql in [
        "SELECT count(*) FROM oidc_providers WHERE account = ?1",
        "SELECT count(*) FROM saml_providers WHERE account = ?1",
    ] {
        let rows = txn.query(sql, parameters![account])?;
        sum += rows.first().map_or(Ok(0), |row| row.integer(0))?;
    }
    Ok(u64::try_from(sum).unwrap_or(0))
}
