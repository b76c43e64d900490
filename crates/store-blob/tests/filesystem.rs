//! The filesystem store keeps the blob store contract, and the promises of its own layout.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use berth_oci::digest::{Algorithm, Hasher};
use berth_store::{BlobKey, BlobRead, BlobStore, BlobStoreError, Unfinished};
use berth_store_blob::FilesystemStore;
use bytes::Bytes;
use tempfile::TempDir;

berth_store::blob_contract!(make);

fn make() -> (FilesystemStore, TempDir) {
    let home = tempfile::tempdir().unwrap();
    (FilesystemStore::open(home.path().join("blobs")).unwrap(), home)
}

#[tokio::test]
async fn a_key_is_used_once() {
    let (store, _home) = make();
    berth_store::blob_contract::a_key_is_used_once(&store).await;
}

fn key(text: &str) -> BlobKey {
    BlobKey::parse(text).unwrap()
}

async fn write(store: &FilesystemStore, key: &BlobKey, bytes: &'static [u8]) {
    let mut writer = store.create(key, Algorithm::Sha256).await.unwrap();
    writer.append(Bytes::from_static(bytes)).await.unwrap();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    writer.commit(&hasher.finish()).await.unwrap();
}

fn folders(root: &Path) -> usize {
    std::fs::read_dir(root).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}

const KEY: &str = "ab0123456789abcdef0123456789abcd";

#[tokio::test]
async fn a_blob_is_one_file_in_its_shard_and_outlives_the_store() {
    let (store, home) = make();
    write(&store, &key(KEY), b"content").await;
    let path = home.path().join("blobs/ab").join(KEY);
    assert_eq!(std::fs::read(path).unwrap(), b"content");
    drop(store);
    let again = FilesystemStore::open(home.path().join("blobs")).unwrap();
    assert_eq!(again.size(&key(KEY)).await.unwrap(), 7);
    assert_eq!(folders(&home.path().join("blobs")), 256);
}

#[tokio::test]
async fn a_reader_goes_on_after_the_deletion() {
    let (store, _home) = make();
    write(&store, &key(KEY), b"content").await;
    let BlobRead::File { file, .. } = store.read(&key(KEY), 0, 7).await.unwrap() else { panic!("a file was expected") };
    store.delete(&key(KEY)).await.unwrap();
    let mut bytes = [0; 7];
    std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"content");
}

#[tokio::test]
async fn neighbours_of_one_shard_are_listed_and_strangers_are_not() {
    let (store, home) = make();
    let keys: Vec<_> = (0..10).map(|nth| key(&format!("ab{nth:030}"))).collect();
    for key in keys.iter().rev() {
        write(&store, key, b"x").await;
    }
    let shard = home.path().join("blobs/ab");
    std::fs::write(shard.join("notes.txt"), "a stranger").unwrap();
    std::fs::write(shard.join(format!("cd{:030}", 1)), "in another shard's place").unwrap();
    for begin in 0..10_usize {
        let after = begin.checked_sub(1).map(|nth| &keys[nth]);
        let page = store.list(after, 4).await.unwrap();
        let listed: Vec<_> = page.into_iter().map(|stored| stored.key).collect();
        assert_eq!(listed, keys[begin..(begin + 4).min(10)], "from {begin}");
    }
}

#[tokio::test]
async fn bytes_changed_behind_the_writer_are_found_when_it_resumes() {
    let (store, home) = make();
    let mut writer = store.create(&key(KEY), Algorithm::Sha256).await.unwrap();
    writer.append(Bytes::from_static(b"content")).await.unwrap();
    writer.flush().await.unwrap();
    drop(writer);
    std::fs::write(home.path().join("blobs/ab").join(KEY), b"CONTENT").unwrap();
    let writer = store.resume(Unfinished::at(&key(KEY)), Algorithm::Sha256).await.unwrap();
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(b"content");
    let outcome = writer.commit(&hasher.finish()).await;
    assert!(matches!(outcome, Err(BlobStoreError::DigestMismatch { .. })));
}

#[test]
fn a_root_that_is_a_file_is_refused_with_its_path() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("blobs");
    std::fs::write(&path, "").unwrap();
    let error = FilesystemStore::open(path.clone()).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}
