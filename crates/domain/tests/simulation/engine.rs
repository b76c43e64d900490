//! The database of all nodes: real SQL in memory, run where the scheduler stands, with the faults of a server far away.

use std::sync::Arc;

use async_trait::async_trait;
use berth_store::database::{Engine, Job};
use berth_store::{BlobKey, StoreError, Value};
use berth_store_sql::sqlite::InlineSqlite;

use crate::chaos::{Chaos, Fate};

/// One node's way to the database that all share.
pub struct SimulatedEngine {
    pub database: Arc<InlineSqlite>,
    pub chaos: Arc<Chaos>,
}

#[async_trait]
impl Engine for SimulatedEngine {
    async fn read(&self, mut job: Job) -> Result<(), StoreError> {
        self.chaos.pause().await;
        if self.chaos.database_fate() == Fate::FailsBefore {
            return Err(cut_off("before a read"));
        }
        self.database.transact(&mut job, false)?;
        self.chaos.pause().await;
        Ok(())
    }

    async fn write(&self, mut job: Job) -> Result<(), StoreError> {
        self.chaos.pause().await;
        let fate = self.chaos.database_fate();
        if !self.chaos.is_calm() && self.chaos.chance(self.chaos.profile().run_twice, 1000) {
            // A transaction that could not be serialised; others may come in between.
            self.database.transact(&mut job, false)?;
            self.chaos.pause().await;
        }
        self.database.transact(&mut job, fate != Fate::FailsBefore)?;
        self.chaos.pause().await;
        match fate {
            Fate::Works => Ok(()),
            Fate::FailsBefore => Err(cut_off("before the commit")),
            Fate::FailsAfter => Err(cut_off("after the commit")),
        }
    }
}

fn cut_off(when: &str) -> StoreError {
    StoreError::Unavailable(format!("simulated: cut off {when}"))
}

/// The rows of a query, outside of any simulated fault.
pub fn look(database: &InlineSqlite, sql: &'static str, parameters: &[Value]) -> Vec<berth_store::Row> {
    let found = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (kept, parameters) = (Arc::clone(&found), parameters.to_vec());
    let mut job: Job = Box::new(move |txn| {
        *kept.lock().unwrap() = txn.query(sql, &parameters).unwrap();
        berth_store::database::Verdict::Undo
    });
    database.transact(&mut job, false).unwrap();
    drop(job);
    Arc::try_unwrap(found).unwrap().into_inner().unwrap()
}

/// Which row owns a key, in words.
pub fn owner_of(database: &InlineSqlite, key: &BlobKey) -> Option<String> {
    let sql = "SELECT 'blob ' || digest FROM blobs WHERE storage_key = ?1 \
               UNION ALL SELECT 'upload ' || id FROM uploads WHERE storage_key = ?1";
    look(database, sql, &[Value::from(key)]).first().map(|row| row.text(0).unwrap().to_owned())
}
