//! The S3 store keeps the blob store contract on SeaweedFS, and the promises of its own: parts, tails, budget, takeovers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use berth_oci::digest::{Algorithm, Digest};
use berth_store::blob_store::chunks;
use berth_store::{Begun, BlobKey, BlobStore, BlobStoreError, Clock as _, SystemClock, SystemRandom, Unfinished};
use berth_store_blob::{S3Settings, S3Store};
use berth_testkit::seaweedfs::{BUCKET, Seaweed};
use bytes::Bytes;
use futures_util::TryStreamExt as _;

berth_store::blob_contract!(make);

const MIB: usize = 1 << 20;
const PART: usize = 5 * MIB;

fn settings() -> S3Settings {
    let server = Seaweed::shared();
    S3Settings {
        endpoint: Some(server.endpoint()),
        prefix: server.fresh_prefix(),
        part_bytes: PART,
        page: 2,
        ..S3Settings::new(BUCKET)
    }
}

fn open(settings: &S3Settings) -> S3Store {
    // Once, before the store's first look at the environment; every test sets the same.
    static CREDENTIALS: std::sync::Once = std::sync::Once::new();
    CREDENTIALS.call_once(|| {
        for (name, value) in Seaweed::environment() {
            assert_eq!(std::env::var(name).as_deref(), Ok(value), "run by ./test, which sets the credentials");
        }
    });
    S3Store::new(settings, Arc::new(SystemRandom)).unwrap()
}

fn make() -> (S3Store, ()) {
    (open(&settings()), ())
}

fn content(bytes: usize) -> Bytes {
    (0..bytes).map(|nth| (nth * 31 + nth / 251) as u8).collect()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

fn fresh() -> BlobKey {
    BlobKey::fresh(&SystemRandom)
}

async fn read(store: &S3Store, key: &BlobKey) -> Bytes {
    let chunks: Vec<Bytes> = chunks(store.read(key, 0, u64::MAX).await.unwrap()).try_collect().await.unwrap();
    chunks.concat().into()
}

async fn keys(store: &S3Store) -> Vec<BlobKey> {
    store.list(None, 1000).await.unwrap().into_iter().map(|stored| stored.key).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_works_and_one_that_does_not_are_told_apart() {
    let settings = settings();
    open(&settings).probe().await.unwrap();
    // SeaweedFS makes any bucket that is asked for, so it is the server that is missing.
    let gone = S3Settings { endpoint: Some("http://127.0.0.1:9".to_owned()), ..settings };
    let error = open(&gone).probe().await.unwrap_err();
    assert!(matches!(error, BlobStoreError::Unavailable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_blob_goes_in_parts_and_comes_back() {
    let store = open(&settings());
    for size in [PART - 1, PART, PART + 1, 23 * MIB + 17] {
        let bytes = content(size);
        let mut writer = store.create(&fresh(), Algorithm::Sha256).await.unwrap();
        for frame in bytes.chunks(300_000) {
            writer.append(bytes.slice_ref(frame)).await.unwrap();
        }
        let stored = writer.commit(&digest(&bytes)).await.unwrap();
        assert_eq!(stored.size, size as u64);
        assert!(read(&store, &stored.key).await == bytes, "{size} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_at_another_node_wherever_it_was_cut() {
    let settings = settings();
    let bytes = content(17 * MIB + 3);
    let ends = [0, 1, MIB, PART - 1, PART, 2 * PART, 2 * PART + 2, 16 * MIB, bytes.len()];
    let (key, mut checkpoint, mut begin) = (fresh(), None, 0);
    for end in ends {
        let node = open(&settings);
        let unfinished = Unfinished { key: &key, checkpoint: checkpoint.as_ref(), contested: false };
        let mut writer = node.resume(unfinished, Algorithm::Sha256).await.unwrap();
        assert_eq!(writer.offset(), begin as u64);
        writer.append(bytes.slice(begin..end)).await.unwrap();
        let old = checkpoint.replace(writer.flush().await.unwrap().unwrap());
        // As the domain does behind the transaction that notes the checkpoint.
        let tail = checkpoint.as_ref().unwrap().tail.clone();
        if let Some(old) = old.and_then(|old| old.tail).filter(|old| Some(old) != tail.as_ref()) {
            node.delete(&old).await.unwrap();
        }
        begin = end;
    }
    let node = open(&settings);
    let unfinished = Unfinished { key: &key, checkpoint: checkpoint.as_ref(), contested: false };
    let writer = node.resume(unfinished, Algorithm::Sha256).await.unwrap();
    let stored = writer.commit(&digest(&bytes)).await.unwrap();
    assert!(read(&node, &stored.key).await == bytes);
    if let Some(tail) = checkpoint.unwrap().tail {
        node.delete(&tail).await.unwrap();
    }
    assert_eq!(keys(&node).await, [stored.key], "something was left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_blob_that_was_flushed_is_not_written_again() {
    let store = open(&settings());
    let bytes = content(100_000);
    let mut writer = store.create(&fresh(), Algorithm::Sha256).await.unwrap();
    writer.append(bytes.clone()).await.unwrap();
    let checkpoint = writer.flush().await.unwrap().unwrap();
    let stored = writer.commit(&digest(&bytes)).await.unwrap();
    assert_eq!(Some(&stored.key), checkpoint.tail.as_ref());
    assert_eq!(keys(&store).await, [stored.key]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_comes_back_to_life_spoils_nothing_unnoticed() {
    let store = open(&settings());
    let (bytes, key) = (content(3 * PART), fresh());
    let mut first = store.create(&key, Algorithm::Sha256).await.unwrap();
    first.append(bytes.slice(..PART)).await.unwrap();
    first.append(bytes.slice(PART..PART + 1)).await.unwrap();
    let checkpoint = first.flush().await.unwrap().unwrap();
    // The first one stalls with a part on its way; the second goes on from the checkpoint.
    let unfinished = Unfinished { key: &key, checkpoint: Some(&checkpoint), contested: true };
    let mut second = store.resume(unfinished, Algorithm::Sha256).await.unwrap();
    second.append(bytes.slice(PART + 1..)).await.unwrap();
    let noted = second.flush().await.unwrap().unwrap();
    let other = Bytes::from(vec![0xff; 2 * PART - 1]);
    first.append(other).await.unwrap();
    first.flush().await.unwrap();
    let unfinished = Unfinished { key: &key, checkpoint: Some(&noted), contested: true };
    let third = store.resume(unfinished, Algorithm::Sha256).await.unwrap();
    match third.commit(&digest(&bytes)).await {
        Ok(stored) => assert!(read(&store, &stored.key).await == bytes, "wrong bytes were acknowledged"),
        Err(error) => assert!(!matches!(error, BlobStoreError::KeyInUse(_)), "{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_uploads_share_little_memory_and_all_end() {
    let settings = S3Settings { buffer_budget: 2 * PART, ..settings() };
    let store = Arc::new(open(&settings));
    let bytes = content(PART + MIB);
    let uploads: Vec<_> = (0..24)
        .map(|_| {
            let (store, bytes) = (Arc::clone(&store), bytes.clone());
            tokio::spawn(async move {
                let mut writer = store.create(&fresh(), Algorithm::Sha256).await.unwrap();
                for frame in bytes.chunks(200_000) {
                    writer.append(bytes.slice_ref(frame)).await.unwrap();
                    tokio::task::yield_now().await;
                }
                writer.commit(&digest(&bytes)).await.unwrap()
            })
        })
        .collect();
    for upload in uploads {
        let stored = upload.await.unwrap();
        assert_eq!(store.size(&stored.key).await.unwrap(), bytes.len() as u64);
    }
    assert_eq!(keys(&store).await.len(), 24, "tails were left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_reads_the_blob_without_credentials() {
    let settings = S3Settings { redirect: true, ..settings() };
    let store = open(&settings);
    let mut writer = store.create(&fresh(), Algorithm::Sha256).await.unwrap();
    writer.append(Bytes::from_static(b"content")).await.unwrap();
    let stored = writer.commit(&digest(b"content")).await.unwrap();
    let address = store.address(&stored.key).await.unwrap().unwrap();
    let target = address.strip_prefix(&Seaweed::shared().endpoint()).unwrap();
    let client = berth_testkit::Client::anonymous(([127, 0, 0, 1], Seaweed::shared().port()).into());
    assert_eq!(client.get(target).expect(200).body, b"content");
    client.get(target.split('?').next().unwrap()).expect(403);
}

async fn begun(store: &S3Store) -> Vec<Begun> {
    store.begun().try_collect().await.unwrap()
}

/// A writer that was killed with two parts sent: nothing of it runs any more, and nobody gives it up.
async fn leave_parts(store: &S3Store) -> BlobKey {
    let key = fresh();
    let mut writer = store.create(&key, Algorithm::Sha256).await.unwrap();
    writer.append(content(2 * PART + 1)).await.unwrap();
    writer.flush().await.unwrap();
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_nobody_finished_are_found_and_given_up() {
    // The store of another prefix is somebody else's.
    let (settings, other) = (settings(), open(&self::settings()));
    let store = open(&settings);
    let (mut left, theirs) = (Vec::new(), leave_parts(&other).await);
    for _ in 0..5 {
        left.push(leave_parts(&store).await);
    }
    left.sort();
    let found = begun(&store).await;
    let mut keys: Vec<BlobKey> = found.iter().map(|begun| begun.key.clone()).collect();
    keys.sort();
    assert_eq!(keys, left);
    let hour = std::time::Duration::from_hours(1);
    let now = SystemClock.now();
    assert!(found.iter().all(|begun| now.before(hour) < begun.at && begun.at < now.after(hour)), "{found:?}");
    for one in &found {
        store.abandon(one).await.unwrap();
        store.abandon(one).await.unwrap();
    }
    assert!(begun(&store).await.is_empty());
    assert_eq!(begun(&other).await.into_iter().map(|begun| begun.key).collect::<Vec<_>>(), [theirs]);
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_an_attempt_leaves_the_blob_that_another_one_made() {
    let store = open(&settings());
    let (key, bytes) = (leave_parts(&store).await, content(3 * PART));
    let attempt = begun(&store).await.remove(0);
    let mut writer = store.create(&key, Algorithm::Sha256).await.unwrap();
    writer.append(bytes.clone()).await.unwrap();
    writer.commit(&digest(&bytes)).await.unwrap();
    store.abandon(&attempt).await.unwrap();
    assert!(read(&store, &key).await == bytes);
    assert!(begun(&store).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_whose_bytes_were_taken_away_meanwhile_is_not_acknowledged() {
    let store = open(&settings());
    let (key, bytes) = (fresh(), content(100_000));
    let mut writer = store.create(&key, Algorithm::Sha256).await.unwrap();
    writer.append(bytes.clone()).await.unwrap();
    let checkpoint = writer.flush().await.unwrap().unwrap();
    // As a collection does that finds the object before the checkpoint that names it.
    store.delete(checkpoint.tail.as_ref().unwrap()).await.unwrap();
    let error = writer.commit(&digest(&bytes)).await.unwrap_err();
    assert!(matches!(error, BlobStoreError::NotFound(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_whose_completion_was_not_heard_of_is_found_complete_by_the_next_attempt() {
    let store = open(&settings());
    let (key, bytes) = (fresh(), content(2 * PART + 5));
    let mut writer = store.create(&key, Algorithm::Sha256).await.unwrap();
    writer.append(bytes.clone()).await.unwrap();
    let checkpoint = writer.flush().await.unwrap().unwrap();
    writer.commit(&digest(&bytes)).await.unwrap();
    // Whoever asked was cut off; the client asks again, and the upload is taken up where it was noted last.
    for (expected, is_kept) in [(digest(&bytes), true), (digest(b"other bytes"), false)] {
        let unfinished = Unfinished { key: &key, checkpoint: Some(&checkpoint), contested: true };
        let again = store.resume(unfinished, Algorithm::Sha256).await.unwrap();
        assert_eq!(again.commit(&expected).await.is_ok(), is_kept);
    }
    assert!(read(&store, &key).await == bytes);
}
