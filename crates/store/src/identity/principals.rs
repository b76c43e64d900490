//! Users, groups and roles: one table, because all of them have a path, policies and a name that is unique whatever its case.

use berth_aws::AccountId;

use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction};
use crate::parameters;

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody with access keys.
    User,
    /// Users that share policies.
    Group,
    /// What others may become for a while.
    Role,
}

impl Kind {
    /// The word in the column and in ARNs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        [Self::User, Self::Group, Self::Role]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("{text} is no kind of principal"))
    }
}

/// A user, group or role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalRecord {
    /// Its id, which nobody else ever has.
    pub unique_id: String,
    /// What it is.
    pub kind: Kind,
    /// Its account.
    pub account: AccountId,
    /// Its name as it was written.
    pub name: String,
    /// `/`, or `/a/b/`.
    pub path: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The ARN of the policy that bounds it: users and roles.
    pub boundary: Option<String>,
    /// Words for people: roles.
    pub description: Option<String>,
    /// Who may assume it: roles.
    pub trust_policy: Option<String>,
    /// The longest session, in seconds: roles.
    pub max_session: Option<u64>,
}

impl PrincipalRecord {
    /// Its ARN: `arn:aws:iam::ACCOUNT:KIND/PATH/NAME`.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{}:{}{}{}", self.account, self.kind.as_str(), self.path, self.name)
    }
}

const COLUMNS: &str =
    "unique_id, kind, account, name, path, created_at, boundary, description, trust_policy, max_session";

fn read(row: &Row) -> Result<PrincipalRecord, StoreError> {
    let optional = |column| row.optional_text(column).map(|text| text.map(str::to_owned));
    Ok(PrincipalRecord {
        unique_id: row.text(0)?.to_owned(),
        kind: row.parsed(1, Kind::parse)?,
        account: row.parsed(2, AccountId::parse)?,
        name: row.text(3)?.to_owned(),
        path: row.text(4)?.to_owned(),
        created_at: Timestamp::from_millis(row.integer(5)?),
        boundary: optional(6)?,
        description: optional(7)?,
        trust_policy: optional(8)?,
        max_session: if row.is_null(9) { None } else { Some(row.unsigned(9)?) },
    })
}

fn key(name: &str) -> String {
    name.to_lowercase()
}

/// Makes one; `false` where the name is taken.
pub fn create(txn: &mut dyn Transaction, record: &PrincipalRecord) -> Result<bool, StoreError> {
    let sql = "INSERT INTO principals (unique_id, kind, account, name, path, created_at, boundary, description, \
               trust_policy, max_session, name_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
               ON CONFLICT (account, kind, name_key) DO NOTHING";
    let values = parameters![
        &record.unique_id,
        record.kind.as_str(),
        &record.account,
        &record.name,
        &record.path,
        record.created_at,
        record.boundary.as_deref(),
        record.description.as_deref(),
        record.trust_policy.as_deref(),
        record.max_session,
        key(&record.name)
    ];
    txn.execute(sql, values).map(|count| count > 0)
}

/// The one of a name.
pub fn find(
    txn: &mut dyn Transaction,
    account: &AccountId,
    kind: Kind,
    name: &str,
) -> Result<Option<PrincipalRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM principals WHERE account = ?1 AND kind = ?2 AND name_key = ?3");
    txn.query(&sql, parameters![account, kind.as_str(), key(name)])?.first().map(read).transpose()
}

/// The one of a unique id.
pub fn find_by_id(txn: &mut dyn Transaction, unique_id: &str) -> Result<Option<PrincipalRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM principals WHERE unique_id = ?1");
    txn.query(&sql, parameters![unique_id])?.first().map(read).transpose()
}

/// Up to `limit` of a kind behind the name `last`, in the order of their names in lower case, whose path begins with `prefix`.
pub fn list(
    txn: &mut dyn Transaction,
    account: &AccountId,
    kind: Kind,
    prefix: &str,
    last: &str,
    limit: u64,
) -> Result<Vec<PrincipalRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM principals WHERE account = ?1 AND kind = ?2 AND name_key > ?3 \
         AND substr(path, 1, length(?4)) = ?4 ORDER BY name_key LIMIT ?5"
    );
    txn.query(&sql, parameters![account, kind.as_str(), key(last), prefix, limit])?.iter().map(read).collect()
}

/// How many of a kind an account has.
pub fn count(txn: &mut dyn Transaction, account: &AccountId, kind: Kind) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM principals WHERE account = ?1 AND kind = ?2";
    let rows = txn.query(sql, parameters![account, kind.as_str()])?;
    rows.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// Writes name, path, boundary, description, trust policy and longest session of `record`; `false` where another one has the name.
pub fn update(txn: &mut dyn Transaction, record: &PrincipalRecord) -> Result<bool, StoreError> {
    if find(txn, &record.account, record.kind, &record.name)?.is_some_and(|other| other.unique_id != record.unique_id) {
        return Ok(false);
    }
    let sql = "UPDATE principals SET name = ?2, name_key = ?3, path = ?4, boundary = ?5, description = ?6, \
               trust_policy = ?7, max_session = ?8 WHERE unique_id = ?1";
    let values = parameters![
        &record.unique_id,
        &record.name,
        key(&record.name),
        &record.path,
        record.boundary.as_deref(),
        record.description.as_deref(),
        record.trust_policy.as_deref(),
        record.max_session
    ];
    txn.execute(sql, values).map(|count| count > 0)
}

/// Takes one away, with its tags. What else it has must be gone.
pub fn delete(txn: &mut dyn Transaction, unique_id: &str) -> Result<(), StoreError> {
    txn.execute("DELETE FROM identity_tags WHERE owner = ?1", parameters![unique_id])?;
    txn.execute("DELETE FROM principals WHERE unique_id = ?1", parameters![unique_id]).map(|_| ())
}

/// Users and roles that a policy bounds.
pub fn bounded_by(txn: &mut dyn Transaction, policy_arn: &str) -> Result<Vec<PrincipalRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM principals WHERE boundary = ?1 ORDER BY kind, name_key LIMIT 10000");
    txn.query(&sql, parameters![policy_arn])?.iter().map(read).collect()
}

/// Users, groups and roles that a policy is attached to.
pub fn attached_to(txn: &mut dyn Transaction, policy_arn: &str) -> Result<Vec<PrincipalRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM policy_attachments JOIN principals ON unique_id = owner WHERE policy_arn = ?1 \
         ORDER BY kind, name_key LIMIT 10000"
    );
    txn.query(&sql, parameters![policy_arn])?.iter().map(read).collect()
}

/// The groups of a user, or the users of a group, behind the name `last`.
pub(super) fn joined(
    txn: &mut dyn Transaction,
    (here, there): (&str, &str),
    unique_id: &str,
    last: &str,
    limit: u64,
) -> Result<Vec<PrincipalRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM group_members JOIN principals ON unique_id = {there} \
         WHERE {here} = ?1 AND name_key > ?2 ORDER BY name_key LIMIT ?3"
    );
    txn.query(&sql, parameters![unique_id, key(last), limit])?.iter().map(read).collect()
}
