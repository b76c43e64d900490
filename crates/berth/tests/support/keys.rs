//! Which keys of a bucket rows own, and which nobody does.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeSet;

use berth_testkit::seaweedfs::Seaweed;

/// Every key that a row owns.
const OWNED: &str = "SELECT storage_key FROM blobs WHERE storage_key IS NOT NULL UNION SELECT storage_key FROM uploads \
                     UNION SELECT tail_key FROM uploads WHERE tail_key IS NOT NULL";

/// What the bucket holds below a prefix: keys, without the folders before them.
pub fn stored(bucket: &Seaweed, prefix: &str) -> BTreeSet<String> {
    let names = bucket.objects(&format!("{prefix}/blobs"));
    names.iter().map(|name| name.rsplit('/').next().unwrap().to_owned()).collect()
}

/// What the bucket holds and no row owns. `query` asks the database.
pub fn unowned(bucket: &Seaweed, prefix: &str, query: impl Fn(&str) -> String) -> BTreeSet<String> {
    // Rows are asked for last: a key has its row before it has bytes.
    let stored = stored(bucket, prefix);
    let owned: BTreeSet<String> = query(OWNED).lines().map(str::to_owned).collect();
    stored.difference(&owned).cloned().collect()
}
