//! What is set for a registry as a whole: documents of several kinds, each with a name.

use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::parameters;
use crate::repositories::Registry;

/// What a document sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An account setting, by its name.
    AccountSetting,
    /// A principal whose pulls count for nothing, by its ARN.
    PullTimeExclusion,
    /// A pull-through cache rule, by its prefix.
    PullThroughRule,
    /// The replication configuration, without a name.
    Replication,
    /// The scanning configuration, without a name.
    Scanning,
    /// The signing configuration, without a name.
    Signing,
    /// A repository creation template, by its prefix.
    Template,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AccountSetting => "account-setting",
            Self::PullTimeExclusion => "pull-time-exclusion",
            Self::PullThroughRule => "pull-through-rule",
            Self::Replication => "replication",
            Self::Scanning => "scanning",
            Self::Signing => "signing",
            Self::Template => "template",
        }
    }
}

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySetting {
    /// Its name; empty where there is one of its kind.
    pub name: String,
    /// What it says.
    pub document: String,
    /// When it came to be.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "name, document, created_at, updated_at";

fn read(row: &Row) -> Result<RegistrySetting, StoreError> {
    Ok(RegistrySetting {
        name: row.text(0)?.to_owned(),
        document: row.text(1)?.to_owned(),
        created_at: Timestamp::from_millis(row.integer(2)?),
        updated_at: Timestamp::from_millis(row.integer(3)?),
    })
}

/// The document of a kind and name.
pub fn find(
    txn: &mut dyn Transaction,
    registry: &Registry,
    kind: Kind,
    name: &str,
) -> Result<Option<RegistrySetting>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM registry_settings WHERE account = ?1 AND region = ?2 AND kind = ?3 AND name = ?4"
    );
    let rows = txn.query(&sql, parameters![&registry.account, &registry.region, kind.as_str(), name])?;
    rows.first().map(read).transpose()
}

/// Up to `limit` documents of a kind behind the name `last`, in byte order of their names.
pub fn list(
    txn: &mut dyn Transaction,
    registry: &Registry,
    kind: Kind,
    last: &str,
    limit: u64,
) -> Result<Vec<RegistrySetting>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM registry_settings WHERE account = ?1 AND region = ?2 AND kind = ?3 AND name > ?4 \
         ORDER BY name LIMIT ?5"
    );
    let rows = txn.query(&sql, parameters![&registry.account, &registry.region, kind.as_str(), last, limit])?;
    rows.iter().map(read).collect()
}

/// How many documents of a kind there are.
pub fn count(txn: &mut dyn Transaction, registry: &Registry, kind: Kind) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM registry_settings WHERE account = ?1 AND region = ?2 AND kind = ?3";
    let rows = txn.query(sql, parameters![&registry.account, &registry.region, kind.as_str()])?;
    rows.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// Sets a document, anew or in place of the one before, whose time of creation stays.
pub fn put(
    txn: &mut dyn Transaction,
    registry: &Registry,
    kind: Kind,
    name: &str,
    document: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO registry_settings (account, region, kind, name, document, created_at, updated_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) \
               ON CONFLICT (account, region, kind, name) DO UPDATE SET document = ?5, updated_at = ?6";
    let values = parameters![&registry.account, &registry.region, kind.as_str(), name, document, now];
    txn.execute(sql, values).map(|_| ())
}

/// Takes a document away; whether it was there.
pub fn delete(txn: &mut dyn Transaction, registry: &Registry, kind: Kind, name: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM registry_settings WHERE account = ?1 AND region = ?2 AND kind = ?3 AND name = ?4";
    Ok(txn.execute(sql, parameters![&registry.account, &registry.region, kind.as_str(), name])? > 0)
}
