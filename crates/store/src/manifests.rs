//! Manifests, what they refer to, and what refers to them.

use std::collections::BTreeMap;

use berth_aws::{AccountId, Region};
use berth_oci::digest::Digest;
use berth_oci::media_type::MediaType;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;

use crate::blobs::{FOUND, FoundBlob};
use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction, Value};
use crate::images;
use crate::parameters;
use crate::repositories::{Registry, RepositoryId};

/// What a manifest says of something it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// A config or layer: a blob.
    Blob,
    /// A manifest of an index.
    Child,
}

impl ReferenceKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Child => "child",
        }
    }
}

/// One thing that a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestReference {
    /// A blob or a child.
    pub kind: ReferenceKind,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes, as the manifest says.
    pub size: u64,
}

/// A manifest of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestRecord {
    /// Its row number.
    pub id: i64,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// How many bytes.
    pub size: u64,
}

/// What is remembered of a manifest when it is pushed.
#[derive(Debug, Clone)]
pub struct NewManifest {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The blob that holds its bytes.
    pub blob_id: i64,
    /// Its media type.
    pub media_type: MediaType,
    /// Its artifact type, as the referrers API shows it.
    pub artifact_type: Option<String>,
    /// What it is about.
    pub subject: Option<Digest>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// How many bytes.
    pub size: u64,
    /// What it refers to.
    pub references: Vec<ManifestReference>,
}

impl NewManifest {
    fn is_index(&self) -> bool {
        self.references.iter().any(|reference| reference.kind == ReferenceKind::Child)
    }

    /// The bytes of config and layers, each blob once; an index is summed up when its children are known.
    fn image_size(&self) -> Option<u64> {
        let blobs: BTreeMap<&Digest, u64> =
            self.references.iter().map(|reference| (&reference.digest, reference.size)).collect();
        (!self.is_index()).then(|| blobs.values().fold(0, |sum: u64, size| sum.saturating_add(*size)))
    }
}

/// A manifest as the referrers API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferrerRecord {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// How many bytes.
    pub size: u64,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl ManifestRecord {
    /// This manifest, unless an index or a tag that is damaged led to it instead of to the one asked for.
    fn named(self, digest: &Digest) -> Result<Self, StoreError> {
        if self.digest == *digest { Ok(self) } else { Err(StoreError::led_astray("manifests", digest, &self.digest)) }
    }
}

const COLUMNS: &str = "m.id, m.digest, m.media_type, m.size";

fn read(row: &Row) -> Result<ManifestRecord, StoreError> {
    Ok(ManifestRecord {
        id: row.integer(0)?,
        digest: row.parsed(1, Digest::parse)?,
        media_type: row.parsed(2, MediaType::parse)?,
        size: row.unsigned(3)?,
    })
}

/// The manifest of a digest.
pub fn find(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<ManifestRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM manifests m WHERE m.repository_id = ?1 AND m.digest = ?2");
    let rows = txn.query(&sql, parameters![repository, digest])?;
    rows.first().map(|row| read(row).and_then(|found| found.named(digest))).transpose()
}

/// The manifest of a tag. Never one of another repository, whatever a damaged row says.
pub fn find_by_tag(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    tag: &str,
) -> Result<Option<ManifestRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, t.digest FROM tags t JOIN manifests m ON m.id = t.manifest_id \
         AND m.repository_id = t.repository_id WHERE t.repository_id = ?1 AND t.name = ?2"
    );
    let rows = txn.query(&sql, parameters![repository, tag])?;
    rows.first().map(|row| read(row)?.named(&row.parsed(4, Digest::parse)?)).transpose()
}

/// A manifest as a pull finds it, with the blob that holds its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundManifest {
    /// The manifest.
    pub record: ManifestRecord,
    /// What is known of its bytes; `None` where their row is gone.
    pub blob: Option<FoundBlob>,
}

/// The manifest that a tag or digest names in the repository of this name: one query, as every pull asks it.
pub fn look_up(
    txn: &mut dyn Transaction,
    registry: &Registry,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Option<FoundManifest>, StoreError> {
    let by_tag = || {
        format!(
            "SELECT {COLUMNS}, t.digest, {FOUND} FROM repositories r JOIN tags t ON t.repository_id = r.id \
             JOIN manifests m ON m.id = t.manifest_id AND m.repository_id = t.repository_id \
             LEFT JOIN blobs b ON b.digest = m.digest AND b.domain = '' \
             WHERE r.account = ?1 AND r.region = ?2 AND r.name = ?3 AND t.name = ?4"
        )
    };
    let by_digest = || {
        format!(
            "SELECT {COLUMNS}, m.digest, {FOUND} FROM repositories r JOIN manifests m ON m.repository_id = r.id \
             LEFT JOIN blobs b ON b.digest = m.digest AND b.domain = '' \
             WHERE r.account = ?1 AND r.region = ?2 AND r.name = ?3 AND m.digest = ?4"
        )
    };
    let Registry { account, region } = registry;
    let rows = match reference {
        Reference::Tag(tag) => txn.query(&by_tag(), parameters![account, region, repository, tag])?,
        Reference::Digest(digest) => txn.query(&by_digest(), parameters![account, region, repository, digest])?,
    };
    rows.first().map(|row| read_found(row, reference)).transpose()
}

fn read_found(row: &Row, reference: &Reference) -> Result<FoundManifest, StoreError> {
    let record = match reference {
        Reference::Tag(_) => read(row)?.named(&row.parsed(4, Digest::parse)?)?,
        Reference::Digest(digest) => read(row)?.named(digest)?,
    };
    let blob = if row.is_null(5) { None } else { Some(FoundBlob::read(row, 5, &record.digest)?) };
    Ok(FoundManifest { record, blob })
}

/// Remembers a manifest that is not there yet, with its references. Returns its row number.
pub fn insert(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    new: &NewManifest,
    pushed_by: &str,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let id = insert_row(txn, repository, new, pushed_by, now)?;
    let sql = "INSERT INTO manifest_references (manifest_id, repository_id, kind, digest, size) \
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
    for reference in &new.references {
        let kind = reference.kind.as_str();
        txn.execute(sql, parameters![id, repository, kind, &reference.digest, reference.size])?;
    }
    if new.is_index() {
        images::sum_up_index(txn, id)?;
    }
    Ok(id)
}

fn insert_row(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    new: &NewManifest,
    pushed_by: &str,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let sql = "INSERT INTO manifests (repository_id, digest, blob_id, media_type, artifact_type, subject, annotations, \
               size, pushed_at, pushed_by, image_size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) RETURNING id";
    let annotations = serde_json::to_string(&new.annotations)
        .map_err(|error| StoreError::Corrupt { entity: "manifests", reason: error.to_string() })?;
    let values = parameters![
        repository,
        &new.digest,
        new.blob_id,
        &new.media_type,
        new.artifact_type.as_deref(),
        new.subject.as_ref(),
        annotations,
        new.size,
        now,
        pushed_by,
        new.image_size()
    ];
    let rows = txn.query(sql, values)?;
    rows.first().map_or_else(
        || Err(StoreError::Corrupt { entity: "manifests", reason: "an insert returned no id".to_owned() }),
        |row| row.integer(0),
    )
}

/// Forgets a manifest and its references; its tags must be gone.
pub fn delete(txn: &mut dyn Transaction, manifest: &ManifestRecord) -> Result<(), StoreError> {
    txn.execute("DELETE FROM manifests WHERE id = ?1", parameters![manifest.id]).map(|_| ())
}

/// Up to `limit` manifests of a repository that no other one lists as a child.
pub fn unlisted(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    limit: u64,
) -> Result<Vec<ManifestRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM manifests m WHERE m.repository_id = ?1 AND NOT EXISTS (SELECT 1 FROM manifest_references r \
         WHERE r.digest = m.digest AND r.repository_id = m.repository_id AND r.kind = 'child' AND r.manifest_id <> m.id) \
         LIMIT ?2"
    );
    txn.query(&sql, parameters![repository, limit])?.iter().map(read).collect()
}

/// Up to `limit` manifests of a repository.
pub fn any_of(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    limit: u64,
) -> Result<Vec<ManifestRecord>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM manifests m WHERE m.repository_id = ?1 LIMIT ?2");
    txn.query(&sql, parameters![repository, limit])?.iter().map(read).collect()
}

/// One manifest of the repository that refers to `digest` in this way.
pub fn referring(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    kind: ReferenceKind,
    digest: &Digest,
) -> Result<Option<Digest>, StoreError> {
    let sql = "SELECT m.digest FROM manifest_references r JOIN manifests m ON m.id = r.manifest_id \
               WHERE r.repository_id = ?1 AND r.digest = ?2 AND r.kind = ?3 LIMIT 1";
    let rows = txn.query(sql, parameters![repository, digest, kind.as_str()])?;
    rows.first().map(|row| row.parsed(0, Digest::parse)).transpose()
}

/// How much a page of referrers may hold.
#[derive(Debug, Clone, Copy)]
pub struct PageLimits {
    /// Referrers.
    pub items: usize,
    /// Bytes of annotations; one referrer may have more, and then is a page of its own.
    pub bytes: u64,
}

/// A page of the manifests about `subject` behind digest `last`, in order of their digests, and whether more follow: those of
/// some artifact types, or all where none is given. The annotations of those that do not fit are not read.
pub fn referrers(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    subject: &Digest,
    artifact_types: &[&str],
    last: &str,
    limits: PageLimits,
) -> Result<(Vec<ReferrerRecord>, bool), StoreError> {
    let places: Vec<String> = (5..5 + artifact_types.len()).map(|nth| format!("?{nth}")).collect();
    let of_types =
        if places.is_empty() { String::new() } else { format!(" AND artifact_type IN ({})", places.join(", ")) };
    let mut ask = |columns: &str, limit: usize| {
        let sql = format!(
            "SELECT {columns} FROM manifests WHERE repository_id = ?1 AND subject = ?2 AND digest > ?3{of_types} \
             ORDER BY digest LIMIT ?4"
        );
        let types = artifact_types.iter().map(|kind| Value::from(*kind));
        let first = parameters![repository, subject, last, limit as u64];
        txn.query(&sql, &first.iter().cloned().chain(types).collect::<Vec<_>>())
    };
    let lengths = ask("octet_length(annotations)", limits.items.saturating_add(1))?;
    let lengths = lengths.iter().map(|row| row.unsigned(0)).collect::<Result<Vec<_>, _>>()?;
    let fitting = fitting(&lengths, limits);
    let rows = ask("digest, media_type, size, artifact_type, annotations", fitting)?;
    let records = rows.iter().map(read_referrer).collect::<Result<_, _>>()?;
    Ok((records, lengths.len() > fitting))
}

/// How many of the first are on one page: at least one, where there is one.
fn fitting(lengths: &[u64], limits: PageLimits) -> usize {
    let mut bytes = 0u64;
    let fits = |length: &u64| {
        bytes = bytes.saturating_add(*length);
        bytes <= limits.bytes
    };
    let count = lengths.iter().copied().take(limits.items).take_while(fits).count();
    count.max(lengths.len().min(1))
}

fn read_referrer(row: &Row) -> Result<ReferrerRecord, StoreError> {
    Ok(ReferrerRecord {
        digest: row.parsed(0, Digest::parse)?,
        media_type: row.parsed(1, MediaType::parse)?,
        size: row.unsigned(2)?,
        artifact_type: row.optional_text(3)?.map(str::to_owned),
        annotations: row.parsed(4, |text| serde_json::from_str(text))?,
    })
}

/// A manifest that refers to something its repository does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DanglingReference {
    /// The repository's registry.
    pub registry: Registry,
    /// The repository's name.
    pub repository: String,
    /// The manifest.
    pub manifest: Digest,
    /// What it refers to.
    pub missing: Digest,
    /// As a blob or as a child.
    pub kind: ReferenceKind,
}

/// Up to `limit` references to what a repository does not hold.
pub fn dangling(txn: &mut dyn Transaction, limit: u64) -> Result<Vec<DanglingReference>, StoreError> {
    let sql = "SELECT p.name, m.digest, r.digest, r.kind, p.account, p.region FROM manifest_references r \
               JOIN manifests m ON m.id = r.manifest_id JOIN repositories p ON p.id = r.repository_id \
               WHERE (r.kind = 'blob' AND NOT EXISTS (SELECT 1 FROM repository_blobs l \
                   WHERE l.repository_id = r.repository_id AND l.digest = r.digest)) \
                 OR (r.kind = 'child' AND NOT EXISTS (SELECT 1 FROM manifests c \
                   WHERE c.repository_id = r.repository_id AND c.digest = r.digest)) LIMIT ?1";
    let kind = |text: &str| if text == "blob" { ReferenceKind::Blob } else { ReferenceKind::Child };
    let rows = txn.query(sql, parameters![limit])?;
    rows.iter()
        .map(|row| {
            Ok(DanglingReference {
                registry: Registry { account: row.parsed(4, AccountId::parse)?, region: row.parsed(5, Region::parse)? },
                repository: row.text(0)?.to_owned(),
                manifest: row.parsed(1, Digest::parse)?,
                missing: row.parsed(2, Digest::parse)?,
                kind: kind(row.text(3)?),
            })
        })
        .collect()
}

/// What manifests of a repository say of something they refer to.
pub fn referred(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<ManifestReference>, StoreError> {
    let sql = "SELECT kind, size FROM manifest_references WHERE repository_id = ?1 AND digest = ?2 LIMIT 1";
    let rows = txn.query(sql, parameters![repository, digest])?;
    let read = |row: &Row| {
        let kind = if row.text(0)? == "blob" { ReferenceKind::Blob } else { ReferenceKind::Child };
        Ok(ManifestReference { kind, digest: digest.clone(), size: row.unsigned(1)? })
    };
    rows.first().map(read).transpose()
}

/// Up to `limit` names of a registry's repositories that hold a manifest.
pub fn repositories_holding(
    txn: &mut dyn Transaction,
    registry: &Registry,
    digest: &Digest,
    limit: u64,
) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT r.name FROM blobs b JOIN manifests m ON m.blob_id = b.id JOIN repositories r ON r.id = m.repository_id \
               WHERE b.digest = ?1 AND b.domain = '' AND r.account = ?2 AND r.region = ?3 ORDER BY r.name LIMIT ?4";
    let rows = txn.query(sql, parameters![digest, &registry.account, &registry.region, limit])?;
    rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}

/// The size of a manifest of the repository, where it is there.
pub fn size(txn: &mut dyn Transaction, repository: RepositoryId, digest: &Digest) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT size FROM manifests WHERE repository_id = ?1 AND digest = ?2";
    txn.query(sql, parameters![repository, digest])?.first().map(|row| row.unsigned(0)).transpose()
}

#[cfg(test)]
mod tests {
    use super::{PageLimits, fitting};

    #[test]
    fn a_page_holds_what_fits_and_at_least_one() {
        let limits = PageLimits { items: 3, bytes: 10 };
        let table: [(&[u64], usize); 7] =
            [(&[], 0), (&[11], 1), (&[11, 1], 1), (&[5, 5, 1], 2), (&[0; 9], 3), (&[10, 0, 0], 3), (&[u64::MAX; 2], 1)];
        for (lengths, expected) in table {
            assert_eq!(fitting(lengths, limits), expected, "{lengths:?}");
        }
    }
}
