//! The registry on a PostgreSQL server, which several nodes share.
//!
//! Every function runs in a transaction of its own on a pooled connection: writes serialisable, so that what a function
//! read is still true when it commits, and run again when PostgreSQL finds that it would not be; reads on one snapshot.
//! The functions are synchronous, so they run on blocking threads that wait for the connection.

mod connection;
mod dialect;
mod error;
mod pool;
mod schema;
mod settings;
mod transaction;

use std::time::Duration;

use async_trait::async_trait;
use berth_store::Transaction;
use berth_store::database::{Engine, Job, StoreError, Verdict};
use tokio::runtime::Handle;
use tokio::time::Instant;

use self::pool::Pool;
pub use self::settings::{PostgresSettings, PostgresUrl, UrlError};
use self::transaction::{Kind, Outcome, run};

/// How long a function is run again after conflicts and lost connections before its caller is told.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause before the second run; each later one is up to twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(2);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The engine over one PostgreSQL database.
pub struct PostgresEngine {
    pool: Pool,
}

impl PostgresEngine {
    /// Connects, and brings the schema to this binary's version; nodes that start together wait for each other.
    pub async fn open(settings: &PostgresSettings) -> Result<Self, StoreError> {
        Self::open_with(settings, crate::migrations::ALL).await
    }

    /// Takes the database for ready; connects when the first function comes.
    pub fn connect(settings: &PostgresSettings) -> Result<Self, StoreError> {
        Ok(Self { pool: Pool::new(settings)? })
    }

    /// Like [`Self::open`], with other versions of the schema than this binary's: for tests of upgrades.
    pub async fn open_with(settings: &PostgresSettings, migrations: &[&str]) -> Result<Self, StoreError> {
        let pool = Pool::new(settings)?;
        schema::check_server(&pool).await?;
        schema::migrate(&pool, migrations).await?;
        Ok(Self { pool })
    }

    async fn run(&self, mut job: Job, kind: Kind) -> Result<(), StoreError> {
        let began = Instant::now();
        let mut runs = 0;
        loop {
            runs += 1;
            let (returned, outcome) = self.run_once(job, kind).await?;
            job = returned;
            match outcome {
                Outcome::Done(result) => return result,
                Outcome::Again(error) if began.elapsed() > PATIENCE || runs >= error.most_runs() => {
                    return Err(error.into_store_error());
                }
                Outcome::Again(error) => {
                    metrics::counter!("berth_database_reruns_total", "reason" => error.reason()).increment(1);
                    tokio::time::sleep(pause(runs, self.pool.spread())).await;
                }
            }
        }
    }

    /// The job comes back, so that it can be run again.
    async fn run_once(&self, mut job: Job, kind: Kind) -> Result<(Job, Outcome), StoreError> {
        let connection = match self.pool.connection().await {
            Ok(connection) => connection,
            Err(error) => return error.again_or_fail(job),
        };
        let runtime = Handle::current();
        let ran = tokio::task::spawn_blocking(move || {
            let outcome = run(connection, &runtime, &mut job, kind);
            (job, outcome)
        });
        ran.await.map_err(|_| StoreError::Panicked)
    }
}

#[async_trait]
impl Engine for PostgresEngine {
    async fn read(&self, job: Job) -> Result<(), StoreError> {
        self.run(job, Kind::Read).await
    }

    async fn write(&self, job: Job) -> Result<(), StoreError> {
        self.run(job, Kind::Write).await
    }

    async fn settle_row_numbers(&self) -> Result<(), StoreError> {
        let settle = Box::new(|txn: &mut dyn Transaction| {
            let settled = schema::NUMBERED.iter().try_for_each(|table| {
                let sql = format!(
                    "SELECT setval(pg_get_serial_sequence('{table}', 'id'), greatest((SELECT max(id) FROM {table}), 1))"
                );
                txn.query(&sql, &[]).map(|_| ())
            });
            settled.map_or_else(Verdict::Failed, |()| Verdict::Keep)
        });
        self.write(settle).await
    }
}

/// The pause behind run number `runs`, counted from 1. `spread` keeps those that met from meeting again.
fn pause(runs: u32, spread: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(runs.min(16) - 1)).min(LONGEST_PAUSE);
    doubled.mul_f64(0.5 + spread / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let milliseconds = |runs, spread| pause(runs, spread).as_millis();
        assert_eq!(milliseconds(1, 1.0), 2);
        assert_eq!(milliseconds(1, 0.0), 1);
        assert_eq!(milliseconds(4, 1.0), 16);
        assert_eq!(milliseconds(u32::MAX, 1.0), 200);
        assert_eq!(milliseconds(u32::MAX, 0.0), 100);
    }
}
