//! Two sequencers over one database, one of which loses its lease in the middle of a step.

use std::sync::Arc;

use berth_aws::{AccountId, Region};
use berth_store::repositories::Registry;
use berth_store::{Clock, Database, SystemRandom, Timestamp};
use berth_store_blob::FilesystemStore;
use berth_store_sql::SqliteEngine;

use super::{Call, Outcome, recorded};
use crate::seal::ServerKey;
use crate::{Domain, Error, Parts, Settings};

struct At(std::sync::atomic::AtomicI64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

async fn node(folder: &std::path::Path, clock: &Arc<At>, key: &ServerKey, node: &str) -> Domain {
    let account = AccountId::parse("000000000000").unwrap();
    let registry = Registry { account, region: Region::parse("us-east-1").unwrap() };
    let parts = Parts {
        database: Database::new(SqliteEngine::open(&folder.join("berth.db")).unwrap()),
        blobs: Arc::new(FilesystemStore::open(folder.join("blobs")).unwrap()),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::new(SystemRandom),
        settings: Settings::new(registry),
        server_key: key.clone(),
        node: node.to_owned(),
    };
    Domain::open(parts).await.unwrap()
}

async fn change(domain: &Domain) {
    let write = domain.database.write(|txn| berth_store::properties::set(txn, "x", b"").map_err(Error::from));
    recorded(domain, Call::default(), async { write.await.unwrap() }, |()| Outcome::default()).await;
}

#[tokio::test]
async fn a_stale_sequencer_undoes_its_step() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, key) = (Arc::new(At(1_800_000_000_000.into())), ServerKey::generate(&SystemRandom));
    let (one, other) =
        (node(folder.path(), &clock, &key, "one").await, node(folder.path(), &clock, &key, "other").await);
    change(&one).await;
    // The first plans its link, and stands still for so long that the second takes over.
    let (stale, _) = one.plan_link().await.unwrap();
    change(&one).await;
    let (fresh, _) = other.plan_link().await.unwrap();
    assert!(other.write_link(fresh.unwrap()).await.unwrap());
    assert!(!one.write_link(stale.unwrap()).await.unwrap());
    // Even if it holds the lease by now: the number is taken, and so are the rows.
    change(&one).await;
    let (stale, _) = other.plan_link().await.unwrap();
    clock.0.fetch_add(5000, std::sync::atomic::Ordering::SeqCst);
    let (fresh, _) = one.plan_link().await.unwrap();
    assert!(one.write_link(fresh.unwrap()).await.unwrap());
    clock.0.fetch_add(5000, std::sync::atomic::Ordering::SeqCst);
    assert!(!other.write_link(stale.unwrap()).await.unwrap());
    let found = one.verify_audit(None).await.unwrap();
    assert_eq!((found.links, found.rows, found.findings.len()), (2, 3, 0));
}
