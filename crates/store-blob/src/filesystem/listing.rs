//! Keys in order, a page at a time, holding no more than the page in memory.

use std::collections::BinaryHeap;
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use berth_store::{BlobKey, BlobStoreError, StoredKey, Timestamp};

use super::{failed, shards};

/// Up to `limit` keys behind `after` of the store below `root`.
pub(super) fn list(root: &Path, after: Option<&BlobKey>, limit: usize) -> Result<Vec<StoredKey>, BlobStoreError> {
    let mut found = Vec::new();
    let first = after.map_or("", |after| &after.as_str()[..2]);
    for shard in shards().filter(|shard| shard.as_str() >= first) {
        let folder = root.join(&shard);
        list_shard(&folder, after.cloned(), limit, &mut found).map_err(|error| failed("listing", &folder, error))?;
        if found.len() >= limit {
            break;
        }
    }
    Ok(found)
}

fn list_shard(folder: &Path, mut after: Option<BlobKey>, limit: usize, found: &mut Vec<StoredKey>) -> io::Result<()> {
    while found.len() < limit {
        let wanted = limit - found.len();
        let keys = least_keys(folder, after.as_ref(), wanted)?;
        let exhausted = keys.len() < wanted;
        after = keys.last().cloned().or(after);
        for key in keys {
            found.extend(describe(folder, key)?);
        }
        if exhausted {
            break;
        }
    }
    Ok(())
}

/// The first `wanted` keys of a folder behind `after`, in order. Other files are passed over.
fn least_keys(folder: &Path, after: Option<&BlobKey>, wanted: usize) -> io::Result<Vec<BlobKey>> {
    let mut least = BinaryHeap::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(key) = name.to_str().and_then(BlobKey::parse) else { continue };
        if after.is_none_or(|after| key > *after) && folder.ends_with(&key.as_str()[..2]) {
            least.push(key);
        }
        if least.len() > wanted {
            least.pop();
        }
    }
    Ok(least.into_sorted_vec())
}

/// A key with its size and age; `None` where it was deleted meanwhile.
fn describe(folder: &Path, key: BlobKey) -> io::Result<Option<StoredKey>> {
    match std::fs::metadata(folder.join(key.as_str())) {
        Ok(file) => Ok(Some(StoredKey { key, size: file.size(), modified: modified(&file) })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn modified(file: &Metadata) -> Timestamp {
    let millis = file.mtime().saturating_mul(1000).saturating_add(file.mtime_nsec() / 1_000_000);
    Timestamp::from_millis(millis)
}
