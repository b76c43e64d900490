//! Single facts about the whole registry, by name.

use crate::database::{StoreError, Transaction};
use crate::parameters;

/// The value of a property, if it was ever set.
pub fn get(txn: &mut dyn Transaction, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let rows = txn.query("SELECT value FROM properties WHERE name = ?1", parameters![name])?;
    rows.first().map(|row| row.bytes(0).map(<[u8]>::to_vec)).transpose()
}

/// Sets a property where it is not set yet; whatever stands there afterwards is returned.
pub fn get_or_set(txn: &mut dyn Transaction, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    let sql = "INSERT INTO properties (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
    txn.execute(sql, parameters![name, value])?;
    Ok(get(txn, name)?.unwrap_or_else(|| value.to_vec()))
}

/// Sets a property.
pub fn set(txn: &mut dyn Transaction, name: &str, value: &[u8]) -> Result<(), StoreError> {
    let sql = "INSERT INTO properties (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    txn.execute(sql, parameters![name, value]).map(|_| ())
}

/// Sets a property if it still has the `known` value, `None` where it was not set; says whether it had.
pub fn replace(txn: &mut dyn Transaction, name: &str, known: Option<&[u8]>, to: &[u8]) -> Result<bool, StoreError> {
    let count = match known {
        Some(known) => txn
            .execute("UPDATE properties SET value = ?3 WHERE name = ?1 AND value = ?2", parameters![name, known, to])?,
        None => txn.execute(
            "INSERT INTO properties (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
            parameters![name, to],
        )?,
    };
    Ok(count > 0)
}

/// Takes a property away.
pub fn remove(txn: &mut dyn Transaction, name: &str) -> Result<(), StoreError> {
    txn.execute("DELETE FROM properties WHERE name = ?1", parameters![name]).map(|_| ())
}

/// The properties whose names begin so, with their values.
pub fn beginning(txn: &mut dyn Transaction, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    // There are few properties: one for each thing that the whole registry has.
    let rows = txn.query("SELECT name, value FROM properties ORDER BY name", parameters![])?;
    let all = rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.bytes(1)?.to_vec())));
    let begins =
        |row: &Result<(String, Vec<u8>), StoreError>| row.as_ref().is_ok_and(|(name, _)| name.starts_with(prefix));
    all.filter(|row| row.is_err() || begins(row)).collect()
}
