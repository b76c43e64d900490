//! The revision of everything that decides who may do what. It differs after each change and says nothing else.

use crate::database::{StoreError, Transaction};
use crate::properties;

const PROPERTY: &str = "access_revision";

/// The revision now; empty where nothing was ever changed.
pub fn current(txn: &mut dyn Transaction) -> Result<Vec<u8>, StoreError> {
    Ok(properties::get(txn, PROPERTY)?.unwrap_or_default())
}

/// Makes `fresh`, random bytes, the revision.
pub fn renew(txn: &mut dyn Transaction, fresh: [u8; 16]) -> Result<(), StoreError> {
    properties::set(txn, PROPERTY, &fresh)
}
