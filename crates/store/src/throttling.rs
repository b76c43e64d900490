//! What nodes tell each other of the quotas that they share: that they run, and what they are asked for.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::database::{StoreError, Transaction};
use crate::parameters;

/// The most rows of other nodes that are read at once.
const MOST_ROWS: u64 = 20_000;

/// Says that a node runs.
pub fn say_alive(txn: &mut dyn Transaction, node: &str, now: Timestamp) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO nodes (name, seen_at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at";
    txn.execute(sql, parameters![node, now]).map(|_| ())
}

/// How many nodes beside this one said so since.
pub fn others_alive(txn: &mut dyn Transaction, node: &str, since: Timestamp) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) FROM nodes WHERE name <> ?1 AND seen_at >= ?2";
    txn.query(sql, parameters![node, since])?.first().map_or(Ok(0), |row| row.unsigned(0))
}

/// Says how often a node is asked for of a bucket, in a second.
pub fn note_use(
    txn: &mut dyn Transaction,
    bucket: &str,
    node: &str,
    asked: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO throttle_use (bucket, node, asked, noted_at) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (bucket, node) DO UPDATE SET asked = excluded.asked, noted_at = excluded.noted_at";
    txn.execute(sql, parameters![bucket, node, asked, now]).map(|_| ())
}

/// Takes back what a node said of a bucket.
pub fn forget_use(txn: &mut dyn Transaction, bucket: &str, node: &str) -> Result<(), StoreError> {
    txn.execute("DELETE FROM throttle_use WHERE bucket = ?1 AND node = ?2", parameters![bucket, node]).map(|_| ())
}

/// How often all other nodes are asked together, by the bucket, as they said since.
pub fn use_of_others(
    txn: &mut dyn Transaction,
    node: &str,
    since: Timestamp,
) -> Result<HashMap<String, u64>, StoreError> {
    let sql =
        "SELECT bucket, asked FROM throttle_use WHERE node <> ?1 AND noted_at >= ?2 ORDER BY bucket, node LIMIT ?3";
    let mut asked = HashMap::new();
    for row in txn.query(sql, parameters![node, since, MOST_ROWS])? {
        let sum: &mut u64 = asked.entry(row.text(0)?.to_owned()).or_default();
        *sum = sum.saturating_add(row.unsigned(1)?);
    }
    Ok(asked)
}

/// Takes away what nodes said that were not heard of since.
pub fn clear(txn: &mut dyn Transaction, before: Timestamp) -> Result<(), StoreError> {
    txn.execute("DELETE FROM throttle_use WHERE noted_at < ?1", parameters![before])?;
    txn.execute("DELETE FROM nodes WHERE seen_at < ?1", parameters![before]).map(|_| ())
}
