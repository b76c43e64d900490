//! What was done and by whom: rows of records, and the links that chain and sign them.
//!
//! A row holds one record where it was written with a change, many where they came through the queue. `digest` is the SHA-256
//! of its payload and outlives it. A row without a link has not been chained yet. Within a link, rows have places from 0 on.

use crate::clock::Timestamp;
use crate::database::{Row, StoreError, Transaction, Value};
use crate::parameters;

/// Rows placed by one statement.
const PLACED_AT_ONCE: usize = 50;
const DIGESTED: &str = "id, kind, first_at, last_at, records, digest";

/// What is known of a row without its payload: what a link signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested {
    /// The id: a UUID of version 7.
    pub id: String,
    /// `change`, `refusal` or `read`.
    pub kind: String,
    /// The time of its earliest record.
    pub first_at: Timestamp,
    /// The time of its latest record.
    pub last_at: Timestamp,
    /// How many records it holds.
    pub records: u64,
    /// SHA-256 of the payload.
    pub digest: Vec<u8>,
}

/// A row with its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// What links sign.
    pub digested: Digested,
    /// How the payload is written: `json` or `gzip`.
    pub encoding: String,
    /// The records, one line of JSON each; `None` where retention has taken them.
    pub payload: Option<Vec<u8>>,
}

/// A chained row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainedRow {
    /// The number of its link.
    pub link: u64,
    /// Its place within the link.
    pub place: u64,
    /// The row.
    pub row: AuditRow,
}

/// A link of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRecord {
    /// Its number, from 1 on.
    pub number: u64,
    /// When it was made.
    pub chained_at: Timestamp,
    /// How many rows it chains.
    pub row_count: u64,
    /// The hash over the link before and its rows: 32 bytes.
    pub hash: Vec<u8>,
    /// The signature of the hash: 64 bytes.
    pub signature: Vec<u8>,
    /// The process that made it.
    pub holder: String,
}

/// Writes a row, unless it is there already: a transaction may run again.
pub fn insert(txn: &mut dyn Transaction, row: &AuditRow) -> Result<(), StoreError> {
    let sql = "INSERT INTO audit_rows (id, kind, first_at, last_at, records, encoding, payload, digest) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING";
    let about = &row.digested;
    let (kind, encoding) = (about.kind.as_str(), row.encoding.as_str());
    let (payload, digest) = (row.payload.clone(), about.digest.clone());
    let parameters =
        parameters![&about.id, kind, about.first_at, about.last_at, about.records, encoding, payload, digest];
    txn.execute(sql, parameters).map(|_| ())
}

/// The earliest rows that are in no link, in the order of their ids.
pub fn unchained(txn: &mut dyn Transaction, limit: u64) -> Result<Vec<Digested>, StoreError> {
    let sql = format!("SELECT {DIGESTED} FROM audit_rows WHERE link IS NULL ORDER BY id LIMIT ?1");
    txn.query(&sql, parameters![limit])?.iter().map(digested).collect()
}

/// How many rows are in no link though their latest record is from before a moment; counts up to `limit`.
pub fn unchained_since(txn: &mut dyn Transaction, before: Timestamp, limit: u64) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) FROM (SELECT id FROM audit_rows WHERE link IS NULL AND last_at < ?1 LIMIT ?2) AS late";
    let rows = txn.query(sql, parameters![before, limit])?;
    rows.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// Writes a link; `false` where there is one of its number.
pub fn insert_link(txn: &mut dyn Transaction, link: &LinkRecord) -> Result<bool, StoreError> {
    let sql = "INSERT INTO audit_links (number, chained_at, row_count, hash, signature, holder) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (number) DO NOTHING";
    let (hash, signature) = (link.hash.as_slice(), link.signature.as_slice());
    let parameters = parameters![link.number, link.chained_at, link.row_count, hash, signature, &link.holder];
    txn.execute(sql, parameters).map(|count| count > 0)
}

/// Puts rows into a link, in this order, those that are in none; how many were.
pub fn place(txn: &mut dyn Transaction, link: u64, ids: &[String]) -> Result<u64, StoreError> {
    let mut placed = 0;
    for (nth, some) in ids.chunks(PLACED_AT_ONCE).enumerate() {
        let marks: Vec<String> = (0..some.len()).map(|nth| format!("?{}", nth + 3)).collect();
        let cases: Vec<String> =
            marks.iter().enumerate().map(|(nth, mark)| format!("WHEN {mark} THEN {nth}")).collect();
        let sql = format!(
            "UPDATE audit_rows SET link = ?1, place = ?2 + CASE id {} ELSE 0 END WHERE link IS NULL AND id IN ({})",
            cases.join(" "),
            marks.join(", ")
        );
        let mut values: Vec<Value> = vec![link.into(), ((nth * PLACED_AT_ONCE) as u64).into()];
        values.extend(some.iter().map(Value::from));
        placed += txn.execute(&sql, &values)?;
    }
    Ok(placed)
}

/// The latest link.
pub fn last_link(txn: &mut dyn Transaction) -> Result<Option<LinkRecord>, StoreError> {
    let sql =
        "SELECT number, chained_at, row_count, hash, signature, holder FROM audit_links ORDER BY number DESC LIMIT 1";
    txn.query(sql, parameters![])?.first().map(link).transpose()
}

/// The links behind a number, in order.
pub fn links_after(txn: &mut dyn Transaction, number: u64, limit: u64) -> Result<Vec<LinkRecord>, StoreError> {
    let sql = "SELECT number, chained_at, row_count, hash, signature, holder FROM audit_links WHERE number > ?1 \
               ORDER BY number LIMIT ?2";
    txn.query(sql, parameters![number, limit])?.iter().map(link).collect()
}

/// Chained rows behind a link and a place in it, in the order of the chain.
pub fn chained_after(
    txn: &mut dyn Transaction,
    (link, place): (u64, Option<u64>),
    limit: u64,
) -> Result<Vec<ChainedRow>, StoreError> {
    // Two questions, because one about pairs is no range of the partial index to every planner.
    let rest = "link = ?1 AND place > ?2";
    let place = place.map_or(-1, |place| i64::try_from(place).unwrap_or(i64::MAX));
    let mut rows = chained(txn, rest, parameters![link, place, limit])?;
    let missing = limit.saturating_sub(rows.len() as u64);
    if missing > 0 {
        rows.extend(chained(txn, "link > ?1 AND ?2 < 9223372036854775807", parameters![link, place, missing])?);
    }
    Ok(rows)
}

/// The rows of a link behind a place, in order.
pub fn rows_of_link(
    txn: &mut dyn Transaction,
    link: u64,
    place: Option<u64>,
    limit: u64,
) -> Result<Vec<ChainedRow>, StoreError> {
    let place = place.map_or(-1, |place| i64::try_from(place).unwrap_or(i64::MAX));
    chained(txn, "link = ?1 AND place > ?2", parameters![link, place, limit])
}

fn chained(txn: &mut dyn Transaction, which: &str, parameters: &[Value]) -> Result<Vec<ChainedRow>, StoreError> {
    let sql = format!(
        "SELECT {DIGESTED}, encoding, payload, link, place FROM audit_rows WHERE link IS NOT NULL AND {which} \
         ORDER BY link, place LIMIT ?3"
    );
    txn.query(&sql, parameters)?
        .iter()
        .map(|row| Ok(ChainedRow { link: row.unsigned(8)?, place: row.unsigned(9)?, row: whole(row)? }))
        .collect()
}

/// Whether a row says that it is in a link behind `above` and not behind `up_to`.
pub fn has_row_in(txn: &mut dyn Transaction, above: i64, up_to: u64) -> Result<bool, StoreError> {
    let sql = "SELECT id FROM audit_rows WHERE link IS NOT NULL AND link > ?1 AND link <= ?2 ORDER BY link LIMIT 1";
    Ok(!txn.query(sql, parameters![above, up_to])?.is_empty())
}

/// Rows whose latest record is not behind `behind`, the time and id of a row, latest first.
pub fn latest_before(
    txn: &mut dyn Transaction,
    behind: (Timestamp, &str),
    from: Timestamp,
    limit: u64,
) -> Result<Vec<AuditRow>, StoreError> {
    let sql = format!(
        "SELECT {DIGESTED}, encoding, payload FROM audit_rows WHERE (last_at, id) < (?1, ?2) AND last_at >= ?3 \
         ORDER BY last_at DESC, id DESC LIMIT ?4"
    );
    txn.query(&sql, parameters![behind.0, behind.1, from, limit])?.iter().map(whole).collect()
}

/// Rows of many records that reach from `at` or before to behind it, at most to `until`.
pub fn reaching_over(
    txn: &mut dyn Transaction,
    at: Timestamp,
    until: Timestamp,
    limit: u64,
) -> Result<Vec<AuditRow>, StoreError> {
    let sql = format!(
        "SELECT {DIGESTED}, encoding, payload FROM audit_rows WHERE last_at > ?1 AND last_at <= ?2 AND first_at <= ?1 \
         AND records > 1 ORDER BY last_at, id LIMIT ?3"
    );
    txn.query(&sql, parameters![at, until, limit])?.iter().map(whole).collect()
}

/// Takes the payloads of a link's rows of a kind; how many.
pub fn clear_payloads(txn: &mut dyn Transaction, link: u64, kind: &str) -> Result<u64, StoreError> {
    let sql = "UPDATE audit_rows SET payload = NULL WHERE link IS NOT NULL AND link = ?1 AND kind = ?2 AND payload IS NOT NULL";
    txn.execute(sql, parameters![link, kind])
}

/// Takes a link away with its rows; how many rows.
pub fn delete_link(txn: &mut dyn Transaction, number: u64) -> Result<u64, StoreError> {
    let rows = txn.execute("DELETE FROM audit_rows WHERE link IS NOT NULL AND link = ?1", parameters![number])?;
    txn.execute("DELETE FROM audit_links WHERE number = ?1", parameters![number])?;
    Ok(rows)
}

fn digested(row: &Row) -> Result<Digested, StoreError> {
    Ok(Digested {
        id: row.text(0)?.to_owned(),
        kind: row.text(1)?.to_owned(),
        first_at: Timestamp::from_millis(row.integer(2)?),
        last_at: Timestamp::from_millis(row.integer(3)?),
        records: row.unsigned(4)?,
        digest: row.bytes(5)?.to_vec(),
    })
}

fn whole(row: &Row) -> Result<AuditRow, StoreError> {
    let payload = if row.is_null(7) { None } else { Some(row.bytes(7)?.to_vec()) };
    Ok(AuditRow { digested: digested(row)?, encoding: row.text(6)?.to_owned(), payload })
}

fn link(row: &Row) -> Result<LinkRecord, StoreError> {
    Ok(LinkRecord {
        number: row.unsigned(0)?,
        chained_at: Timestamp::from_millis(row.integer(1)?),
        row_count: row.unsigned(2)?,
        hash: row.bytes(3)?.to_vec(),
        signature: row.bytes(4)?.to_vec(),
        holder: row.text(5)?.to_owned(),
    })
}
