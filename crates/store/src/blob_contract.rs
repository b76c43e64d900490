//! What every blob store promises, as tests that any store can be put through (invariant 10 of `ARCHITECTURE.md`).
//!
//! `blob_contract!(make)` makes one test of each behaviour; `make()` gives an empty store and whatever must live as long
//! as it does. The crate that uses the macro has `tokio` with its macros and multi-thread runtime.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "these are the bodies of tests, which fail by panicking"
)]

use berth_oci::digest::{Algorithm, Digest, Hasher};
use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::{BlobKey, BlobRead, BlobStore, BlobStoreError, BlobWriter, Checkpoint, SystemRandom, Unfinished};

/// Makes a test of each promise, for the store that `$make()` gives.
#[macro_export]
macro_rules! blob_contract {
    ($make:expr) => {
        $crate::blob_contract!(@each $make;
            a_blob_is_read_back_as_it_was_written,
            a_part_of_a_blob_can_be_read,
            a_missing_key_is_not_found,
            a_wrong_digest_is_refused,
            either_algorithm_is_checked,
            an_unfinished_blob_is_resumed_behind_what_was_flushed,
            a_blob_is_resumed_many_times,
            an_empty_upload_is_resumed,
            a_deleted_blob_is_gone,
            an_unfinished_blob_can_be_deleted,
            keys_are_listed_in_order_and_by_pages,
            writers_do_not_meet,
            free_space_is_told_or_unknown,
        );
    };
    (@each $make:expr; $($promise:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let (store, _alive) = $make();
            $crate::blob_contract::$promise(&store).await;
        }
    )* };
}

/// Sizes around everything that a store may gather, cut or pad.
const SIZES: [usize; 8] = [0, 1, 4095, 65_536, 524_287, 524_288, 524_289, 3 * 1024 * 1024 + 7];

fn fresh() -> BlobKey {
    BlobKey::fresh(&SystemRandom)
}

/// Bytes without a period that a block size could hide in.
fn content(length: usize) -> Bytes {
    let mut state = length as u64 + 1;
    let next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn digest(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

fn unfinished<'u>(key: &'u BlobKey, checkpoint: Option<&'u Checkpoint>) -> Unfinished<'u> {
    Unfinished { key, checkpoint, contested: false }
}

async fn append(writer: &mut Box<dyn BlobWriter>, bytes: &Bytes, frame: usize) {
    for part in bytes.chunks(frame) {
        writer.append(bytes.slice_ref(part)).await.unwrap();
    }
}

async fn store_blob(store: &dyn BlobStore, bytes: &Bytes) -> BlobKey {
    let key = fresh();
    let mut writer = store.create(&key, Algorithm::Sha256).await.unwrap();
    append(&mut writer, bytes, 50_000).await;
    let stored = writer.commit(&digest(Algorithm::Sha256, bytes)).await.unwrap();
    assert_eq!(stored.size, bytes.len() as u64);
    stored.key
}

/// The bytes of a read, however the store gives them; the length it told is checked.
async fn collect(read: BlobRead) -> Vec<u8> {
    match read {
        BlobRead::File { file, offset, length } => {
            let mut bytes = vec![0; usize::try_from(length).unwrap()];
            std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, offset).unwrap();
            bytes
        }
        BlobRead::Stream { chunks, length } => {
            let chunks: Vec<Bytes> = chunks.try_collect().await.unwrap();
            assert_eq!(chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>(), length);
            chunks.concat()
        }
    }
}

async fn read(store: &dyn BlobStore, key: &BlobKey, offset: u64, length: u64) -> Vec<u8> {
    collect(store.read(key, offset, length).await.unwrap()).await
}

fn assert_not_found<T>(result: Result<T, BlobStoreError>, key: &BlobKey) {
    match result {
        Err(BlobStoreError::NotFound(missing)) => assert_eq!(missing, *key),
        Err(other) => panic!("{key} is missing, which should not read: {other}"),
        Ok(_) => panic!("{key} is missing and was found"),
    }
}

/// Blobs of any size, in frames of any size, come back as they were.
pub async fn a_blob_is_read_back_as_it_was_written(store: &dyn BlobStore) {
    for size in SIZES {
        let bytes = content(size);
        for frame in [size.max(1), 8192.min(size.max(1)), 700_001] {
            let key = fresh();
            let mut writer = store.create(&key, Algorithm::Sha256).await.unwrap();
            append(&mut writer, &bytes, frame).await;
            assert_eq!(writer.offset(), size as u64);
            let stored = writer.commit(&digest(Algorithm::Sha256, &bytes)).await.unwrap();
            assert_eq!(stored.size, size as u64);
            assert_eq!(store.size(&stored.key).await.unwrap(), size as u64);
            assert!(read(store, &stored.key, 0, u64::MAX).await == bytes, "{size} bytes in frames of {frame}");
        }
    }
}

/// A part is what lies in it, and ends where the blob ends.
pub async fn a_part_of_a_blob_can_be_read(store: &dyn BlobStore) {
    let bytes = content(100_000);
    let key = store_blob(store, &bytes).await;
    let ends = [(99_999, 1), (99_999, 2), (50_000, u64::MAX), (100_000, 1)];
    for (offset, length) in [(0_u64, 10_u64), (1, 1), (65_535, 2), (7, 0)].into_iter().chain(ends) {
        let begin = usize::try_from(offset).unwrap();
        let end = usize::try_from(offset.saturating_add(length).min(100_000)).unwrap();
        assert!(read(store, &key, offset, length).await == bytes[begin..end], "{length} from {offset}");
    }
    assert!(read(store, &key, 100_001, 5).await.is_empty());
    assert!(read(store, &key, u64::MAX, u64::MAX).await.is_empty());
}

/// A store whose keys others could guess, or that can tell for nothing, writes nothing over, neither a finished blob nor an unfinished one.
pub async fn a_key_is_used_once(store: &dyn BlobStore) {
    let bytes = content(10);
    let finished = store_blob(store, &bytes).await;
    let unfinished = fresh();
    let _writer = store.create(&unfinished, Algorithm::Sha256).await.unwrap();
    for key in [&finished, &unfinished] {
        let again = store.create(key, Algorithm::Sha256).await;
        assert!(matches!(again, Err(BlobStoreError::KeyInUse(ref used)) if used == key));
    }
    assert_eq!(read(store, &finished, 0, 10).await, bytes);
}

/// What was never written is not found, by any way.
pub async fn a_missing_key_is_not_found(store: &dyn BlobStore) {
    let key = fresh();
    assert_not_found(store.read(&key, 0, 1).await, &key);
    assert_not_found(store.size(&key).await, &key);
    // A shared store keeps nothing of an unfinished blob before its first checkpoint, so that it cannot miss it.
    if !store.is_shared() {
        assert_not_found(store.resume(Unfinished::at(&key), Algorithm::Sha256).await, &key);
    }
}

/// A commit tells what the bytes are when they are not what was promised.
pub async fn a_wrong_digest_is_refused(store: &dyn BlobStore) {
    let bytes = content(600_000);
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let mut writer = store.create(&fresh(), Algorithm::Sha256).await.unwrap();
        append(&mut writer, &bytes, 100_000).await;
        let promised = digest(algorithm, b"other bytes");
        match writer.commit(&promised).await {
            Err(BlobStoreError::DigestMismatch { expected, actual }) => {
                assert_eq!((expected, actual), (promised, digest(algorithm, &bytes)));
            }
            other => panic!("a wrong digest ended as {other:?}"),
        }
    }
}

/// The digest may be of another algorithm than the one that hashed along.
pub async fn either_algorithm_is_checked(store: &dyn BlobStore) {
    let bytes = content(600_000);
    for (along, promised) in [
        (Algorithm::Sha256, Algorithm::Sha512),
        (Algorithm::Sha512, Algorithm::Sha256),
        (Algorithm::Sha512, Algorithm::Sha512),
    ] {
        let key = fresh();
        let mut writer = store.create(&key, along).await.unwrap();
        append(&mut writer, &bytes, 100_000).await;
        let stored = writer.commit(&digest(promised, &bytes)).await.unwrap();
        assert_eq!(stored.size, 600_000);
        assert!(read(store, &stored.key, 0, u64::MAX).await == bytes);
    }
}

/// What was flushed outlives its writer, and the digest covers it.
pub async fn an_unfinished_blob_is_resumed_behind_what_was_flushed(store: &dyn BlobStore) {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let (bytes, key) = (content(900_000), fresh());
        let mut writer = store.create(&key, Algorithm::Sha256).await.unwrap();
        append(&mut writer, &bytes.slice(..300_001), 65_536).await;
        let checkpoint = writer.flush().await.unwrap();
        assert_eq!(writer.offset(), 300_001);
        drop(writer);

        let mut writer = store.resume(unfinished(&key, checkpoint.as_ref()), algorithm).await.unwrap();
        assert_eq!(writer.offset(), 300_001);
        append(&mut writer, &bytes.slice(300_001..), 65_536).await;
        let stored = writer.commit(&digest(Algorithm::Sha256, &bytes)).await.unwrap();
        assert_eq!(stored.size, 900_000);
        assert!(read(store, &stored.key, 0, u64::MAX).await == bytes);
    }
}

/// An upload may be interrupted after every part.
pub async fn a_blob_is_resumed_many_times(store: &dyn BlobStore) {
    let (bytes, key) = (content(70_000), fresh());
    drop(store.create(&key, Algorithm::Sha256).await.unwrap());
    let mut checkpoint = None;
    for part in bytes.chunks(10_000) {
        let mut writer = store.resume(unfinished(&key, checkpoint.as_ref()), Algorithm::Sha256).await.unwrap();
        writer.append(bytes.slice_ref(part)).await.unwrap();
        checkpoint = writer.flush().await.unwrap();
    }
    let writer = store.resume(unfinished(&key, checkpoint.as_ref()), Algorithm::Sha256).await.unwrap();
    let stored = writer.commit(&digest(Algorithm::Sha256, &bytes)).await.unwrap();
    assert_eq!(stored.size, 70_000);
    assert!(read(store, &stored.key, 0, u64::MAX).await == bytes);
}

/// An upload exists from its creation on, before its first byte.
pub async fn an_empty_upload_is_resumed(store: &dyn BlobStore) {
    let key = fresh();
    drop(store.create(&key, Algorithm::Sha256).await.unwrap());
    let writer = store.resume(Unfinished::at(&key), Algorithm::Sha256).await.unwrap();
    assert_eq!(writer.offset(), 0);
    assert_eq!(writer.commit(&digest(Algorithm::Sha256, b"")).await.unwrap().size, 0);
}

/// A deletion may be late or repeated, and touches its own key only.
pub async fn a_deleted_blob_is_gone(store: &dyn BlobStore) {
    let bytes = content(1000);
    let (kept, gone) = (store_blob(store, &bytes).await, store_blob(store, &bytes).await);
    for _ in 0..2 {
        store.delete(&gone).await.unwrap();
        assert_not_found(store.size(&gone).await, &gone);
        assert_not_found(store.read(&gone, 0, 1).await, &gone);
    }
    store.delete(&fresh()).await.unwrap();
    assert_eq!(read(store, &kept, 0, u64::MAX).await, bytes);
}

/// An upload that is given up leaves nothing.
pub async fn an_unfinished_blob_can_be_deleted(store: &dyn BlobStore) {
    let key = fresh();
    let mut writer = store.create(&key, Algorithm::Sha256).await.unwrap();
    writer.append(content(1000)).await.unwrap();
    let checkpoint = writer.flush().await.unwrap();
    drop(writer);
    for _ in 0..2 {
        store.give_up(unfinished(&key, checkpoint.as_ref())).await.unwrap();
    }
    if !store.is_shared() {
        assert_not_found(store.resume(Unfinished::at(&key), Algorithm::Sha256).await, &key);
    }
    assert_eq!(store.list(None, 10).await.unwrap(), []);
}

/// Pages of any length, put together, are every key once, in order.
pub async fn keys_are_listed_in_order_and_by_pages(store: &dyn BlobStore) {
    assert_eq!(store.list(None, 10).await.unwrap(), []);
    let mut keys = Vec::new();
    for size in 0..40 {
        keys.push((store_blob(store, &content(size)).await, size as u64));
    }
    keys.sort();
    for limit in [1, 3, 39, 40, 41] {
        let mut listed = Vec::new();
        loop {
            let after = listed.last().map(|(key, _): &(BlobKey, u64)| key.clone());
            let page = store.list(after.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            listed.extend(page.into_iter().map(|stored| (stored.key, stored.size)));
        }
        assert_eq!(listed, keys, "by pages of {limit}");
    }
    assert_eq!(store.list(None, 0).await.unwrap(), []);
}

/// Blobs that are written at the same time stay apart.
pub async fn writers_do_not_meet(store: &dyn BlobStore) {
    let blobs: Vec<Bytes> = (0..8).map(|nth| content(200_000 + nth)).collect();
    let keys: Vec<BlobKey> = blobs.iter().map(|_| fresh()).collect();
    let mut writers = Vec::new();
    for key in &keys {
        writers.push(store.create(key, Algorithm::Sha256).await.unwrap());
    }
    for begin in (0..200_000).step_by(40_000) {
        for (writer, bytes) in writers.iter_mut().zip(&blobs) {
            let end = if begin == 160_000 { bytes.len() } else { begin + 40_000 };
            writer.append(bytes.slice(begin..end)).await.unwrap();
        }
    }
    let mut stored = Vec::new();
    for (writer, bytes) in writers.into_iter().zip(&blobs) {
        stored.push(writer.commit(&digest(Algorithm::Sha256, bytes)).await.unwrap().key);
    }
    for (key, bytes) in stored.iter().zip(&blobs) {
        assert!(read(store, key, 0, u64::MAX).await == *bytes);
    }
}

/// A store that knows its space has some left.
pub async fn free_space_is_told_or_unknown(store: &dyn BlobStore) {
    assert_ne!(store.free_space().await.unwrap(), Some(0));
}
