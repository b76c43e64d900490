use std::path::PathBuf;

use berth_store::BlobKey;

use super::*;

const KEY: &str = "ab0123456789abcdef0123456789abcd";

/// A writer whose writes fail: its file is open for reading only.
fn failing() -> (FileWriter, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let place = place(home.path().to_owned());
    drop(place.create().unwrap());
    let file = File::open(&place.path).unwrap();
    (FileWriter::new(place, file, Algorithm::Sha256), home)
}

fn place(shard: PathBuf) -> Place {
    Place { key: BlobKey::parse(KEY).unwrap(), path: shard.join(KEY), shard }
}

fn digest(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish()
}

fn assert_io<T>(outcome: Result<T, BlobStoreError>, words: &str) {
    match outcome {
        Err(BlobStoreError::Io { action, .. }) => assert!(action.contains(words), "{action}"),
        Err(other) => panic!("{words} was expected, not: {other}"),
        Ok(_) => panic!("{words} was expected, not success"),
    }
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_taken_and_nothing_committed() {
    let (mut writer, _home) = failing();
    writer.append(Bytes::from_static(b"content")).await.unwrap();
    assert_io(writer.flush().await, "writing");
    assert_io(writer.append(Bytes::from_static(b"more")).await, "an earlier failure");
    assert_io(writer.flush().await, "an earlier failure");
    // Hashed, but not stored: neither the digest of nothing nor that of everything is committed.
    assert_io(Box::new(writer).commit(&digest(b"content")).await, "an earlier failure");
}

#[tokio::test]
async fn what_is_gathered_is_written_when_it_is_enough() {
    let home = tempfile::tempdir().unwrap();
    for (frame, count) in [(GATHERED, 1), (GATHERED / 4, 4), (1, FRAMES)] {
        let place = place(home.path().to_owned());
        let file = place.create().unwrap();
        let mut writer = FileWriter::new(place.clone(), file, Algorithm::Sha256);
        for nth in 1..=count {
            writer.append(Bytes::from(vec![0; frame])).await.unwrap();
            let stored = std::fs::metadata(&place.path).unwrap().len();
            let wanted = if nth == count { frame * count } else { 0 };
            assert_eq!(stored, wanted as u64, "after {nth} frames of {frame}");
        }
        std::fs::remove_file(&place.path).unwrap();
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_synced_fails_the_commit() {
    let home = tempfile::tempdir().unwrap();
    let mut place = place(home.path().to_owned());
    let file = place.create().unwrap();
    place.shard = home.path().join("gone");
    let writer = FileWriter::new(place, file, Algorithm::Sha256);
    assert!(Box::new(writer).commit(&digest(b"")).await.is_err());
}

#[test]
fn a_full_disk_reads_as_one() {
    for full in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
        let error = place(PathBuf::from("ab")).error("writing", full.into());
        assert!(matches!(error, BlobStoreError::Full(_)), "{error}");
    }
}
