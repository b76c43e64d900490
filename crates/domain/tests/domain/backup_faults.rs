//! Backups and restores when others get in the way: clocks, collections, nodes that write, archives that were cut, and a
//! database that is lost.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_domain::backup::{self, BackupError, Progress};
use berth_domain::{Domain, Error};
use berth_store::{Database, properties};

use crate::backup::{Nobody, archive, collect, file_of, filled, keep, restore, rows, scratch, take};
use crate::garbage::Heard;
use crate::registry::{TestRegistry, digest};

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_costs_no_backup() {
    let registry = filled().await;
    let (archive, _folder) = archive();
    registry.clock.advance(Duration::from_hours(50));
    let first = take(&registry, &archive).await;
    registry.clock.set_back(Duration::from_hours(50));
    registry.blob("team/app", b"of the second").await;
    let second = registry.domain.back_up(&registry.admin, &archive, scratch(), keep(1), &Nobody).await.unwrap();
    assert_eq!(second.removed, [first.backup.id]);
    assert_eq!(backup::list(&archive).await.unwrap(), std::slice::from_ref(&second.backup));
    let checked = backup::check(&archive, None, &scratch(), &Nobody).await.unwrap();
    assert_eq!((checked.blobs, checked.findings.len()), (second.backup.blobs, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_in_the_archive_is_copied_anew() {
    let registry = filled().await;
    let (archive, folder) = archive();
    take(&registry, &archive).await;
    let hex = digest(b"layer one").hex();
    let path = folder.path().join(format!("blobs/sha256/{}/{hex}", &hex[..2]));
    std::fs::write(&path, b"layer").unwrap();
    assert_eq!(take(&registry, &archive).await.copied, 1);
    assert_eq!(std::fs::read(&path).unwrap(), b"layer one");
}

/// Somebody who writes to the database while it is restored.
struct Meddler(Database, AtomicBool);

impl Progress for Meddler {
    fn expect(&self, _: u64) {}

    fn done(&self, _: u64) {
        if !self.1.swap(true, Ordering::SeqCst) {
            let sql = "INSERT INTO repositories (id, account, region, name, created_at, created_by) \
                       VALUES (4000, '0', 'r', 'meddled', 0, 'x')";
            let write = self.0.write(move |txn| txn.execute(sql, &[]));
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(write)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_others_wrote_into_is_not_taken_for_whole() {
    let registry = filled().await;
    let (archive, _folder) = archive();
    take(&registry, &archive).await;
    let (parts, elsewhere) = registry.parts_elsewhere().await;
    let meddler = Meddler(parts.database.clone(), AtomicBool::new(false));
    let disturbed = backup::restore(&parts, &archive, None, false, &scratch(), &meddler).await;
    assert!(matches!(disturbed, Err(BackupError::Disturbed("repositories"))), "{disturbed:?}");
    restore(&parts, &archive).await.unwrap();
    assert_eq!(rows(&parts.database).await, rows(&registry.database().await).await);
    drop((parts, meddler));
    registry.opened(elsewhere).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_collected_while_a_restore_is_under_way() {
    let registry = TestRegistry::new().await;
    registry.blob("team/app", b"its manifest is not restored yet").await;
    registry.clock.advance(Duration::from_hours(30));
    let mark = |txn: &mut dyn berth_store::Transaction| properties::set(txn, "restore_unfinished", b"x");
    registry.database().await.write(mark).await.unwrap();
    let collected = registry.domain.collect_garbage(false, &mut Heard::default()).await;
    assert!(matches!(collected, Err(Error::RestoreUnfinished(_))), "{collected:?}");
    assert_eq!(registry.files(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_database_knew_stays_for_a_week() {
    let registry = filled().await;
    let files = registry.files();
    // Files have the time of the real clock, which must be long ago.
    registry.clock.advance(Duration::from_hours(10 * 365 * 24));
    let (mut parts, _elsewhere) = registry.parts_elsewhere().await;
    parts.blobs = std::sync::Arc::new(berth_store_blob::FilesystemStore::open(registry.blobs_folder()).unwrap());
    let domain = Domain::open(parts).await.unwrap();
    collect(&domain).await;
    registry.clock.advance(Duration::from_hours(6 * 24));
    collect(&domain).await;
    assert_eq!(registry.files(), files);
    registry.clock.advance(Duration::from_hours(2 * 24));
    collect(&domain).await;
    assert_eq!(registry.files(), 0);
}

/// A collection that asked for the lease before the backup took it, and forgets a blob behind the reading of the tables.
struct Late(Database, PathBuf);

impl Progress for Late {
    fn expect(&self, _: u64) {
        if std::fs::remove_file(&self.1).is_ok() {
            let forget = self.0.write(|txn| {
                let of = [digest(b"garbage").to_string().into()];
                txn.execute("DELETE FROM repository_blobs WHERE digest = ?1", &of)?;
                txn.execute("DELETE FROM blobs WHERE digest = ?1", &of)
            });
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(forget)).unwrap();
        }
    }

    fn done(&self, _: u64) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_was_under_way_makes_no_backup_lack_anything() {
    let registry = filled().await;
    registry.blob("team/app", b"garbage").await;
    let (archive, _folder) = archive();
    let late = Late(registry.database().await, file_of(&registry, b"garbage").unwrap());
    let taken = registry.domain.back_up(&registry.admin, &archive, scratch(), None, &late).await.unwrap();
    assert_eq!(taken.backup.lacking, []);
    let (parts, _elsewhere) = registry.parts_elsewhere().await;
    restore(&parts, &archive).await.unwrap();
    assert_eq!(rows(&parts.database).await, rows(&registry.database().await).await);
}
