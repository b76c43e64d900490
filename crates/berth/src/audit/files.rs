//! Exported files against the chain: nothing removed, changed or added.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use berth_domain::Domain;
use berth_domain::audit_export::{DigestFile, Exported, LinkEnd, Previous, Scope};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::public_key::hexadecimal;
use crate::failure::Failure;

/// More than any digest file has.
const LONGEST_DIGEST: u64 = 1024 * 1024;
const PIECE: usize = 256 * 1024;

/// What the files of a folder are worth.
#[derive(Debug, Default, Serialize)]
pub struct Files {
    /// Files of records that are what their digest files say.
    #[serde(rename = "files")]
    pub good: u64,
    /// Records in them.
    pub records: u64,
    /// Files of links that the database does not hold any more: only their signatures were checked.
    pub older_than_the_chain: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Something that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its path below the folder.
    pub path: String,
    /// What is wrong.
    pub what: String,
}

/// The digest files of one account and region, by their last links.
type Ordered = BTreeMap<(u64, String), (Previous, Exported)>;
type Known = BTreeMap<Scope, Ordered>;

/// Checks all files below a folder; `seen` hears how many bytes were read.
pub async fn check(domain: &Domain, folder: &Path, seen: impl Fn(u64)) -> Result<Files, Failure> {
    let wrong = |error: io::Error| Failure::Usage(format!("--export: {} cannot be read: {error}", folder.display()));
    let (digests, mut logs) = list(folder).map_err(wrong)?;
    let (mut found, mut known) = (Files::default(), Known::new());
    let oldest = domain.export_links_from().await?;
    for path in digests {
        let sha256 = match open(folder, &path, &domain.audit_public_key()) {
            Ok((sha256, digest)) => {
                logs.remove(&digest.path);
                one(domain, folder, &digest, oldest, &mut found, &seen).await?;
                let scope = Scope { account: digest.account_id.clone(), region: digest.region.clone() };
                let previous = Previous { path: path.clone(), sha256 };
                known.entry(scope).or_default().insert((digest.last.number, path), (previous, digest));
                continue;
            }
            Err(what) => what,
        };
        found.add(&path, sha256);
    }
    for path in &logs {
        found.add(path, "has no digest file that is good");
    }
    for digests in known.values() {
        successions(digests, &mut found);
    }
    for (scope, last) in domain.last_exports().await? {
        let newest = known.get(&scope).and_then(|digests| digests.values().next_back());
        if newest.is_none_or(|(newest, _)| *newest != last) {
            let Scope { account, region } = &scope;
            found.add(
                &last.path,
                format!("is missing or was changed: it is the newest of account {account} in {region}"),
            );
        }
    }
    found.findings.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

impl Files {
    fn add(&mut self, path: &str, what: impl Into<String>) {
        self.findings.push(Finding { path: path.to_owned(), what: what.into() });
    }
}

/// The digest files and the files of records below a folder, as paths below it.
fn list(folder: &Path) -> io::Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut digests, mut logs, mut waiting) = (BTreeSet::new(), BTreeSet::new(), vec![PathBuf::new()]);
    while let Some(below) = waiting.pop() {
        for entry in fs::read_dir(folder.join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                waiting.push(path);
                continue;
            }
            let text = path.display().to_string();
            if text.contains("/CloudTrail-Digest/") && has_end(&text, ".json") {
                digests.insert(text);
            } else if text.contains("/CloudTrail/") && has_end(&text, ".json.gz") {
                logs.insert(text);
            }
        }
    }
    Ok((digests, logs))
}

fn has_end(text: &str, end: &str) -> bool {
    text.ends_with(end)
}

/// A digest file that is signed and lies where it belongs, and its hash.
fn open(folder: &Path, path: &str, public_key: &[u8; 32]) -> Result<(String, Exported), String> {
    let mut bytes = Vec::new();
    let read = File::open(folder.join(path)).and_then(|file| file.take(LONGEST_DIGEST).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    let digest = DigestFile::open(&bytes, public_key)?.digest;
    let own = digest.path.replace("CloudTrail", "CloudTrail-Digest").replace(".json.gz", ".json");
    if own != path {
        return Err(format!("does not lie where it belongs, {own}"));
    }
    Ok((hexadecimal(&Sha256::digest(&bytes)), digest))
}

/// Checks one file of records, and what its digest says of the chain.
async fn one(
    domain: &Domain,
    folder: &Path,
    digest: &Exported,
    oldest: Option<u64>,
    found: &mut Files,
    seen: &impl Fn(u64),
) -> Result<(), Failure> {
    match hash(&folder.join(&digest.path), seen) {
        Ok(hash) if hash == digest.sha256 => {
            found.good += 1;
            found.records += digest.records;
        }
        Ok(_) => found.add(&digest.path, "was changed: its bytes are not those of its digest file"),
        Err(error) => found.add(&digest.path, format!("is missing or cannot be read: {error}")),
    }
    if !digest.doubtful.is_empty() {
        let links = &digest.doubtful;
        found.add(&digest.path, format!("was written from links that had been changed before: {links:?}"));
    }
    if oldest.is_none_or(|oldest| digest.last.number < oldest) {
        found.older_than_the_chain += 1;
        return Ok(());
    }
    for end in [&digest.behind, &digest.last] {
        if let Some(what) = against_chain(domain, end, oldest).await? {
            found.add(&digest.path, what);
        }
    }
    Ok(())
}

async fn against_chain(domain: &Domain, end: &LinkEnd, oldest: Option<u64>) -> Result<Option<String>, Failure> {
    let number = end.number;
    if number == 0 || oldest.is_none_or(|oldest| number < oldest) {
        return Ok(None);
    }
    let Some((hash, signature)) = domain.export_link(number).await? else {
        return Ok(Some(format!("names link {number}, which the chain does not have")));
    };
    let is_same = end.hash == hash && (end.signature.is_empty() || end.signature == signature);
    Ok((!is_same).then(|| format!("names link {number}, which is another one in the chain")))
}

/// Each digest file names the one before. The first one that is there may have had others before it.
fn successions(digests: &Ordered, found: &mut Files) {
    let mut before: Option<&Previous> = None;
    for (own, digest) in digests.values() {
        if let Some(before) = before
            && digest.previous.as_ref() != Some(before)
        {
            found.add(
                &own.path,
                format!("does not follow {}: a file between them is missing, or one was changed", before.path),
            );
        }
        before = Some(own);
    }
}

fn hash(path: &Path, seen: &impl Fn(u64)) -> io::Result<String> {
    let (mut file, mut hasher, mut piece) = (File::open(path)?, Sha256::new(), vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hexadecimal(&hasher.finalize()));
        }
        hasher.update(piece.get(..read).unwrap_or_default());
        seen(read as u64);
    }
}
