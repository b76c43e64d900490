//! Exported files of the audit trail, read and followed from one to the next by themselves: no database says what they are.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use berth_domain::audit_export::{DigestFile, Exported};
use berth_testkit::{Server, sha256, tree_files};
use flate2::read::GzDecoder;
use serde_json::Value;

/// What the files of a folder hold.
#[derive(Debug, Default)]
pub struct Files {
    /// The ids of the records of each account, in the order of its files.
    pub ids: BTreeMap<String, Vec<String>>,
    /// Files of records that have their digest file.
    pub whole: usize,
    /// Files of records that have none yet.
    pub alone: usize,
    /// Files that are being written.
    pub parts: usize,
}

/// A digest file: its name, the hash of its bytes, and what it says.
type Digest = (String, String, Exported);

/// Reads a folder. Every file that has its name is whole, and every digest file is signed by the key (in hexadecimal), says what is in
/// its file, and follows the one before it of its account.
pub fn read(folder: &Path, public_key: &str) -> Files {
    let key: [u8; 32] = hex::decode(public_key.trim()).unwrap().try_into().unwrap();
    let (mut found, mut logs) = (Files::default(), BTreeSet::new());
    let mut accounts: BTreeMap<String, BTreeMap<u64, Digest>> = BTreeMap::new();
    for path in tree_files(folder) {
        let end = path.extension().unwrap_or_default();
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        if name == "filling" {
            continue;
        }
        if end == "part" {
            found.parts += 1;
        } else if end == "gz" {
            logs.insert(name);
        } else {
            let bytes = fs::read(&path).unwrap();
            let digest = DigestFile::open(&bytes, &key).unwrap_or_else(|error| panic!("{name} {error}")).digest;
            let own = accounts.entry(digest.account_id.clone()).or_default();
            own.insert(digest.last.number, (name, hash(&bytes), digest));
        }
    }
    for (account, digests) in accounts {
        let mut before: Option<&Digest> = None;
        for own in digests.values() {
            let digest = &own.2;
            follows(own, before);
            let bytes = fs::read(folder.join(&digest.path)).unwrap_or_else(|error| panic!("{}: {error}", digest.path));
            let ids = ids(&bytes);
            assert_eq!((&digest.sha256, digest.records), (&hash(&bytes), ids.len() as u64), "{}", digest.path);
            logs.remove(&digest.path);
            found.ids.entry(account.clone()).or_default().extend(ids);
            found.whole += 1;
            before = Some(own);
        }
    }
    for alone in &logs {
        let _ = ids(&fs::read(folder.join(alone)).unwrap());
    }
    found.alone = logs.len();
    found
}

fn follows((name, _, digest): &Digest, before: Option<&Digest>) {
    let previous = digest.previous.as_ref().map(|previous| (&previous.path, &previous.sha256));
    assert_eq!(previous, before.map(|(name, hash, _)| (name, hash)), "{name} follows another one");
    let end = before.map_or(0, |(_, _, digest)| digest.last.number);
    assert!(digest.behind.number >= end && digest.last.number > digest.behind.number, "{digest:?} after {end}");
    assert!(digest.doubtful.is_empty(), "{digest:?}");
}

/// Verifies the chain and the files beside each other by the command; there is nothing to be said of either.
pub fn verify(server: &Server, folder: &Path) {
    let verified = server.berth(&["audit", "verify", "--export", &folder.display().to_string()]);
    assert_eq!(verified.code, Some(0), "{verified:?}\n{:#?}", tree_files(folder));
}

/// The key that signatures are verified with.
pub fn public_key(server: &Server) -> String {
    let told = server.berth(&["audit", "public-key"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    told.stdout
}

fn hash(bytes: &[u8]) -> String {
    sha256(bytes).strip_prefix("sha256:").unwrap().to_owned()
}

fn ids(compressed: &[u8]) -> Vec<String> {
    let mut text = String::new();
    GzDecoder::new(compressed).read_to_string(&mut text).unwrap();
    let tree: Value = serde_json::from_str(&text).unwrap();
    tree["Records"].as_array().unwrap().iter().map(|record| record["eventID"].as_str().unwrap().to_owned()).collect()
}
