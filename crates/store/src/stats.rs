//! Sizes of images and repositories: total, unique and shared bytes.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;

use crate::database::{Row, StoreError, Transaction};
use crate::parameters;
use crate::repositories::{Registry, RepositoryId};

/// Sizes in bytes. `shared` is `total - unique`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sizes {
    /// The manifest and every config and layer that it refers to, each once.
    pub total: u64,
    /// What nothing else of the account links.
    pub unique: u64,
    /// What something else links too.
    pub shared: u64,
}

/// The sizes of one manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ImageSizes {
    /// Row number, to go on behind.
    #[serde(skip)]
    pub id: i64,
    /// Its digest.
    pub digest: Digest,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its sizes; those of an index are its own bytes, its children are images of their own.
    pub sizes: Sizes,
}

/// The sizes of one repository.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RepositorySizes {
    /// Its name.
    pub repository: RepositoryName,
    /// How many manifests it holds.
    pub images: u64,
    /// Its blobs and manifests; unique is what no other repository of the account links.
    pub sizes: Sizes,
}

impl Sizes {
    fn new(total: u64, unique: u64) -> Self {
        Self { total, unique, shared: total.saturating_sub(unique) }
    }
}

/// How many repositories the registry has.
pub fn repository_count(txn: &mut dyn Transaction, registry: &Registry) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM repositories WHERE account = ?1 AND region = ?2";
    let rows = txn.query(sql, parameters![registry.account.as_str(), registry.region.as_str()])?;
    rows.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// The sizes of up to `limit` manifests behind row number `after`.
pub fn images(
    txn: &mut dyn Transaction,
    registry: &Registry,
    repository: RepositoryId,
    after: i64,
    limit: u64,
) -> Result<Vec<ImageSizes>, StoreError> {
    let sql = "WITH page AS (SELECT id, digest, blob_id, size FROM manifests WHERE repository_id = ?1 AND id > ?2 \
                 ORDER BY id LIMIT ?3), \
               parts AS (SELECT p.id, m.size, \
                   NOT EXISTS (SELECT 1 FROM manifests o JOIN repositories r ON r.id = o.repository_id \
                     WHERE o.blob_id = p.blob_id AND o.id <> p.id AND r.account = ?4) AS alone \
                 FROM page p JOIN manifests m ON m.id = p.id \
                 UNION ALL \
                 SELECT p.id, x.size, \
                   NOT EXISTS (SELECT 1 FROM manifest_references o JOIN repositories r ON r.id = o.repository_id \
                     WHERE o.digest = x.digest AND o.kind = 'blob' AND o.manifest_id <> p.id AND r.account = ?4) \
                 FROM page p JOIN manifest_references x ON x.manifest_id = p.id AND x.kind = 'blob') \
               SELECT p.id, p.digest, CAST(sum(parts.size) AS BIGINT), \
                 CAST(sum(CASE WHEN parts.alone THEN parts.size ELSE 0 END) AS BIGINT) \
               FROM page p JOIN parts ON parts.id = p.id GROUP BY p.id, p.digest ORDER BY p.id";
    let rows = txn.query(sql, parameters![repository, after, limit, &registry.account])?;
    let mut images: Vec<ImageSizes> = rows.iter().map(read_image).collect::<Result<_, _>>()?;
    add_tags(txn, repository, &mut images)?;
    Ok(images)
}

/// Gives each image of a page, which is in order of ids, its tags.
fn add_tags(txn: &mut dyn Transaction, repository: RepositoryId, images: &mut [ImageSizes]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (images.first(), images.last()) else { return Ok(()) };
    let sql = "SELECT manifest_id, name FROM tags WHERE repository_id = ?1 AND manifest_id BETWEEN ?2 AND ?3 \
               ORDER BY manifest_id, name";
    for row in txn.query(sql, parameters![repository, first.id, last.id])? {
        let manifest = row.integer(0)?;
        if let Ok(nth) = images.binary_search_by_key(&manifest, |image| image.id) {
            images[nth].tags.push(row.text(1)?.to_owned());
        }
    }
    Ok(())
}

fn read_image(row: &Row) -> Result<ImageSizes, StoreError> {
    Ok(ImageSizes {
        id: row.integer(0)?,
        digest: row.parsed(1, Digest::parse)?,
        sizes: Sizes::new(row.unsigned(2)?, row.unsigned(3)?),
        tags: Vec::new(),
    })
}

/// The sizes of up to `limit` repositories behind the name `after`.
pub fn repositories(
    txn: &mut dyn Transaction,
    registry: &Registry,
    after: &str,
    limit: u64,
) -> Result<Vec<RepositorySizes>, StoreError> {
    let sql = "WITH page AS (SELECT id, name FROM repositories WHERE account = ?1 AND region = ?2 AND name > ?3 \
                 ORDER BY name LIMIT ?4), \
               parts AS (SELECT p.id, l.size, \
                   NOT EXISTS (SELECT 1 FROM repository_blobs o JOIN repositories r ON r.id = o.repository_id \
                     WHERE o.blob_id = l.blob_id AND o.repository_id <> p.id AND r.account = ?1) AS alone \
                 FROM page p JOIN repository_blobs l ON l.repository_id = p.id \
                 UNION ALL \
                 SELECT p.id, m.size, \
                   NOT EXISTS (SELECT 1 FROM manifests o JOIN repositories r ON r.id = o.repository_id \
                     WHERE o.blob_id = m.blob_id AND o.repository_id <> p.id AND r.account = ?1) \
                 FROM page p JOIN manifests m ON m.repository_id = p.id) \
               SELECT p.name, (SELECT count(*) FROM manifests m WHERE m.repository_id = p.id), \
                 CAST(coalesce(sum(parts.size), 0) AS BIGINT), \
                 CAST(coalesce(sum(CASE WHEN parts.alone THEN parts.size ELSE 0 END), 0) AS BIGINT) \
               FROM page p LEFT JOIN parts ON parts.id = p.id GROUP BY p.id, p.name ORDER BY p.name";
    let rows = txn.query(sql, parameters![&registry.account, &registry.region, after, limit])?;
    rows.iter()
        .map(|row| {
            Ok(RepositorySizes {
                repository: row.parsed(0, RepositoryName::parse)?,
                images: row.unsigned(1)?,
                sizes: Sizes::new(row.unsigned(2)?, row.unsigned(3)?),
            })
        })
        .collect()
}
