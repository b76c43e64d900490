//! Policies and tags of repositories, and the policy of a registry.

use std::collections::BTreeMap;

use berth_oci::name::RepositoryName;

use crate::database::{StoreError, Transaction};
use crate::parameters;
use crate::repositories::{Registry, RepositoryId};

/// What policies ask of a repository; that of one which does not exist is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryFacts {
    /// Its policy.
    pub policy: Option<String>,
    /// Its tags, in the order of their keys.
    pub tags: Vec<(String, String)>,
}

/// What policies ask of the repository of a name.
pub fn of_repository(
    txn: &mut dyn Transaction,
    registry: &Registry,
    name: &RepositoryName,
) -> Result<RepositoryFacts, StoreError> {
    let values = parameters![&registry.account, &registry.region, name];
    let sql = "SELECT document FROM repositories JOIN repository_policies ON repository_id = id \
               WHERE account = ?1 AND region = ?2 AND name = ?3";
    let policy = txn.query(sql, values)?.first().map(|row| row.text(0).map(str::to_owned)).transpose()?;
    let sql = "SELECT key, value FROM repositories JOIN repository_tags ON repository_id = id \
               WHERE account = ?1 AND region = ?2 AND name = ?3 ORDER BY key";
    let rows = txn.query(sql, values)?;
    let tags = rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())));
    Ok(RepositoryFacts { policy, tags: tags.collect::<Result<_, StoreError>>()? })
}

/// The same of every repository between two names, both included, that has any of it.
pub fn between(
    txn: &mut dyn Transaction,
    registry: &Registry,
    first: &RepositoryName,
    last: &RepositoryName,
) -> Result<BTreeMap<String, RepositoryFacts>, StoreError> {
    let values = parameters![&registry.account, &registry.region, first, last];
    let mut found = BTreeMap::<String, RepositoryFacts>::new();
    let sql = "SELECT name, document FROM repositories JOIN repository_policies ON repository_id = id \
               WHERE account = ?1 AND region = ?2 AND name >= ?3 AND name <= ?4";
    for row in txn.query(sql, values)? {
        found.entry(row.text(0)?.to_owned()).or_default().policy = Some(row.text(1)?.to_owned());
    }
    let sql = "SELECT name, key, value FROM repositories JOIN repository_tags ON repository_id = id \
               WHERE account = ?1 AND region = ?2 AND name >= ?3 AND name <= ?4 ORDER BY name, key";
    for row in txn.query(sql, values)? {
        let tag = (row.text(1)?.to_owned(), row.text(2)?.to_owned());
        found.entry(row.text(0)?.to_owned()).or_default().tags.push(tag);
    }
    Ok(found)
}

/// Gives a repository its policy, or none; whether it had one.
pub fn set_of_repository(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    document: Option<&str>,
) -> Result<bool, StoreError> {
    let had = txn.execute("DELETE FROM repository_policies WHERE repository_id = ?1", parameters![repository])? > 0;
    if let Some(document) = document {
        let sql = "INSERT INTO repository_policies (repository_id, document) VALUES (?1, ?2)";
        txn.execute(sql, parameters![repository, document])?;
    }
    Ok(had)
}

/// Sets tags of a repository.
pub fn put_tags(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    tags: &[(String, String)],
) -> Result<(), StoreError> {
    let sql = "INSERT INTO repository_tags (repository_id, key, value) VALUES (?1, ?2, ?3) \
               ON CONFLICT (repository_id, key) DO UPDATE SET value = ?3";
    tags.iter().try_for_each(|(key, value)| txn.execute(sql, parameters![repository, key, value]).map(|_| ()))
}

/// Takes tags of a repository away; those that it does not have make no difference.
pub fn remove_tags(txn: &mut dyn Transaction, repository: RepositoryId, keys: &[String]) -> Result<(), StoreError> {
    let sql = "DELETE FROM repository_tags WHERE repository_id = ?1 AND key = ?2";
    keys.iter().try_for_each(|key| txn.execute(sql, parameters![repository, key]).map(|_| ()))
}

/// The policy of a registry.
pub fn of_registry(txn: &mut dyn Transaction, registry: &Registry) -> Result<Option<String>, StoreError> {
    let sql = "SELECT document FROM registry_policies WHERE account = ?1 AND region = ?2";
    let rows = txn.query(sql, parameters![&registry.account, &registry.region])?;
    rows.first().map(|row| row.text(0).map(str::to_owned)).transpose()
}

/// Gives a registry its policy, or none; whether it had one.
pub fn set_of_registry(
    txn: &mut dyn Transaction,
    registry: &Registry,
    document: Option<&str>,
) -> Result<bool, StoreError> {
    let place = parameters![&registry.account, &registry.region];
    let had = txn.execute("DELETE FROM registry_policies WHERE account = ?1 AND region = ?2", place)? > 0;
    if let Some(document) = document {
        let sql = "INSERT INTO registry_policies (account, region, document) VALUES (?1, ?2, ?3)";
        txn.execute(sql, parameters![&registry.account, &registry.region, document])?;
    }
    Ok(had)
}
