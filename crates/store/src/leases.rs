//! Leases: work that one process at a time may do. A holder renews its lease while it works; one that died is waited for
//! no longer than the lease lasts.

use crate::clock::Timestamp;
use crate::database::{StoreError, Transaction};
use crate::parameters;

/// Held while a backup is being taken.
pub const BACKUP: &str = "backup";

/// Held by whoever chains the records of calls.
pub const AUDIT: &str = "audit";

/// Held by whoever writes them as files.
pub const AUDIT_EXPORT: &str = "audit export";

/// Takes or renews a lease until `until`; `false` where another process holds it.
pub fn take(
    txn: &mut dyn Transaction,
    name: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO leases (name, holder, held_until) VALUES (?1, ?2, ?4) ON CONFLICT (name) DO UPDATE \
               SET holder = ?2, held_until = ?4 WHERE leases.holder = ?2 OR leases.held_until < ?3";
    txn.execute(sql, parameters![name, holder, now, until]).map(|count| count > 0)
}

/// Gives a lease back.
pub fn give_back(txn: &mut dyn Transaction, name: &str, holder: &str) -> Result<(), StoreError> {
    txn.execute("DELETE FROM leases WHERE name = ?1 AND holder = ?2", parameters![name, holder]).map(|_| ())
}

/// Who holds a lease now.
pub fn holder(txn: &mut dyn Transaction, name: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
    let sql = "SELECT holder FROM leases WHERE name = ?1 AND held_until >= ?2";
    txn.query(sql, parameters![name, now])?.first().map(|row| row.text(0).map(str::to_owned)).transpose()
}
