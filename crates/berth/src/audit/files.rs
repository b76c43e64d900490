//! Exported files against the chain: nothing removed, changed or added.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use berth_domain::Domain;
use berth_domain::audit_export::{DigestFile, Exported, LinkEnd, Pending, Previous, Scope};
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
    /// Files of records that have no digest file yet: whoever exports writes it next, or when it can.
    pub being_written: u64,
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

/// Checks all files below a folder; `seen` hears how many bytes were read. A server may export meanwhile.
pub async fn check(domain: &Domain, folder: &Path, seen: impl Fn(u64)) -> Result<Files, Failure> {
    let wrong = |error: io::Error| Failure::Usage(format!("--export: {} cannot be read: {error}", folder.display()));
    // What must be there is asked first: the files of this range and before were all there when the folder is looked at.
    let (settled, newest) = (domain.export_position().await?.done, domain.last_exports().await?);
    let (digests, mut logs) = list(folder).map_err(wrong)?;
    let pending = domain.pending_export().await?;
    let (mut found, mut known) = (Files::default(), Known::new());
    for path in digests {
        match open(folder, &path, &domain.audit_public_key()) {
            Ok((sha256, digest)) => {
                logs.remove(&digest.path);
                one(domain, folder, &digest, &mut found, &seen).await?;
                let scope = Scope { account: digest.account_id.clone(), region: digest.region.clone() };
                let own = (Previous { path: path.clone(), sha256 }, digest);
                known.entry(scope).or_default().insert((own.1.last.number, path), own);
            }
            Err(what) => found.add(&path, what),
        }
    }
    for path in &logs {
        if pending.as_ref().is_some_and(|pending| is_of(pending, path)) {
            found.being_written += 1;
            continue;
        }
        // It may have got its digest file after the folder was looked at.
        match open(folder, &digest_of(path), &domain.audit_public_key()) {
            Ok((_, digest)) => one(domain, folder, &digest, &mut found, &seen).await?,
            Err(_) => found.add(path, "has no digest file that is good"),
        }
    }
    for digests in known.values() {
        successions(digests, settled, &mut found);
    }
    for (scope, last) in newest {
        let is_there = known.get(&scope).is_some_and(|digests| digests.values().any(|(own, _)| *own == last));
        if !is_there {
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

/// Whether a file of records is one of a range.
fn is_of(pending: &Pending, path: &str) -> bool {
    let mut parts = path.split('/');
    let scope = parts.nth(1).zip(parts.nth(1)).and_then(|(account, region)| Scope::parse(account, region));
    scope.is_some_and(|scope| pending.place(&scope).records == path)
}

/// The path of the digest file of a file of records.
fn digest_of(path: &str) -> String {
    path.replace("CloudTrail", "CloudTrail-Digest").replace(".json.gz", ".json")
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
    let own = digest_of(&digest.path);
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
    for end in [&digest.behind, &digest.last] {
        if let Some(what) = against_chain(domain, end).await? {
            found.add(&digest.path, what);
        }
    }
    if is_gone(domain, digest.last.number).await? {
        found.older_than_the_chain += 1;
    }
    Ok(())
}

async fn against_chain(domain: &Domain, end: &LinkEnd) -> Result<Option<String>, Failure> {
    let number = end.number;
    if number == 0 {
        return Ok(None);
    }
    if let Some((hash, signature)) = domain.export_link(number).await? {
        let is_same = end.hash == hash && (end.signature.is_empty() || end.signature == signature);
        return Ok((!is_same).then(|| format!("names link {number}, which is another one in the chain")));
    }
    let is_gone = is_gone(domain, number).await?;
    Ok((!is_gone).then(|| format!("names link {number}, which the chain does not have")))
}

/// Whether the chain begins behind a link: its time is over.
async fn is_gone(domain: &Domain, number: u64) -> Result<bool, Failure> {
    Ok(domain.export_links_from().await?.is_none_or(|oldest| number < oldest))
}

/// Each digest file names the one before. The first one that is there may have had others before it. Of those behind the link
/// `settled` some may have come while the folder was looked at, and others not.
fn successions(digests: &Ordered, settled: u64, found: &mut Files) {
    let mut before: Option<&Previous> = None;
    for (own, digest) in digests.values() {
        if let Some(before) = before
            && digest.last.number <= settled
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
