//! Repositories.

use berth_aws::{AccountId, Region};
use berth_oci::name::RepositoryName;

use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::parameters;

/// The row number of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryId(pub i64);

impl From<RepositoryId> for crate::Value {
    fn from(id: RepositoryId) -> Self {
        Self::Integer(id.0)
    }
}

/// Where repositories live: an account's registry in one region.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Registry {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

/// The repository of a name.
pub fn find(
    txn: &mut dyn Transaction,
    registry: &Registry,
    name: &RepositoryName,
) -> Result<Option<RepositoryId>, StoreError> {
    let sql = "SELECT id FROM repositories WHERE account = ?1 AND region = ?2 AND name = ?3";
    let rows = txn.query(sql, parameters![&registry.account, &registry.region, name])?;
    rows.first().map(|row| row.integer(0).map(RepositoryId)).transpose()
}

/// What is decided of a repository when it is made. The words are those of ECR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRepository {
    /// Which tags may move: `MUTABLE`, `IMMUTABLE`, ...
    pub mutability: String,
    /// The filters that it excepts, as a JSON list.
    pub mutability_filters: String,
    /// Whether a push begins a scan.
    pub scan_on_push: bool,
    /// How its content is encrypted, such as `AES256`.
    pub encryption: String,
}

impl Default for NewRepository {
    fn default() -> Self {
        let (mutability, mutability_filters) = ("MUTABLE".to_owned(), "[]".to_owned());
        Self { mutability, mutability_filters, scan_on_push: false, encryption: "AES256".to_owned() }
    }
}

/// A repository as it is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryRecord {
    /// Its row number, which another one may get after it is gone.
    pub id: RepositoryId,
    /// Its name.
    pub name: RepositoryName,
    /// When it was made.
    pub created_at: Timestamp,
    /// What was decided of it.
    pub decided: NewRepository,
}

const COLUMNS: &str = "id, name, created_at, tag_mutability, mutability_filters, scan_on_push, encryption";

fn read(row: &Row) -> Result<RepositoryRecord, StoreError> {
    Ok(RepositoryRecord {
        id: RepositoryId(row.integer(0)?),
        name: row.parsed(1, RepositoryName::parse)?,
        created_at: Timestamp::from_millis(row.integer(2)?),
        decided: NewRepository {
            mutability: row.text(3)?.to_owned(),
            mutability_filters: row.text(4)?.to_owned(),
            scan_on_push: row.integer(5)? != 0,
            encryption: row.text(6)?.to_owned(),
        },
    })
}

/// Makes a repository; `None` where there is one of this name, which is left as it is.
pub fn insert(
    txn: &mut dyn Transaction,
    registry: &Registry,
    name: &RepositoryName,
    new: &NewRepository,
    created_by: &str,
    now: Timestamp,
) -> Result<Option<RepositoryId>, StoreError> {
    let sql = "INSERT INTO repositories (account, region, name, created_at, created_by, tag_mutability, \
               mutability_filters, scan_on_push, encryption) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
               ON CONFLICT (account, region, name) DO NOTHING RETURNING id";
    let values = parameters![
        &registry.account,
        &registry.region,
        name,
        now,
        created_by,
        &new.mutability,
        &new.mutability_filters,
        new.scan_on_push,
        &new.encryption
    ];
    let rows = txn.query(sql, values)?;
    rows.first().map(|row| row.integer(0).map(RepositoryId)).transpose()
}

/// The repository of a name, made as usual where it does not exist.
pub fn find_or_create(
    txn: &mut dyn Transaction,
    registry: &Registry,
    name: &RepositoryName,
    created_by: &str,
    now: Timestamp,
) -> Result<RepositoryId, StoreError> {
    if let Some(id) = find(txn, registry, name)? {
        return Ok(id);
    }
    if let Some(made) = insert(txn, registry, name, &NewRepository::default(), created_by, now)? {
        return Ok(made);
    }
    find(txn, registry, name)?.ok_or_else(|| StoreError::Corrupt {
        entity: "repositories",
        reason: format!("{name} is not there after it was made"),
    })
}

/// The repository of a name, as it is described.
pub fn describe(
    txn: &mut dyn Transaction,
    registry: &Registry,
    name: &RepositoryName,
) -> Result<Option<RepositoryRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM repositories WHERE account = ?1 AND region = ?2 AND name = ?3");
    let rows = txn.query(&sql, parameters![&registry.account, &registry.region, name])?;
    rows.first().map(read).transpose()
}

/// The same of several, in the order of the names; `None` for each that there is not.
pub fn describe_many(
    txn: &mut dyn Transaction,
    registry: &Registry,
    names: &[RepositoryName],
) -> Result<Vec<Option<RepositoryRecord>>, StoreError> {
    names.iter().map(|name| describe(txn, registry, name)).collect()
}

/// Up to `limit` repositories behind the name `last`, in byte order.
pub fn list_descriptions(
    txn: &mut dyn Transaction,
    registry: &Registry,
    last: &str,
    limit: u64,
) -> Result<Vec<RepositoryRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM repositories WHERE account = ?1 AND region = ?2 AND name > ?3 ORDER BY name LIMIT ?4"
    );
    let rows = txn.query(&sql, parameters![&registry.account, &registry.region, last, limit])?;
    rows.iter().map(read).collect()
}

/// How many repositories a registry has, counted no further than `limit`.
pub fn count(txn: &mut dyn Transaction, registry: &Registry, limit: u64) -> Result<u64, StoreError> {
    let sql =
        "SELECT count(*) FROM (SELECT 1 FROM repositories WHERE account = ?1 AND region = ?2 LIMIT ?3) AS counted";
    let rows = txn.query(sql, parameters![&registry.account, &registry.region, limit])?;
    rows.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// Sets which tags may move: the mode, and the filters that it excepts, as a JSON list.
pub fn set_mutability(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    mode: &str,
    filters: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE repositories SET tag_mutability = ?2, mutability_filters = ?3 WHERE id = ?1";
    txn.execute(sql, parameters![repository, mode, filters]).map(|_| ())
}

/// Sets whether a push begins a scan.
pub fn set_scan_on_push(txn: &mut dyn Transaction, repository: RepositoryId, scan: bool) -> Result<(), StoreError> {
    let sql = "UPDATE repositories SET scan_on_push = ?2 WHERE id = ?1";
    txn.execute(sql, parameters![repository, scan]).map(|_| ())
}

/// Forgets a repository with its policies and tags. Its content must be gone (see [`crate::clearing`]).
pub fn delete(txn: &mut dyn Transaction, repository: RepositoryId) -> Result<(), StoreError> {
    for table in ["repository_policies", "repository_tags", "lifecycle_policies"] {
        txn.execute(&format!("DELETE FROM {table} WHERE repository_id = ?1"), parameters![repository])?;
    }
    txn.execute("DELETE FROM repositories WHERE id = ?1", parameters![repository]).map(|_| ())
}

/// Up to `limit` names behind `last`, in byte order.
pub fn list(
    txn: &mut dyn Transaction,
    registry: &Registry,
    last: &str,
    limit: u64,
) -> Result<Vec<RepositoryName>, StoreError> {
    let sql = "SELECT name FROM repositories WHERE account = ?1 AND region = ?2 AND name > ?3 ORDER BY name LIMIT ?4";
    let rows = txn.query(sql, parameters![&registry.account, &registry.region, last, limit])?;
    rows.iter().map(|row| row.parsed(0, RepositoryName::parse)).collect()
}

/// Which tags of a repository may move: the mode, in the words of ECR (`MUTABLE`, `IMMUTABLE`, ...), and the filters that it
/// excepts, as a JSON list.
pub fn mutability(txn: &mut dyn Transaction, repository: RepositoryId) -> Result<(String, String), StoreError> {
    let sql = "SELECT tag_mutability, mutability_filters FROM repositories WHERE id = ?1";
    let rows = txn.query(sql, parameters![repository])?;
    let row = rows.first().ok_or_else(|| StoreError::Corrupt {
        entity: "repositories",
        reason: format!("there is no repository {}", repository.0),
    })?;
    Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))
}
