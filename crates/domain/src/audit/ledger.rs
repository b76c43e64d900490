//! The database, whose writes carry the record of the call that makes them.

use berth_store::{Database, StoreError, Transaction};

use super::call;
use berth_store::audit as store;

/// The database of a registry. What a call writes first is written together with its record, by construction: nothing else of
/// the domain holds a [`Database`].
#[derive(Clone)]
pub(crate) struct Ledger(Database);

impl Ledger {
    pub(crate) const fn new(database: Database) -> Self {
        Self(database)
    }

    /// The database for what is no call's.
    pub(crate) const fn unrecorded(&self) -> &Database {
        &self.0
    }

    /// What [`Database::read`] does.
    pub(crate) async fn read<T, E, F>(&self, function: F) -> Result<T, E>
    where
        F: Fn(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.0.read(function).await
    }

    /// What [`Database::write`] does, and the record of the running call with it, if it is not written yet. A function that fails
    /// undoes both.
    pub(crate) async fn write<T, E, F>(&self, function: F) -> Result<T, E>
    where
        F: Fn(&mut dyn Transaction) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let Some(due) = call::due() else { return self.0.write(function).await };
        let row = due.row();
        let written = self.0.write(move |txn| {
            let done = function(txn)?;
            store::insert(txn, &row)?;
            Ok(done)
        });
        written.await.inspect(|_: &T| due.is_written())
    }

    /// What [`Database::is_failing`] says.
    pub(crate) fn is_failing(&self) -> bool {
        self.0.is_failing()
    }

    /// What [`Database::free_space`] says.
    pub(crate) fn free_space(&self) -> Result<Option<u64>, StoreError> {
        self.0.free_space()
    }
}
