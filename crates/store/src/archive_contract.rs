//! What every archive promises, as tests that any archive can be put through (invariant 9 of `ARCHITECTURE.md`).
//!
//! `archive_contract!(make)` makes one test of each behaviour; `make()` gives an empty archive and whatever must live as
//! long as it does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "these are the bodies of tests, which fail by panicking"
)]

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{Archive, ArchiveError};

/// Makes a test of each promise, for the archive that `$make()` gives.
#[macro_export]
macro_rules! archive_contract {
    ($make:expr) => {
        $crate::archive_contract!(@each $make;
            an_object_is_read_back_as_it_was_written,
            a_missing_object_is_not_found,
            content_that_breaks_off_leaves_what_was_there,
            objects_are_listed_by_folder,
            a_deleted_object_is_gone,
            a_sweep_leaves_objects_alone,
        );
    };
    (@each $make:expr; $($promise:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $promise() {
            let (archive, _alive) = $make();
            $crate::archive_contract::$promise(&archive).await;
        }
    )* };
}

/// Sizes around everything that an archive may gather or cut.
const SIZES: [usize; 7] = [0, 1, 65_535, 65_536, 65_537, 8 << 20, (17 << 20) + 3];

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|nth| (nth * 31 + nth / 251).to_le_bytes()[0]).collect()
}

async fn put(archive: &dyn Archive, name: &str, content: &[u8]) {
    let frames: Vec<io::Result<Bytes>> = content.chunks(100_000).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    archive.put(name, stream::iter(frames).boxed()).await.unwrap();
}

async fn get(archive: &dyn Archive, name: &str) -> Vec<u8> {
    let frames: Vec<Bytes> = archive.get(name).await.unwrap().try_collect().await.unwrap();
    frames.concat()
}

async fn names(archive: &dyn Archive, folder: &str) -> Vec<String> {
    let mut names: Vec<String> = archive.list(folder).map_ok(|found| found.name).try_collect().await.unwrap();
    names.sort();
    names
}

/// Of any size, and written anew.
pub async fn an_object_is_read_back_as_it_was_written(archive: &dyn Archive) {
    for size in SIZES {
        let content = bytes(size);
        put(archive, &format!("a/{size}"), &content).await;
        assert!(get(archive, &format!("a/{size}")).await == content, "{size} bytes");
    }
    let listed: Vec<_> = archive.list("a").try_collect().await.unwrap();
    assert_eq!(listed.len(), SIZES.len());
    assert!(listed.iter().all(|found| found.name == format!("a/{}", found.size)), "{listed:?}");
    put(archive, "a/1", b"anew").await;
    assert_eq!(get(archive, "a/1").await, b"anew");
}

/// Reading what is not there says so.
pub async fn a_missing_object_is_not_found(archive: &dyn Archive) {
    let Err(error) = archive.get("a/missing").await else { panic!("it is there") };
    assert!(matches!(&error, ArchiveError::NotFound(name) if name == "a/missing"), "{error}");
}

/// A writer that gives up leaves no half of it.
pub async fn content_that_breaks_off_leaves_what_was_there(archive: &dyn Archive) {
    put(archive, "a/before", b"as it was").await;
    for name in ["a/before", "a/new"] {
        for length in [10, 20 << 20] {
            let frames = [Ok(Bytes::from(bytes(length))), Err(io::Error::other("no more"))];
            let error = archive.put(name, stream::iter(frames).boxed()).await.unwrap_err();
            assert!(matches!(error, ArchiveError::Content { .. }), "{error}");
        }
    }
    assert_eq!(get(archive, "a/before").await, b"as it was");
    assert_eq!(names(archive, "a").await, ["a/before"]);
}

/// With whole names, and of that folder alone.
pub async fn objects_are_listed_by_folder(archive: &dyn Archive) {
    assert!(names(archive, "a").await.is_empty());
    for name in ["a/1", "a/b/2", "ab/3", "c/4"] {
        put(archive, name, name.as_bytes()).await;
    }
    assert_eq!(names(archive, "a").await, ["a/1", "a/b/2"]);
    assert_eq!(names(archive, "c").await, ["c/4"]);
}

/// Deleting it again is no error.
pub async fn a_deleted_object_is_gone(archive: &dyn Archive) {
    put(archive, "a/1", b"1").await;
    archive.delete("a/1").await.unwrap();
    archive.delete("a/1").await.unwrap();
    assert!(matches!(archive.get("a/1").await, Err(ArchiveError::NotFound(_))));
    assert!(names(archive, "a").await.is_empty());
}

/// Whole objects are not what a dead writer left.
pub async fn a_sweep_leaves_objects_alone(archive: &dyn Archive) {
    put(archive, "a/1", b"1").await;
    archive.sweep().await.unwrap();
    assert_eq!(get(archive, "a/1").await, b"1");
}
