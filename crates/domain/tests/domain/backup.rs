//! Backups: what is in them, what they are not in the way of, and that a restored registry is the one that was.

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use berth_domain::backup::{self, BackupError, Progress, Restored, Taken};
use berth_domain::identity::Owner;
use berth_domain::identity::policies::NewPolicy;
use berth_domain::identity::principals::NewPrincipal;
use berth_domain::{Domain, Error, Parts};
use berth_oci::digest::Algorithm;
use berth_store::dump::TABLES;
use berth_store::{Database, Row, StoreError, Timestamp, Value, leases, properties};
use berth_store_blob::ObjectArchive;
use berth_testkit::Random;
use tempfile::TempDir;

use crate::garbage::Heard;
use crate::registry::{TestRegistry, about, body, count_files, digest, index, name, reference};

pub struct Nobody;

impl Progress for Nobody {
    fn expect(&self, _: u64) {}
    fn done(&self, _: u64) {}
}

pub async fn collect(domain: &Domain) {
    domain.collect_garbage(false, &mut Heard::default()).await.unwrap();
}

/// The file that holds these bytes.
pub fn file_of(registry: &TestRegistry, bytes: &[u8]) -> Option<PathBuf> {
    let shards = std::fs::read_dir(registry.blobs_folder()).unwrap().map(|shard| shard.unwrap().path());
    let mut files = shards.flat_map(|shard| std::fs::read_dir(shard).unwrap()).map(|file| file.unwrap().path());
    files.find(|file| std::fs::read(file).unwrap() == bytes)
}

pub fn scratch() -> File {
    tempfile::tempfile().unwrap()
}

pub fn archive() -> (ObjectArchive, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (ObjectArchive::folder(folder.path()).unwrap(), folder)
}

pub fn keep(backups: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(backups)
}

pub async fn take(registry: &TestRegistry, archive: &ObjectArchive) -> Taken {
    registry.domain.back_up(&registry.admin, archive, scratch(), None, &Nobody).await.unwrap()
}

pub async fn restore(parts: &Parts, archive: &ObjectArchive) -> Result<Restored, BackupError> {
    backup::restore(parts, archive, None, false, &scratch(), &Nobody).await
}

/// Every row of every table. Keys of blobs differ from one store to the next; what a restore itself notes is not compared.
pub async fn rows(database: &Database) -> Vec<(String, Vec<Row>)> {
    let read = database.read(|txn| {
        let mut tables = Vec::new();
        for table in TABLES {
            let mut rows = Vec::new();
            let mut last = None;
            loop {
                let page = table.rows(txn, last.as_ref())?;
                let Some(end) = page.last() else { break };
                last = Some(end.clone());
                rows.extend(page);
            }
            tables.push((table.name.to_owned(), rows));
        }
        Ok::<_, StoreError>(tables)
    });
    let mut tables = read.await.unwrap();
    let blobs = TABLES.iter().position(|table| table.name == "blobs").unwrap();
    let key = TABLES[blobs].columns.iter().position(|column| *column == "storage_key").unwrap();
    tables[blobs].1.iter_mut().filter(|row| row.0[key] != Value::Null).for_each(|row| row.0[key] = Value::Null);
    tables[0].1.retain(|row| row.0[0] != "keys_kept_until".into());
    tables
}

/// A registry with something of everything.
pub async fn filled() -> TestRegistry {
    let registry = TestRegistry::new().await;
    let image = registry.image("team/app", "1", b"{}", &[b"layer one", b"layer two"]).await;
    let other = registry.image("team/other", "latest", b"{\"a\":1}", &[b"layer one"]).await;
    registry.push("team/app", "1", &index(&[&image]), &["latest"]).await.unwrap();
    registry.blob("team/app", b"{}").await;
    registry
        .push("team/app", &digest(&about(&image, "a/b", "n")).to_string(), &about(&image, "a/b", "n"), &[])
        .await
        .unwrap();
    registry.domain.delete_manifest(&registry.admin, &name("team/other"), &reference("latest")).await.unwrap();
    registry.push("team/other", "2", &other, &[]).await.unwrap();
    identities(&registry).await;
    registry
}

/// Something in every table of identities.
async fn identities(registry: &TestRegistry) {
    let (domain, admin) = (&registry.domain, &registry.admin);
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
    registry.user("alice", Some(document)).await;
    let new = |owner| NewPrincipal { owner, path: "/a/".to_owned(), boundary: None, tags: Vec::new(), role: None };
    domain.create_principal(admin, new(Owner::group("pushers"))).await.unwrap();
    domain.add_to_group(admin, "pushers", "alice").await.unwrap();
    let tags = vec![("Team".to_owned(), "core".to_owned())];
    let policy = NewPolicy {
        name: "push".to_owned(),
        path: "/".to_owned(),
        description: None,
        document: document.to_owned(),
        tags: tags.clone(),
    };
    let policy = domain.create_policy(admin, policy).await.unwrap();
    domain.attach_policy(admin, &Owner::group("pushers"), &policy.arn).await.unwrap();
    let open = document.replace("\"Action\"", "\"Principal\":\"*\",\"Action\"");
    domain.set_repository_policy(admin, &name("team/app"), &open, true).await.unwrap();
    domain.tag_repository(admin, &name("team/app"), tags).await.unwrap();
    domain.set_registry_policy(admin, open).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_registry_is_the_one_that_was() {
    let registry = filled().await;
    let (archive, _folder) = archive();
    let taken = take(&registry, &archive).await;
    assert_eq!((taken.copied, taken.backup.lacking.len()), (taken.backup.blobs, 0));
    let (parts, elsewhere) = registry.parts_elsewhere().await;
    let restored = restore(&parts, &archive).await.unwrap();
    assert_eq!((restored.copied, restored.lacking.len()), (taken.copied, 0));
    assert_eq!(rows(&parts.database).await, rows(&registry.database().await).await);
    drop(parts);
    let restored = registry.opened(elsewhere).await;
    let verified = restored.domain.verify(&mut crate::keeping::Hashed::default()).await.unwrap();
    assert_eq!((verified.findings.len(), verified.unowned_keys), (0, 0));
    // It works on: new rows get numbers of their own.
    restored.image("team/app", "3", b"{\"new\":1}", &[b"a new layer"]).await;
    assert_eq!(restored.tags("team/app").await, ["1", "3", "latest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn random_registries_survive_the_round_trip() {
    for seed in 0..4 {
        let registry = TestRegistry::new().await;
        let mut random = Random::seeded(seed);
        for nth in 0..30 {
            let layers: Vec<Vec<u8>> = (0..random.below(4))
                .map(|_| {
                    let length = random.below(100_000);
                    random.bytes(length)
                })
                .collect();
            let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
            let (repository, tag) = (format!("r{}/x", random.below(4)), format!("t{}", random.below(6)));
            let manifest = registry.image(&repository, &tag, format!("{{\"{nth}\":0}}").as_bytes(), &layers).await;
            if random.below(3) == 0 {
                let gone = reference(&digest(&manifest).to_string());
                registry.domain.delete_manifest(&registry.admin, &name(&repository), &gone).await.unwrap();
            }
        }
        let (archive, _folder) = archive();
        take(&registry, &archive).await;
        let (parts, _elsewhere) = registry.parts_elsewhere().await;
        restore(&parts, &archive).await.unwrap();
        assert_eq!(rows(&parts.database).await, rows(&registry.database().await).await, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_backup_copies_only_what_is_new() {
    let registry = filled().await;
    let (archive, _folder) = archive();
    let first = take(&registry, &archive).await;
    assert_eq!(take(&registry, &archive).await.copied, 0);
    registry.blob("team/app", b"one more").await;
    let third = take(&registry, &archive).await;
    assert_eq!((third.copied, third.copied_bytes), (1, 8));
    assert_eq!(third.backup.blobs, first.backup.blobs + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_latest_are_kept_with_what_they_need() {
    let registry = filled().await;
    let (archive, folder) = archive();
    let first = take(&registry, &archive).await;
    registry.blob("team/app", b"of the second").await;
    registry.clock.advance(Duration::from_secs(1));
    take(&registry, &archive).await;
    registry.domain.delete_blob(&registry.admin, &name("team/app"), &digest(b"of the second")).await.unwrap();
    registry.clock.advance(Duration::from_hours(30));
    collect(&registry.domain).await;
    std::fs::create_dir(folder.path().join("backups/20200101T000000Z-cut")).unwrap();
    std::fs::write(folder.path().join("backups/20200101T000000Z-cut/tables.jsonl.gz"), "half").unwrap();
    let third = registry.domain.back_up(&registry.admin, &archive, scratch(), keep(2), &Nobody).await.unwrap();
    assert_eq!(third.removed, ["20200101T000000Z-cut", first.backup.id.as_str()]);
    assert!(backup::find_blob(&archive, &digest(b"of the second")).await.unwrap().is_some());
    registry.clock.advance(Duration::from_millis(1));
    let fourth = registry.domain.back_up(&registry.admin, &archive, scratch(), keep(1), &Nobody).await.unwrap();
    assert_eq!(backup::list(&archive).await.unwrap(), std::slice::from_ref(&fourth.backup));
    assert!(backup::find_blob(&archive, &digest(b"of the second")).await.unwrap().is_none());
    assert_eq!(count_files(&folder.path().join("blobs")) as u64, fourth.backup.blobs);
    let checked = backup::check(&archive, None, &scratch(), &Nobody).await.unwrap();
    assert_eq!((checked.blobs, checked.findings.len()), (fourth.backup.blobs, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_registries_do_not_share_an_archive() {
    let (one, other) = (filled().await, filled().await);
    let (archive, _folder) = archive();
    take(&one, &archive).await;
    let refused = other.domain.back_up(&other.admin, &archive, scratch(), None, &Nobody).await;
    assert!(matches!(refused, Err(BackupError::Foreign)), "{refused:?}");
    let (parts, elsewhere) = one.parts_elsewhere().await;
    restore(&parts, &archive).await.unwrap();
    drop(parts);
    // The restored registry is the same one.
    take(&one.opened(elsewhere).await, &archive).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_forgotten_while_a_backup_is_taken() {
    let registry = TestRegistry::new().await;
    registry.blob("team/app", b"soon garbage").await;
    registry.clock.advance(Duration::from_hours(30));
    let database = registry.database().await;
    let now = Timestamp::from_millis(1_700_000_000_000).after(Duration::from_hours(30));
    let lease = move |until: Timestamp| {
        let database = database.clone();
        async move {
            let take = move |txn: &mut dyn berth_store::Transaction| leases::take(txn, leases::BACKUP, "x", now, until);
            assert!(database.write(take).await.unwrap());
        }
    };
    lease(now.after(Duration::from_mins(1))).await;
    let busy = registry.domain.back_up(&registry.admin, &archive().0, scratch(), None, &Nobody).await;
    assert!(matches!(busy, Err(BackupError::Busy)), "{busy:?}");
    collect(&registry.domain).await;
    assert_eq!(registry.files(), 1);
    lease(now.before(Duration::from_secs(1))).await;
    collect(&registry.domain).await;
    assert_eq!(registry.files(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_bytes_are_told_and_quarantined_where_they_are_restored() {
    let registry = filled().await;
    let layer = digest(b"layer two");
    std::fs::write(file_of(&registry, b"layer two").unwrap(), b"layer 2!!").unwrap();
    let (archive, _folder) = archive();
    let taken = take(&registry, &archive).await;
    assert_eq!(taken.backup.lacking, std::slice::from_ref(&layer));
    assert_eq!(backup::check(&archive, None, &scratch(), &Nobody).await.unwrap().findings.len(), 1);
    let (parts, elsewhere) = registry.parts_elsewhere().await;
    assert_eq!(restore(&parts, &archive).await.unwrap().lacking, std::slice::from_ref(&layer));
    drop(parts);
    let restored = registry.opened(elsewhere).await;
    let read = restored.domain.get_blob(&restored.admin, &name("team/app"), &layer).await;
    assert!(matches!(read, Err(Error::Damaged(_))), "{read:?}");
    restored.blob("team/app", b"layer two").await;
    restored.domain.get_blob(&restored.admin, &name("team/app"), &layer).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_archive_is_found_and_never_restored_as_sound() {
    let registry = filled().await;
    let (archive, folder) = archive();
    let taken = take(&registry, &archive).await;
    let hex = digest(b"layer one").hex();
    std::fs::write(folder.path().join(format!("blobs/sha256/{}/{hex}", &hex[..2])), b"layer 1!!").unwrap();
    let checked = backup::check(&archive, None, &scratch(), &Nobody).await.unwrap();
    assert_eq!((checked.blobs, checked.findings.len()), (taken.backup.blobs - 1, 1));
    let (parts, _elsewhere) = registry.parts_elsewhere().await;
    assert_eq!(restore(&parts, &archive).await.unwrap().lacking, [digest(b"layer one")]);

    let tables = folder.path().join(format!("backups/{}/tables.jsonl.gz", taken.backup.id));
    let whole = std::fs::read(&tables).unwrap();
    std::fs::write(&tables, &whole[..whole.len() - 1]).unwrap();
    let (parts, _elsewhere) = registry.parts_elsewhere().await;
    let refused = restore(&parts, &archive).await;
    assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_needs_an_empty_database_and_the_server_key() {
    let registry = filled().await;
    let (archive, _folder) = archive();
    let (mut parts, elsewhere) = registry.parts_elsewhere().await;
    let nothing = restore(&parts, &archive).await;
    assert!(matches!(nothing, Err(BackupError::NoSuchBackup(_))), "{nothing:?}");
    take(&registry, &archive).await;
    let key =
        std::mem::replace(&mut parts.server_key, berth_domain::seal::ServerKey::generate(&berth_store::SystemRandom));
    let refused = restore(&parts, &archive).await;
    assert!(matches!(refused, Err(BackupError::Registry(Error::WrongServerKey))), "{refused:?}");
    parts.server_key = key;
    restore(&parts, &archive).await.unwrap();
    let again = restore(&parts, &archive).await;
    assert!(matches!(again, Err(BackupError::NotEmpty(_))), "{again:?}");
    drop(parts);
    registry.opened(elsewhere).await.image("a/b", "1", b"{}", &[]).await;

    let (mut parts, _elsewhere) = registry.parts_elsewhere().await;
    parts.server_key = berth_domain::seal::ServerKey::generate(&berth_store::SystemRandom);
    backup::restore(&parts, &archive, None, true, &scratch(), &Nobody).await.unwrap();
    let domain = Domain::open(parts).await.unwrap();
    assert!(domain.ensure_administrator_key().await.unwrap().is_some(), "a key was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_was_cut_off_opens_nothing_and_goes_on() {
    let registry = filled().await;
    let (archive, _folder) = archive();
    let taken = take(&registry, &archive).await;
    let (parts, elsewhere) = registry.parts_elsewhere().await;
    restore(&parts, &archive).await.unwrap();
    let id = taken.backup.id.clone();
    let half = parts.database.write(move |txn| {
        txn.execute("DELETE FROM tag_history", &[])?;
        properties::set(txn, "restore_unfinished", id.as_bytes())
    });
    half.await.unwrap();
    let files = count_files(&elsewhere.folder.path().join("blobs"));
    let (database, blobs) = (parts.database.clone(), std::sync::Arc::clone(&parts.blobs));
    let (clock, random) = (std::sync::Arc::clone(&parts.clock), std::sync::Arc::clone(&parts.random));
    let (settings, server_key) = (parts.settings.clone(), parts.server_key.clone());
    let opened = Domain::open(parts).await.err();
    assert!(matches!(opened, Some(Error::RestoreUnfinished(_))), "{opened:?}");
    let parts = Parts { database, blobs, clock, random, settings, server_key, node: "test".to_owned() };
    assert_eq!(restore(&parts, &archive).await.unwrap().copied, 0);
    assert_eq!(count_files(&elsewhere.folder.path().join("blobs")), files);
    assert_eq!(rows(&parts.database).await, rows(&registry.database().await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_that_outlived_their_database_are_used_again() {
    let registry = filled().await;
    let (archive, _folder) = archive();
    take(&registry, &archive).await;
    registry.blob("team/app", b"pushed behind the backup").await;
    // Files have the time of the real clock, which must be long ago.
    registry.clock.advance(Duration::from_hours(10 * 365 * 24));
    let (mut parts, _elsewhere) = registry.parts_elsewhere().await;
    parts.blobs = std::sync::Arc::new(berth_store_blob::FilesystemStore::open(registry.blobs_folder()).unwrap());
    assert_eq!(restore(&parts, &archive).await.unwrap().copied, 0);
    let domain = Domain::open(parts).await.unwrap();
    registry.clock.advance(Duration::from_hours(30));
    collect(&domain).await;
    // What the backup does not know of stays for a week.
    assert!(file_of(&registry, b"pushed behind the backup").is_some());
    registry.clock.advance(Duration::from_hours(7 * 24));
    collect(&domain).await;
    assert!(file_of(&registry, b"pushed behind the backup").is_none());
    assert!(file_of(&registry, b"layer one").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn open_uploads_are_not_in_it() {
    let registry = TestRegistry::new().await;
    let id = registry.domain.begin_upload(&registry.admin, &name("a/b"), Algorithm::Sha256).await.unwrap();
    registry.domain.append_to_upload(&registry.admin, &name("a/b"), &id, None, &mut body(b"half")).await.unwrap();
    let (archive, _folder) = archive();
    assert_eq!(take(&registry, &archive).await.backup.blobs, 0);
    let stranger =
        registry.domain.back_up(&berth_domain::Caller::anonymous(), &archive, scratch(), None, &Nobody).await;
    assert!(matches!(stranger, Err(BackupError::Registry(Error::Unauthenticated))), "{stranger:?}");
}
