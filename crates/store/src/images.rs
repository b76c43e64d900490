//! Images as the API of ECR shows them: pages in the order of their digests, and many at once by digest or tag.
//!
//! No query is asked once per image: a page is one for its manifests and one for their tags.

use std::collections::BTreeMap;

use berth_oci::digest::Digest;
use berth_oci::media_type::MediaType;
use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;

use crate::blobs::{FOUND, FoundBlob};
use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction, Value};
use crate::parameters;
use crate::repositories::{Registry, RepositoryId};

/// Which images count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TagStatus {
    /// All.
    #[default]
    Any,
    /// Those that a tag points to.
    Tagged,
    /// Those that none points to.
    Untagged,
}

impl TagStatus {
    const fn condition(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Tagged => " AND EXISTS (SELECT 1 FROM tags e WHERE e.manifest_id = m.id)",
            Self::Untagged => " AND NOT EXISTS (SELECT 1 FROM tags e WHERE e.manifest_id = m.id)",
        }
    }
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRecord {
    /// Its row number.
    pub id: i64,
    /// Its repository.
    pub repository: RepositoryId,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The bytes of config and layers; of an index, those of its largest image.
    pub size: u64,
    /// When it was pushed first.
    pub pushed_at: Timestamp,
    /// The media type of its manifest.
    pub media_type: MediaType,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// What it is about.
    pub subject: Option<Digest>,
    /// When it was pulled last, as far as that is written.
    pub last_pulled_at: Option<Timestamp>,
}

/// The size of the manifest `m`: as it was summed up at its push; else, for rows of nodes that did not, from what it and, for
/// an index, the manifests below it refer to.
pub(crate) const SIZE: &str = "coalesce(m.image_size, (WITH RECURSIVE part (id) AS (SELECT m.id UNION \
     SELECT c.id FROM part p JOIN manifest_references r ON r.manifest_id = p.id AND r.kind = 'child' \
     JOIN manifests c ON c.repository_id = r.repository_id AND c.digest = r.digest) \
     SELECT coalesce(max(s.bytes), 0) FROM (SELECT CAST(sum(b.size) AS BIGINT) AS bytes FROM part p \
     JOIN manifest_references b ON b.manifest_id = p.id AND b.kind = 'blob' GROUP BY p.id) AS s))";

fn columns() -> String {
    format!(
        "m.id, m.digest, {SIZE}, m.pushed_at, m.media_type, m.artifact_type, m.subject, m.last_pulled_at, \
             m.repository_id"
    )
}

fn read(row: &Row) -> Result<ImageRecord, StoreError> {
    Ok(ImageRecord {
        id: row.integer(0)?,
        digest: row.parsed(1, Digest::parse)?,
        size: row.unsigned(2)?,
        pushed_at: Timestamp::from_millis(row.integer(3)?),
        media_type: row.parsed(4, MediaType::parse)?,
        artifact_type: row.optional_text(5)?.map(str::to_owned),
        subject: if row.is_null(6) { None } else { Some(row.parsed(6, Digest::parse)?) },
        repository: RepositoryId(row.integer(8)?),
        last_pulled_at: if row.is_null(7) { None } else { Some(Timestamp::from_millis(row.integer(7)?)) },
    })
}

/// Up to `limit` images behind the digest `after`, in the order of digests.
pub fn page(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    status: TagStatus,
    after: &str,
    limit: u64,
) -> Result<Vec<ImageRecord>, StoreError> {
    let (columns, condition) = (columns(), status.condition());
    let sql = format!(
        "SELECT {columns} FROM manifests m WHERE m.repository_id = ?1 AND m.digest > ?2{condition} \
         ORDER BY m.digest LIMIT ?3"
    );
    txn.query(&sql, parameters![repository, after, limit])?.iter().map(read).collect()
}

/// Up to `limit` tags of the images behind the digest `after` up to the digest `to`, with the row numbers of their images:
/// in the order of digests, then of tags.
pub fn tags_between(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    after: &str,
    to: &Digest,
    limit: u64,
) -> Result<Vec<(i64, Tag)>, StoreError> {
    let sql = "SELECT m.id, t.name FROM manifests m JOIN tags t ON t.manifest_id = m.id \
               AND t.repository_id = m.repository_id WHERE m.repository_id = ?1 AND m.digest > ?2 AND m.digest <= ?3 \
               ORDER BY m.digest, t.name LIMIT ?4";
    let rows = txn.query(sql, parameters![repository, after, to, limit])?;
    rows.iter().map(|row| Ok((row.integer(0)?, row.parsed(1, Tag::parse)?))).collect()
}

/// Up to `limit` pairs of a digest and a tag behind such a pair, in their order; an image without tags is one without a tag,
/// which comes first.
pub fn pairs(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    status: TagStatus,
    after: (&str, &str),
    limit: u64,
) -> Result<Vec<(Digest, Option<Tag>)>, StoreError> {
    let joined = match status {
        TagStatus::Any => "LEFT JOIN tags t ON t.manifest_id = m.id AND t.repository_id = m.repository_id",
        TagStatus::Tagged => "JOIN tags t ON t.manifest_id = m.id AND t.repository_id = m.repository_id",
        TagStatus::Untagged => "LEFT JOIN tags t ON 1 = 0",
    };
    let condition = if status == TagStatus::Untagged { status.condition() } else { "" };
    let sql = format!(
        "SELECT m.digest, t.name FROM manifests m {joined} WHERE m.repository_id = ?1 AND m.digest >= ?2 \
         AND (m.digest > ?2 OR t.name > ?3){condition} ORDER BY m.digest, t.name LIMIT ?4"
    );
    let rows = txn.query(&sql, parameters![repository, after.0, after.1, limit])?;
    let tag = |row: &Row| if row.is_null(1) { Ok(None) } else { row.parsed(1, Tag::parse).map(Some) };
    rows.iter().map(|row| Ok((row.parsed(0, Digest::parse)?, tag(row)?))).collect()
}

/// The images of some digests, in no order, in the repository of this name.
pub fn of_digests(
    txn: &mut dyn Transaction,
    registry: &Registry,
    repository: &RepositoryName,
    digests: &[&Digest],
) -> Result<Vec<ImageRecord>, StoreError> {
    let columns = columns();
    among(txn, digests, parameters![&registry.account, &registry.region, repository], |places| {
        format!(
            "SELECT {columns} FROM repositories p JOIN manifests m ON m.repository_id = p.id \
             WHERE p.account = ?1 AND p.region = ?2 AND p.name = ?3 AND m.digest IN ({places})"
        )
    })?
    .iter()
    .map(read)
    .collect()
}

/// The images that some tags point to, in no order, in the repository of this name.
pub fn of_tags(
    txn: &mut dyn Transaction,
    registry: &Registry,
    repository: &RepositoryName,
    tags: &[&Tag],
) -> Result<Vec<(Tag, ImageRecord)>, StoreError> {
    let columns = columns();
    let rows = among(txn, tags, parameters![&registry.account, &registry.region, repository], |places| {
        format!(
            "SELECT {columns}, t.name, t.digest FROM repositories p JOIN tags t ON t.repository_id = p.id \
             JOIN manifests m ON m.id = t.manifest_id AND m.repository_id = t.repository_id \
             WHERE p.account = ?1 AND p.region = ?2 AND p.name = ?3 AND t.name IN ({places})"
        )
    })?;
    let read = |row: &Row| {
        let (record, tagged): (_, Digest) = (read(row)?, row.parsed(10, Digest::parse)?);
        if record.digest != tagged {
            return Err(StoreError::led_astray("manifests", &tagged, &record.digest));
        }
        Ok((row.parsed(9, Tag::parse)?, record))
    };
    rows.iter().map(read).collect()
}

/// The tags of some images, each list in byte order, by the images' row numbers.
pub fn tags_of(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    images: &[i64],
) -> Result<BTreeMap<i64, Vec<Tag>>, StoreError> {
    let rows = among(txn, images, parameters![repository], |places| {
        format!(
            "SELECT t.manifest_id, t.name FROM tags t WHERE t.repository_id = ?1 AND t.manifest_id IN ({places}) \
             ORDER BY t.manifest_id, t.name"
        )
    })?;
    let mut tags = BTreeMap::<_, Vec<_>>::new();
    for row in &rows {
        tags.entry(row.integer(0)?).or_default().push(row.parsed(1, Tag::parse)?);
    }
    Ok(tags)
}

/// A manifest to be pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullableRecord {
    /// Its row number.
    pub id: i64,
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// How many bytes it has.
    pub size: u64,
    /// What is known of its bytes; `None` where their row is gone.
    pub blob: Option<FoundBlob>,
}

/// The manifests of some digests with where their bytes are, in no order.
pub fn pullable(
    txn: &mut dyn Transaction,
    repository: RepositoryId,
    digests: &[&Digest],
) -> Result<Vec<PullableRecord>, StoreError> {
    let rows = among(txn, digests, parameters![repository], |places| {
        format!(
            "SELECT m.id, m.digest, m.media_type, m.size, {FOUND} \
             FROM manifests m LEFT JOIN blobs b ON b.digest = m.digest AND b.domain = '' \
             WHERE m.repository_id = ?1 AND m.digest IN ({places})"
        )
    })?;
    let read = |row: &Row| {
        let digest: Digest = row.parsed(1, Digest::parse)?;
        let blob = if row.is_null(4) { None } else { Some(FoundBlob::read(row, 4, &digest)?) };
        Ok(PullableRecord {
            id: row.integer(0)?,
            digest,
            media_type: row.parsed(2, MediaType::parse)?,
            size: row.unsigned(3)?,
            blob,
        })
    };
    rows.iter().map(read).collect()
}

/// How many images a repository holds, counted no further than `limit`.
pub fn count(txn: &mut dyn Transaction, repository: RepositoryId, limit: u64) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM manifests WHERE repository_id = ?1 LIMIT ?2) AS held";
    txn.query(sql, parameters![repository, limit])?.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// How many tags an image has, counted no further than `limit`.
pub fn count_tags(txn: &mut dyn Transaction, image: i64, limit: u64) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM tags WHERE manifest_id = ?1 LIMIT ?2) AS held";
    txn.query(sql, parameters![image, limit])?.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// Notes that an image was pulled, unless a pull later than `older_than` is noted; says whether it wrote. A row number that
/// was given anew to an image pushed later is left alone.
pub fn note_pulled(
    txn: &mut dyn Transaction,
    image: i64,
    at: Timestamp,
    older_than: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE manifests SET last_pulled_at = ?2 WHERE id = ?1 AND pushed_at <= ?2 \
               AND (last_pulled_at IS NULL OR last_pulled_at <= ?3)";
    txn.execute(sql, parameters![image, at, older_than]).map(|count| count > 0)
}

/// Sums up the size of an index that was just inserted: that of its largest image, where every manifest it lists is there.
pub(crate) fn sum_up_index(txn: &mut dyn Transaction, index: i64) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE manifests SET image_size = (SELECT max({SIZE}) FROM manifest_references r JOIN manifests m \
         ON m.repository_id = r.repository_id AND m.digest = r.digest WHERE r.manifest_id = ?1 AND r.kind = 'child') \
         WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM manifest_references r WHERE r.manifest_id = ?1 AND r.kind = 'child' \
         AND NOT EXISTS (SELECT 1 FROM manifests c WHERE c.repository_id = r.repository_id AND c.digest = r.digest))"
    );
    txn.execute(&sql, parameters![index]).map(|_| ())
}

/// Lists of one statement; there are few lengths, so that there are few statements.
const LENGTHS: [usize; 3] = [1, 10, 100];

/// Asks for many keys at once. `sql` gives the text for a list of placeholders that stand behind those of `first`.
pub(crate) fn among<K>(
    txn: &mut dyn Transaction,
    keys: &[K],
    first: &[Value],
    sql: impl Fn(&str) -> String,
) -> Result<Vec<Row>, StoreError>
where
    K: Copy,
    Value: From<K>,
{
    let mut rows = Vec::new();
    for chunk in keys.chunks(LENGTHS[LENGTHS.len() - 1]) {
        let length = LENGTHS.into_iter().find(|length| *length >= chunk.len()).unwrap_or(chunk.len());
        let places: Vec<String> = (1..=length).map(|nth| format!("?{}", first.len() + nth)).collect();
        // What is asked for twice is found once.
        let padding = chunk.last().into_iter().cycle();
        let keys = chunk.iter().chain(padding).take(length).map(|key| Value::from(*key));
        let values: Vec<Value> = first.iter().cloned().chain(keys).collect();
        rows.extend(txn.query(&sql(&places.join(", ")), &values)?);
    }
    Ok(rows)
}
