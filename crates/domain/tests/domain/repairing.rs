//! What was damaged or lost comes back: from backups, from another registry, from the blob store itself; and blobs move.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_domain::backup::Progress;
use berth_domain::repair::{Repaired, Spare};
use berth_domain::verify::Finding;
use berth_domain::{Domain, Error};
use berth_store::blobs::{self, Location};
use berth_store::{BlobKey, BlobStore, StoreError, Timestamp, Transaction, Value};
use berth_store_blob::{FilesystemStore, MovingStore, ObjectArchive};

use crate::keeping::Hashed;
use crate::registries::{other, others, two_accounts};
use crate::registry::{TestRegistry, count_files, digest, image, index, name, reference};

struct Nobody;

impl Progress for Nobody {
    fn expect(&self, _: u64) {}
    fn done(&self, _: u64) {}
}

/// The file that holds these bytes.
fn file_of(folder: &Path, bytes: &[u8]) -> Option<PathBuf> {
    let shards = std::fs::read_dir(folder).unwrap().map(|shard| shard.unwrap().path());
    let mut files = shards.flat_map(|shard| std::fs::read_dir(shard).unwrap()).map(|file| file.unwrap().path());
    files.find(|file| std::fs::read(file).unwrap() == bytes)
}

async fn run(registry: &TestRegistry, sql: &'static str, parameters: Vec<Value>) {
    registry
        .database()
        .await
        .write(move |txn| txn.execute(sql, &parameters))
        .await
        .unwrap_or_else(|error: StoreError| panic!("{error}"));
}

async fn findings(registry: &TestRegistry) -> Vec<Finding> {
    registry.domain.verify(&mut Hashed::default()).await.unwrap().findings
}

async fn repair(registry: &TestRegistry, archive: &ObjectArchive) -> Repaired {
    let found = findings(registry).await;
    let spare = Spare::Backups(archive);
    registry.domain.repair(&registry.admin, found, &spare, &tempfile::tempfile().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_of_every_kind_is_repaired_from_backups() {
    let registry = TestRegistry::new().await;
    let manifest = registry.image("team/app", "1", b"{}", &[b"changed", b"gone", b"unlinked"]).await;
    let listed = registry.image("team/app", "child", b"{}", &[b"changed"]).await;
    registry.push("team/app", "all", &index(&[&listed]), &[]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let archive = ObjectArchive::folder(folder.path()).unwrap();
    let scratch = tempfile::tempfile().unwrap();
    registry.domain.back_up(&registry.admin, &archive, scratch, None, &Nobody).await.unwrap();

    std::fs::write(file_of(&registry.blobs_folder(), b"changed").unwrap(), b"CHANGED").unwrap();
    std::fs::remove_file(file_of(&registry.blobs_folder(), b"gone").unwrap()).unwrap();
    let of = |bytes: &[u8]| vec![Value::from(&digest(bytes))];
    run(&registry, "DELETE FROM repository_blobs WHERE digest = ?1", of(b"unlinked")).await;
    run(&registry, "DELETE FROM tags WHERE digest = ?1", of(&listed)).await;
    run(&registry, "DELETE FROM manifests WHERE digest = ?1", of(&listed)).await;
    let spoiled = vec![Value::from(&digest(&manifest)), Value::Bytes(b"{}".to_vec())];
    run(&registry, "UPDATE blobs SET inline_bytes = ?2 WHERE digest = ?1", spoiled).await;

    let repaired = repair(&registry, &archive).await;
    assert_eq!((repaired.repaired.len(), repaired.left.len()), (5, 0), "{repaired:?}");
    assert_eq!(findings(&registry).await, []);
    for bytes in [b"changed".as_slice(), b"gone", b"unlinked"] {
        let found = registry.domain.get_blob(&registry.admin, &name("team/app"), &digest(bytes)).await.unwrap();
        assert_eq!(found.size(), bytes.len() as u64);
    }
    let (_, bytes) = registry.domain.get_manifest(&registry.admin, &name("team/app"), &reference("1")).await.unwrap();
    assert_eq!(bytes, manifest);
}

/// Two registries have a repository of one name: what is missing in one is brought back there, not in the other.
#[tokio::test(flavor = "multi_thread")]
async fn another_accounts_registry_is_repaired_in_its_own_place() {
    let (mut registry, _) = two_accounts().await;
    let (home, admin) = (registry.domain.clone(), registry.admin.clone());
    registry.image("team/app", "1", b"{}", &[b"ours"]).await;
    registry.domain = others(&home).await;
    registry.admin = home.operator_of(&other());
    registry.image("team/app", "1", b"{}", &[b"unlinked"]).await;
    let listed = registry.image("team/app", "child", b"{}", &[b"theirs"]).await;
    registry.push("team/app", "all", &index(&[&listed]), &[]).await.unwrap();
    let theirs = std::mem::replace(&mut registry.domain, home);
    registry.admin = admin;
    let folder = tempfile::tempdir().unwrap();
    let archive = ObjectArchive::folder(folder.path()).unwrap();
    registry.domain.back_up(&registry.admin, &archive, tempfile::tempfile().unwrap(), None, &Nobody).await.unwrap();
    let of = |bytes: &[u8]| vec![Value::from(&digest(bytes))];
    run(&registry, "DELETE FROM tags WHERE digest = ?1", of(&listed)).await;
    run(&registry, "DELETE FROM manifests WHERE digest = ?1", of(&listed)).await;
    run(&registry, "DELETE FROM repository_blobs WHERE digest = ?1", of(b"unlinked")).await;
    let found = serde_json::to_value(findings(&registry).await).unwrap();
    assert_eq!(found[0]["registry"], "111111111111/us-east-1", "{found}");

    let repaired = repair(&registry, &archive).await;
    assert_eq!((repaired.repaired.len(), repaired.left.len()), (2, 0), "{repaired:?}");
    assert_eq!(findings(&registry).await, []);
    let operator = registry.domain.operator_of(&other());
    theirs.get_blob(&operator, &name("team/app"), &digest(b"unlinked")).await.unwrap();
    let child = reference(&digest(&listed).to_string());
    theirs.get_manifest(&operator, &name("team/app"), &child).await.unwrap();
    let here = registry.domain.get_manifest(&registry.admin, &name("team/app"), &child).await;
    assert!(matches!(here, Err(Error::ManifestUnknown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_backup_has_is_told_and_stays_quarantined() {
    let registry = TestRegistry::new().await;
    let folder = tempfile::tempdir().unwrap();
    let archive = ObjectArchive::folder(folder.path()).unwrap();
    registry.domain.back_up(&registry.admin, &archive, tempfile::tempfile().unwrap(), None, &Nobody).await.unwrap();
    registry.image("team/app", "1", b"{}", &[b"later"]).await;
    std::fs::remove_file(file_of(&registry.blobs_folder(), b"later").unwrap()).unwrap();
    let repaired = repair(&registry, &archive).await;
    assert_eq!((repaired.repaired.len(), repaired.left.len()), (0, 1), "{repaired:?}");
    assert_eq!(findings(&registry).await, [Finding::DamagedBlob { digest: digest(b"later") }]);
    // A damaged copy in the archive repairs nothing either.
    let hex = digest(b"later").hex();
    std::fs::create_dir_all(folder.path().join(format!("blobs/sha256/{}", &hex[..2]))).unwrap();
    std::fs::write(folder.path().join(format!("blobs/sha256/{}/{hex}", &hex[..2])), b"LATER").unwrap();
    let files = registry.files();
    assert_eq!(repair(&registry, &archive).await.left.len(), 1);
    assert_eq!(registry.files(), files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_leaves_blobs_and_large_manifests() {
    let registry = TestRegistry::new().await;
    let padding: Vec<Vec<u8>> = (0..600).map(|nth| format!("layer {nth}").into_bytes()).collect();
    let layers: Vec<&[u8]> = padding.iter().map(Vec::as_slice).collect();
    let large = registry.image("team/app", "large", b"{}", &layers).await;
    assert!(large.len() > 64 * 1024);
    registry.image("team/app", "small", b"{\"a\":1}", &[b"another"]).await;
    let reversed: Vec<&[u8]> = layers.iter().rev().copied().collect();
    let other_large = registry.image("team/other", "large", b"{}", &reversed).await;
    let incomplete = image(b"{}", &[&layers[..], &[b"never pushed"]].concat());
    // They go into one repository, and no limit stands against that.
    let lost = registry.restarted(|settings| settings.images_per_repository = 1).await;
    run(&lost, "DELETE FROM tags WHERE digest <> ?1", vec!["".into()]).await;
    for table in ["manifest_references", "manifests", "repository_blobs", "blobs", "tag_history", "repositories"] {
        let sql: &'static str = Box::leak(format!("DELETE FROM {table} WHERE ?1 <> ''").into_boxed_str());
        run(&lost, sql, vec!["x".into()]).await;
    }
    lost.blob("elsewhere", b"another").await;
    let other = FilesystemStore::open(lost.blobs_folder()).unwrap();
    store(&other, &incomplete).await;
    let rebuilt = lost.domain.rebuild(&lost.admin, &name("recovered"), &mut Hashed::default()).await.unwrap();
    assert_eq!((rebuilt.blobs, rebuilt.copies), (605, 1), "{rebuilt:?}");
    assert_eq!(BTreeSet::from_iter(rebuilt.manifests), [digest(&large), digest(&other_large)].into());
    assert_eq!(rebuilt.incomplete.len(), 1);
    let found =
        lost.domain.get_manifest(&lost.admin, &name("recovered"), &reference(&digest(&large).to_string())).await;
    assert_eq!(found.unwrap().1, large);
    assert_eq!(findings(&lost).await, []);
    let again = lost.domain.rebuild(&lost.admin, &name("recovered"), &mut Hashed::default()).await.unwrap();
    assert_eq!(again.blobs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_ends_behind_a_rebuild_keeps_what_that_found() {
    let registry = TestRegistry::new().await;
    let bytes = b"written by a push that has not ended".as_slice();
    let key = store(&FilesystemStore::open(registry.blobs_folder()).unwrap(), bytes).await;
    registry.domain.rebuild(&registry.admin, &name("recovered"), &mut Hashed::default()).await.unwrap();
    let (location, size) = (Location::Key(key), bytes.len() as u64);
    let end =
        move |txn: &mut dyn Transaction| blobs::record(txn, &digest(bytes), &location, size, Timestamp::from_millis(0));
    let (_, unneeded) = registry.database().await.write(end).await.unwrap();
    assert_eq!(unneeded, None, "the push would delete the bytes of the blob");
}

async fn store(store: &dyn BlobStore, bytes: &[u8]) -> BlobKey {
    let key = BlobKey::fresh(&berth_store::SystemRandom);
    let mut writer = store.create(&key, berth_oci::digest::Algorithm::Sha256).await.unwrap();
    writer.append(bytes.to_vec().into()).await.unwrap();
    writer.commit(&digest(bytes)).await.unwrap().key
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_move_to_another_store_beside_readers() {
    let registry = TestRegistry::new().await;
    registry.image("team/app", "1", b"{}", &[b"one", b"two"]).await;
    registry.blob("team/app", b"damaged").await;
    std::fs::write(file_of(&registry.blobs_folder(), b"damaged").unwrap(), b"DAMAGED").unwrap();
    let old: Arc<dyn BlobStore> = Arc::new(FilesystemStore::open(registry.blobs_folder()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let new: Arc<dyn BlobStore> = Arc::new(FilesystemStore::open(folder.path().join("new")).unwrap());
    let (mut parts, _elsewhere) = registry.parts_elsewhere().await;
    parts.database = registry.database().await;
    parts.blobs = Arc::new(MovingStore::new(Arc::clone(&old), Arc::clone(&new)));
    let moving = Domain::open(parts).await.unwrap();

    let handle = moving.get_blob(&registry.admin, &name("team/app"), &digest(b"one")).await.unwrap();
    let moved = moving.move_blobs(&registry.admin, &*old, &*new, &Nobody).await.unwrap();
    assert_eq!((moved.blobs, moved.damaged.as_slice()), (3, [digest(b"damaged")].as_slice()), "{moved:?}");
    assert_eq!((registry.files(), count_files(&folder.path().join("new"))), (1, 3));
    // Whoever read the row before the move finds the bytes after it.
    moving.read_blob(&handle, 0, 3).await.unwrap();
    for bytes in [b"one", b"two"] {
        let handle = moving.get_blob(&registry.admin, &name("team/app"), &digest(bytes)).await.unwrap();
        moving.read_blob(&handle, 0, 3).await.unwrap();
    }
    let verified = moving.verify(&mut Hashed::default()).await.unwrap();
    assert_eq!(verified.findings, [Finding::DamagedBlob { digest: digest(b"damaged") }]);
    assert_eq!(verified.unowned_keys, 0);
    let again = moving.move_blobs(&registry.admin, &*old, &*new, &Nobody).await.unwrap();
    assert_eq!((again.blobs, again.damaged.len()), (0, 1));
    let stranger = moving.move_blobs(&berth_domain::Caller::anonymous(), &*old, &*new, &Nobody).await;
    assert!(matches!(stranger, Err(Error::Unauthenticated)));
}
