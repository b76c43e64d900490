//! Keys without a row that stay all the same: a restore may have gone back behind them, or the database that knew them was
//! lost.

use std::time::Duration;

use berth_store::{Database, StoreError, Timestamp, Transaction, properties};

use crate::error::Error;
use crate::{Domain, Parts, seal};

/// Until this moment, in milliseconds since 1970, keys without a row stay.
pub(crate) const KEYS_KEPT_UNTIL: &str = "keys_kept_until";
/// How long they stay.
const KEYS_STAY: Duration = Duration::from_hours(7 * 24);

/// From now on keys without a row stay for a while.
pub(crate) fn keep_keys(txn: &mut dyn Transaction, now: Timestamp) -> Result<(), StoreError> {
    properties::set(txn, KEYS_KEPT_UNTIL, now.after(KEYS_STAY).as_millis().to_string().as_bytes())
}

/// A new database beside a blob store that holds something: the old one was lost, or this is another registry's store.
/// Nothing there has a row, and nothing may go before somebody had the time to notice.
pub(crate) async fn keep_keys_of_lost_database(parts: &Parts) -> Result<(), Error> {
    if !is_new(&parts.database).await? || parts.blobs.list(None, 1).await?.is_empty() {
        return Ok(());
    }
    tracing::warn!(
        "the database is new but the blob store is not: if the database was lost, restore a backup or run `berth verify \
         --rebuild`; what lies in the blob store stays for a week"
    );
    let now = parts.clock.now();
    parts.database.write(move |txn| keep_keys(txn, now).map_err(Error::from)).await
}

async fn is_new(database: &Database) -> Result<bool, Error> {
    let read = database.read(|txn| properties::get(txn, seal::CANARY_PROPERTY).map_err(Error::from));
    Ok(read.await?.is_none())
}

impl Domain {
    pub(super) async fn are_keys_kept(&self) -> Result<bool, Error> {
        let kept = self.database.read(|txn| properties::get(txn, KEYS_KEPT_UNTIL).map_err(Error::from)).await?;
        let until = kept.and_then(|text| String::from_utf8_lossy(&text).parse().ok());
        Ok(until.is_some_and(|until| self.clock.now() < Timestamp::from_millis(until)))
    }
}
