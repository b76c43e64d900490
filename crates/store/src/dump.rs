//! What of the database a backup holds: rows of every table by the names of their columns, so that either engine and a
//! later version of the schema can take them. Open uploads, leases and what
//! nodes tell each other are of no use to another process and are left out.

use crate::database::{Row, StoreError, Transaction, Value};

/// A table as it is dumped.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [&'static str],
    /// The columns, first of all, that tell a row from every other one: rows are read in their order.
    pub key: usize,
    /// Rows read at once.
    pub page: u64,
}

const fn table(name: &'static str, columns: &'static [&'static str], key: usize) -> Table {
    Table { name, columns, key, page: 1000 }
}

/// Every table, those that others refer to first.
pub const TABLES: &[Table] = &[
    table("properties", &["name", "value"], 1),
    table("accounts", &["id", "alias", "created_at"], 1),
    table("principals", PRINCIPAL_COLUMNS, 1),
    table("group_members", &["group_id", "user_id"], 2),
    table("policies", POLICY_COLUMNS, 1),
    table("policy_versions", &["policy_id", "version", "document", "created_at"], 2),
    table("policy_attachments", &["owner", "policy_arn"], 2),
    table("inline_policies", &["owner", "name", "document"], 2),
    table("identity_tags", &["owner", "key_key", "key", "value"], 2),
    table("access_keys", ACCESS_KEY_COLUMNS, 1),
    table("repositories", REPOSITORY_COLUMNS, 1),
    table("lifecycle_policies", &["repository_id", "document", "last_evaluated_at"], 1),
    table("repository_policies", &["repository_id", "document"], 1),
    table("repository_tags", &["repository_id", "key", "value"], 2),
    table("oidc_providers", &["unique_id", "account", "url", "client_ids", "thumbprints", "created_at"], 1),
    table("saml_providers", &["unique_id", "account", "name", "metadata", "valid_until", "created_at"], 1),
    table("used_assertions", &["provider", "id_hash", "used_until"], 2),
    table("registry_policies", &["account", "region", "document"], 2),
    table("registry_settings", REGISTRY_SETTING_COLUMNS, 4),
    // Rows may hold 64 KiB each.
    Table { page: 200, ..table("blobs", BLOB_COLUMNS, 1) },
    table("repository_blobs", &["repository_id", "digest", "blob_id", "size", "linked_at"], 2),
    table("manifests", MANIFEST_COLUMNS, 1),
    table("manifest_references", &["manifest_id", "kind", "digest", "repository_id", "size"], 3),
    table("tags", &["repository_id", "name", "manifest_id", "digest", "tagged_at", "tagged_by"], 2),
    table("tag_history", &["id", "repository_id", "tag", "digest", "previous", "changed_at", "changed_by"], 1),
    table("audit_links", &["number", "chained_at", "row_count", "hash", "signature", "holder"], 1),
    // Rows may hold many records each.
    Table { page: 100, ..table("audit_rows", AUDIT_ROW_COLUMNS, 1) },
];

/// The tables that no dump holds.
pub const LEFT_OUT: &[&str] = &["uploads", "leases", "nodes", "throttle_use"];

const REPOSITORY_COLUMNS: &[&str] = &[
    "id",
    "account",
    "region",
    "name",
    "created_at",
    "created_by",
    "tag_mutability",
    "mutability_filters",
    "scan_on_push",
    "encryption",
];
const REGISTRY_SETTING_COLUMNS: &[&str] =
    &["account", "region", "kind", "name", "document", "created_at", "updated_at"];
const PRINCIPAL_COLUMNS: &[&str] = &[
    "unique_id",
    "kind",
    "account",
    "name",
    "name_key",
    "path",
    "created_at",
    "boundary",
    "description",
    "trust_policy",
    "max_session",
];
const POLICY_COLUMNS: &[&str] = &[
    "unique_id",
    "account",
    "name",
    "name_key",
    "path",
    "description",
    "default_version",
    "latest_version",
    "created_at",
    "updated_at",
];
const ACCESS_KEY_COLUMNS: &[&str] = &[
    "access_key_id",
    "account",
    "principal",
    "secret_sealed",
    "created_at",
    "owner",
    "status",
    "last_used_at",
    "last_used_service",
    "last_used_region",
];
const BLOB_COLUMNS: &[&str] =
    &["id", "digest", "domain", "storage_key", "inline_bytes", "size", "stored_at", "scrubbed_at", "quarantined_at"];
const MANIFEST_COLUMNS: &[&str] = &[
    "id",
    "repository_id",
    "digest",
    "blob_id",
    "media_type",
    "artifact_type",
    "subject",
    "annotations",
    "size",
    "pushed_at",
    "pushed_by",
    "image_size",
    "last_pulled_at",
];

const AUDIT_ROW_COLUMNS: &[&str] =
    &["id", "kind", "first_at", "last_at", "records", "encoding", "payload", "digest", "link", "place"];

/// Rows written by one statement: few enough that every engine takes their parameters.
const ROWS_AT_ONCE: usize = 50;

impl Table {
    /// The table of a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.name == name)
    }

    /// The rows behind `after`, the last row of the page before.
    pub fn rows(&self, txn: &mut dyn Transaction, after: Option<&Row>) -> Result<Vec<Row>, StoreError> {
        let (columns, key) = (self.columns.join(", "), self.columns[..self.key].join(", "));
        let behind = after.map_or_else(Vec::new, |row| row.0[..self.key].to_vec());
        let marks: Vec<String> = (1..=behind.len()).map(|nth| format!("?{nth}")).collect();
        let place = if behind.is_empty() { String::new() } else { format!("WHERE ({key}) > ({})", marks.join(", ")) };
        let sql = format!("SELECT {columns} FROM {} {place} ORDER BY {key} LIMIT {}", self.name, self.page);
        txn.query(&sql, &behind)
    }

    /// Whether it has no row.
    pub fn is_empty(&self, txn: &mut dyn Transaction) -> Result<bool, StoreError> {
        Ok(txn.query(&format!("SELECT 1 FROM {} LIMIT 1", self.name), &[])?.is_empty())
    }

    /// How many rows it has.
    pub fn count(&self, txn: &mut dyn Transaction) -> Result<u64, StoreError> {
        let rows = txn.query(&format!("SELECT count(*) FROM {}", self.name), &[])?;
        rows.first().map_or(Ok(0), |row| row.unsigned(0))
    }

    /// Takes all rows away.
    pub fn clear(&self, txn: &mut dyn Transaction) -> Result<(), StoreError> {
        txn.execute(&format!("DELETE FROM {}", self.name), &[]).map(|_| ())
    }

    /// Writes rows that have a value for each of `columns`; what is there under the same key stays.
    pub fn insert(&self, txn: &mut dyn Transaction, columns: &[String], rows: &[Row]) -> Result<(), StoreError> {
        rows.chunks(ROWS_AT_ONCE).try_for_each(|chunk| {
            let parameters: Vec<Value> = chunk.iter().flat_map(|row| row.0.iter().cloned()).collect();
            txn.execute(&self.insertion(columns, chunk.len()), &parameters).map(|_| ())
        })
    }

    fn insertion(&self, columns: &[String], rows: usize) -> String {
        let values: Vec<String> = (0..rows)
            .map(|row| {
                let marks: Vec<String> =
                    (1..=columns.len()).map(|nth| format!("?{}", row * columns.len() + nth)).collect();
                format!("({})", marks.join(", "))
            })
            .collect();
        let (columns, key) = (columns.join(", "), self.columns[..self.key].join(", "));
        format!("INSERT INTO {} ({columns}) VALUES {} ON CONFLICT ({key}) DO NOTHING", self.name, values.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_many_at_once() {
        let tags = Table::find("tags").unwrap();
        let columns = ["repository_id".to_owned(), "name".to_owned()];
        assert_eq!(
            tags.insertion(&columns, 2),
            "INSERT INTO tags (repository_id, name) VALUES (?1, ?2), (?3, ?4) ON CONFLICT (repository_id, name) DO NOTHING"
        );
        assert!(Table::find("uploads").is_none());
    }
}
