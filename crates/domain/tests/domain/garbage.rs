//! Garbage collection: what goes, what stays, and what an answer promised.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth_domain::Error;
use berth_domain::garbage::{Collected, Collector, Garbage, Step};
use berth_oci::digest::Algorithm;
use tokio::sync::RwLock;

use crate::registry::{TestRegistry, body, digest, image, name, reference};

const GRACE: Duration = Duration::from_hours(24);
const NEARLY: Duration = Duration::from_mins(24 * 60 - 1);
const NEARLY_HALF: Duration = Duration::from_mins(12 * 60 - 1);

/// Remembers what went.
#[derive(Default)]
pub struct Heard(Vec<Garbage>);

#[async_trait]
impl Collector for Heard {
    fn garbage(&mut self, garbage: &Garbage) {
        self.0.push(garbage.clone());
    }

    async fn rest(&mut self) {}
}

pub async fn collect(registry: &TestRegistry) -> Collected {
    registry.domain.collect_garbage(false, &mut Heard::default()).await.unwrap()
}

async fn is_there(registry: &TestRegistry, repository: &str, bytes: &[u8]) -> bool {
    registry.domain.check_blob(&registry.admin, &name(repository), &digest(bytes)).await.is_ok()
}

#[tokio::test]
async fn what_a_manifest_names_stays_and_what_none_names_goes() {
    let registry = TestRegistry::new().await;
    registry.image("a", "one", b"{}", &[b"layer"]).await;
    registry.blob("a", b"never named").await;
    registry.clock.advance(GRACE * 2);
    let collected = collect(&registry).await;
    assert_eq!(collected, Collected { links: 1, blobs: 1, bytes: 11, ..Collected::default() });
    assert!(!is_there(&registry, "a", b"never named").await);
    assert!(is_there(&registry, "a", b"layer").await && is_there(&registry, "a", b"{}").await);
    assert_eq!(registry.files(), 2);
    assert_eq!(collect(&registry).await, Collected::default());
}

#[tokio::test]
async fn a_deleted_image_gives_its_space_back_unless_another_shares_it() {
    let registry = TestRegistry::new().await;
    let large = vec![b'm'; 70_000];
    let padded = String::from_utf8(large).unwrap();
    for (repository, own) in [("a", b"own a"), ("b", b"own b")] {
        for bytes in [b"{}".as_slice(), b"shared", own] {
            registry.blob(repository, bytes).await;
        }
        let manifest = String::from_utf8(image(b"{}", &[b"shared", own])).unwrap();
        let manifest = manifest.replacen('{', &format!("{{\"annotations\":{{\"pad\":\"{padded}\"}},"), 1);
        registry.push(repository, "one", manifest.as_bytes(), &[]).await.unwrap();
        if repository == "a" {
            let at = digest(manifest.as_bytes()).to_string();
            registry.domain.delete_manifest(&registry.admin, &name("a"), &reference(&at)).await.unwrap();
        }
    }
    let before = registry.files();
    registry.clock.advance(GRACE * 2);
    let collected = collect(&registry).await;
    // Three links; of the blobs the layer and the manifest of the first image alone.
    assert_eq!((collected.links, collected.blobs), (3, 2));
    assert_eq!(registry.files(), before - 2);
    assert!(is_there(&registry, "b", b"shared").await && is_there(&registry, "b", b"own b").await);
    assert!(!is_there(&registry, "a", b"shared").await);
}

#[tokio::test]
async fn what_was_deleted_stays_for_the_grace_time() {
    let registry = TestRegistry::new().await;
    let manifest = registry.image("a", "one", b"{}", &[b"layer"]).await;
    let alone = registry.blob("a", b"deleted by itself").await;
    registry.clock.advance(GRACE * 10);
    let (domain, admin) = (&registry.domain, &registry.admin);
    let at = digest(&manifest).to_string();
    domain.delete_manifest(admin, &name("a"), &reference(&at)).await.unwrap();
    domain.delete_blob(admin, &name("a"), &alone).await.unwrap();
    registry.clock.advance(NEARLY);
    assert_eq!(collect(&registry).await, Collected::default());
    registry.clock.advance(GRACE);
    assert_eq!((collect(&registry).await.blobs, registry.files()), (4, 0));
}

#[tokio::test]
async fn an_upload_a_mount_and_a_head_are_promises() {
    let registry = TestRegistry::new().await;
    registry.blob("a", b"uploaded").await;
    registry.clock.advance(NEARLY);
    assert_eq!(collect(&registry).await, Collected::default());
    // Nearly over; a HEAD makes it new.
    assert!(is_there(&registry, "a", b"uploaded").await);
    registry.clock.advance(GRACE / 2);
    assert_eq!(collect(&registry).await, Collected::default());
    registry.domain.mount_blob(&registry.admin, &name("b"), &digest(b"uploaded"), Some(&name("a"))).await.unwrap();
    registry.clock.advance(NEARLY);
    // The link of the first repository is idle now, that of the second keeps the blob.
    assert_eq!(collect(&registry).await, Collected { links: 1, ..Collected::default() });
    assert!(is_there(&registry, "b", b"uploaded").await);
    registry.push("b", "one", &image(b"uploaded", &[]), &[]).await.unwrap();
    registry.clock.advance(GRACE * 3);
    assert_eq!(collect(&registry).await, Collected::default());
}

#[tokio::test]
async fn whoever_saw_a_blob_has_half_of_the_grace_time_left() {
    let registry = TestRegistry::new().await;
    registry.blob("a", b"seen").await;
    for _ in 0..20 {
        registry.clock.advance(NEARLY_HALF);
        assert!(is_there(&registry, "a", b"seen").await);
        registry.clock.advance(NEARLY_HALF);
        assert_eq!(collect(&registry).await, Collected::default());
    }
}

#[tokio::test]
async fn a_dry_run_tells_and_takes_nothing() {
    let registry = TestRegistry::new().await;
    registry.blob("a", b"idle").await;
    registry.domain.delete_blob(&registry.admin, &name("a"), &registry.blob("a", b"unlinked").await).await.unwrap();
    registry.clock.advance(GRACE * 2);
    let mut heard = Heard::default();
    let told = registry.domain.collect_garbage(true, &mut heard).await.unwrap();
    let link = Garbage::Link { repository: "a".to_owned(), digest: digest(b"idle"), size: 4 };
    assert_eq!(heard.0, [link, Garbage::Blob { digest: digest(b"unlinked"), size: 8 }]);
    assert_eq!((told.links, told.blobs, registry.files()), (1, 1, 2));
}

#[tokio::test]
async fn keys_without_a_row_go_and_those_of_uploads_stay() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let id = domain.begin_upload(admin, &name("a"), Algorithm::Sha256).await.unwrap();
    domain.append_to_upload(admin, &name("a"), &id, None, &mut body(b"half")).await.unwrap();
    let folder = registry.blobs_folder().join("ab");
    std::fs::create_dir_all(&folder).unwrap();
    let stray = folder.join(format!("ab{}", "0".repeat(30)));
    std::fs::write(&stray, b"left by a crash").unwrap();
    let long_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::options().write(true).open(&stray).unwrap().set_modified(long_ago).unwrap();
    let collected = collect(&registry).await;
    assert_eq!((collected.keys, collected.bytes), (1, 15));
    assert!(!stray.exists());
    assert_eq!(domain.upload_status(admin, &name("a"), &id).await.unwrap(), 4);
}

const HOUR: Duration = Duration::from_hours(1);

/// Steps until no round is due; what was taken, and how often a round ended.
async fn round(registry: &TestRegistry) -> (Collected, usize) {
    let (mut taken, mut ended) = (Collected::default(), 0);
    loop {
        match registry.domain.collect_step(HOUR, &mut Heard::default()).await.unwrap() {
            Step::Went(collected) => taken += collected,
            Step::Ended(collected) => {
                taken += collected;
                ended += 1;
            }
            Step::Wait(rest) => {
                assert!(rest <= HOUR, "{rest:?}");
                return (taken, ended);
            }
        }
    }
}

#[tokio::test]
async fn a_round_takes_what_a_collection_takes_once_an_interval() {
    let registry = TestRegistry::new().await;
    assert_eq!(round(&registry).await, (Collected::default(), 1));
    registry.image("a", "one", b"{}", &[b"layer"]).await;
    registry.blob("a", b"never named").await;
    registry.clock.advance(HOUR / 2);
    assert_eq!(round(&registry).await, (Collected::default(), 0));
    registry.clock.advance(GRACE * 2);
    assert_eq!(round(&registry).await, (Collected { links: 1, blobs: 1, bytes: 11, ..Collected::default() }, 1));
    assert_eq!((round(&registry).await.1, registry.files()), (0, 2));
}

#[tokio::test]
async fn a_round_goes_on_where_it_was_after_a_restart() {
    let registry = TestRegistry::new().await;
    let blobs: Vec<Vec<u8>> = (0..120_u32).map(|nth| nth.to_le_bytes().to_vec()).collect();
    for bytes in &blobs {
        registry.blob("a", bytes).await;
    }
    registry.clock.advance(GRACE * 2);
    let mut taken = Vec::new();
    let mut registry = registry;
    loop {
        match registry.domain.collect_step(HOUR, &mut Heard::default()).await.unwrap() {
            Step::Went(collected) => taken.push(collected.links + collected.blobs),
            Step::Ended(_) => break,
            Step::Wait(_) => panic!("the round has not ended"),
        }
        registry = registry.restarted(|_| ()).await;
    }
    // Links and blobs, 50 at a time and once to see that no more are there, then keys; no batch twice.
    assert_eq!(taken, [50, 50, 20, 0, 50, 50, 20, 0, 0]);
    assert_eq!(registry.files(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_that_step_at_once_take_everything_once() {
    let registry = TestRegistry::new().await;
    for nth in 0..900_u32 {
        registry.blob("a", &nth.to_le_bytes()).await;
    }
    registry.clock.advance(GRACE * 2);
    let (mut links, mut blobs) = (0, 0);
    // The second round is for blobs that one node met while the other was about to take their links.
    for _ in 0..2 {
        let (one, other) = tokio::join!(round(&registry), round(&registry));
        assert_eq!(one.1 + other.1, 1, "a round ends once");
        links += one.0.links + other.0.links;
        blobs += one.0.blobs + other.0.blobs;
        registry.clock.advance(HOUR);
    }
    assert_eq!((links, blobs, registry.files()), (900, 900, 0));
}

#[tokio::test]
async fn a_read_only_registry_keeps_everything() {
    let registry = TestRegistry::new().await;
    registry.blob("a", b"idle").await;
    registry.clock.advance(GRACE * 2);
    let registry = registry.restarted(|settings| settings.read_only = true).await;
    let refused = registry.domain.collect_garbage(false, &mut Heard::default()).await;
    assert!(matches!(refused, Err(Error::ReadOnly)));
    assert!(is_there(&registry, "a", b"idle").await);
}

/// Layers that all pushes of the race share, and that are garbage again and again.
const SHARED: [&[u8]; 3] = [b"first", b"second", b"third"];

/// As a client pushes: asks, uploads what is not there, and names it.
async fn push_as_a_client(registry: &TestRegistry, number: usize) -> Vec<u8> {
    let layer = SHARED[number % SHARED.len()];
    for bytes in [b"{}".as_slice(), layer] {
        if !is_there(registry, "race", bytes).await {
            registry.blob("race", bytes).await;
        }
    }
    let manifest = image(b"{}", &[layer]);
    registry.push("race", &format!("t{number}"), &manifest, &[]).await.expect("what was promised is there");
    manifest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_collection_beside_pushes_takes_nothing_that_was_promised() {
    let registry = Arc::new(TestRegistry::new().await);
    // Time passes between pushes, never within one; collections run at any moment.
    let time = Arc::new(RwLock::new(()));
    let pushers: Vec<_> = (0..4)
        .map(|pusher| {
            let (registry, time) = (Arc::clone(&registry), Arc::clone(&time));
            tokio::spawn(async move {
                for round in 0..60 {
                    let _still = time.read().await;
                    let manifest = push_as_a_client(&registry, pusher * 60 + round).await;
                    let at = reference(&digest(&manifest).to_string());
                    // Another pusher may have deleted the same manifest first.
                    let _ = registry.domain.delete_manifest(&registry.admin, &name("race"), &at).await;
                }
            })
        })
        .collect();
    let mut freed = 0;
    while !pushers.iter().all(tokio::task::JoinHandle::is_finished) {
        {
            let _moving = time.write().await;
            registry.clock.advance(GRACE * 2);
        }
        freed += collect(&registry).await.blobs;
    }
    for pusher in pushers {
        pusher.await.unwrap();
    }
    assert!(freed > 0, "nothing was garbage while the pushes ran");
    let verified = registry.domain.verify(&mut crate::keeping::Hashed::default()).await.unwrap();
    assert!(verified.findings.is_empty(), "{verified:?}");
}
