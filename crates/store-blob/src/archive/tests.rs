use std::io;
use std::sync::Arc;

use berth_store::{Archive, SystemRandom};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tempfile::TempDir;

use super::{ArchiveKey, ObjectArchive, SealedArchive};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn folder() -> (ObjectArchive, TempDir) {
    let folder = TempDir::new().unwrap();
    (ObjectArchive::folder(&folder.path().join("made")).unwrap(), folder)
}

fn key(text: &str) -> ArchiveKey {
    ArchiveKey::parse(text).unwrap()
}

fn sealed() -> (SealedArchive<ObjectArchive>, TempDir) {
    let (archive, folder) = folder();
    (SealedArchive::new(archive, key(KEY), Arc::new(SystemRandom)), folder)
}

mod in_a_folder {
    berth_store::archive_contract!(super::folder);
}

mod sealed_in_a_folder {
    berth_store::archive_contract!(super::sealed);
}

async fn put(archive: &dyn Archive, name: &str, content: &'static [u8]) {
    archive.put(name, stream::iter([Ok(Bytes::from_static(content))]).boxed()).await.unwrap();
}

async fn get(archive: &dyn Archive, name: &str) -> io::Result<Vec<u8>> {
    let frames: Vec<Bytes> = archive.get(name).await.unwrap().try_collect().await?;
    Ok(frames.concat())
}

#[tokio::test]
async fn what_is_sealed_opens_only_unchanged_and_under_its_name_and_key() {
    static CONTENT: [u8; 200_000] = [7; 200_000];
    let (archive, folder) = sealed();
    put(&archive, "a/1", &CONTENT).await;
    let path = folder.path().join("made/a/1");
    let whole = std::fs::read(&path).unwrap();
    assert!(whole.windows(8).all(|eight| eight != [7; 8]), "the content can be seen");
    assert_eq!(get(&archive, "a/1").await.unwrap(), CONTENT);

    let mut changes: Vec<Vec<u8>> = [0, 10, 30, 65_600, whole.len() - 1]
        .map(|at| {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            changed
        })
        .to_vec();
    // Cut in a piece, between two, and to nothing.
    changes.extend([0, 8, 27, 27 + 65_552, whole.len() - 1].map(|length| whole[..length].to_vec()));
    changes.push([whole.as_slice(), &[0]].concat());
    for changed in changes {
        std::fs::write(&path, &changed).unwrap();
        assert_eq!(get(&archive, "a/1").await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
    std::fs::write(&path, &whole).unwrap();
    std::fs::write(folder.path().join("made/a/2"), &whole).unwrap();
    assert!(get(&archive, "a/2").await.is_err(), "it opened under another name");
    let other = SealedArchive::new(
        ObjectArchive::folder(&folder.path().join("made")).unwrap(),
        key(&"f".repeat(64)),
        Arc::new(SystemRandom),
    );
    assert!(get(&other, "a/1").await.is_err(), "it opened with another key");
}

#[tokio::test]
async fn what_a_writer_that_died_left_is_swept_away() {
    let (archive, folder) = folder();
    put(&archive, "a/1", b"whole").await;
    let left = folder.path().join("made/a/2#1");
    std::fs::write(&left, b"ha").unwrap();
    archive.sweep().await.unwrap();
    assert!(!left.exists());
    assert_eq!(get(&archive, "a/1").await.unwrap(), b"whole");
}

#[test]
fn a_key_is_32_bytes_and_is_not_shown() {
    assert!(ArchiveKey::parse(" AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").is_some());
    for text in ["", "abc", &"0".repeat(62), &"z".repeat(64)] {
        assert!(ArchiveKey::parse(text).is_none(), "{text}");
    }
    assert_eq!(format!("{:?}", key(KEY)), "ArchiveKey(…)");
}
