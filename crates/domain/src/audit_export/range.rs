//! Which records are written next, and by whom they were caused: rows of whole links, in the order of the chain.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};

use berth_store::Timestamp;
use berth_store::audit::{self, ChainedRow, LinkRecord};
use flate2::write::GzEncoder;
use flate2::{Compression, read::GzDecoder};
use ring::digest::{SHA256, digest};
use serde::Deserialize;

use super::{DigestFile, Exported, LinkEnd, Place, Position, Scope, Sealed};
use crate::Domain;
use crate::error::Error;

/// Rows read at once.
const PAGE: u64 = 100;
/// A place that no row of a link has.
const LAST_PLACE: u64 = u64::MAX / 2 - 1;
/// The most that the records of one row may have, in bytes: far more than the queue puts into one.
const MOST_OF_A_ROW: u64 = 256 * 1024 * 1024;

/// The records of a range of links.
pub struct Batch {
    behind: LinkEnd,
    last: LinkRecord,
    doubtful: BTreeSet<u64>,
    /// The records by account and region.
    pub files: BTreeMap<Scope, Gathered>,
}

/// Records of one account and region, being compressed.
pub struct Gathered {
    writer: GzEncoder<Vec<u8>>,
    records: u64,
}

/// What of a record says where it belongs.
#[derive(Deserialize)]
struct Belongs {
    #[serde(rename = "recipientAccountId", default)]
    account: String,
    #[serde(rename = "awsRegion", default)]
    region: String,
}

impl Batch {
    /// The last link of the range.
    pub const fn last(&self) -> u64 {
        self.last.number
    }

    /// The links whose rows do not have the digests that were chained.
    pub fn doubtful(&self) -> impl Iterator<Item = u64> {
        self.doubtful.iter().copied()
    }
}

// Writing into memory does not fail.
impl Gathered {
    /// How many records it has.
    pub const fn records(&self) -> u64 {
        self.records
    }

    fn new() -> Self {
        // No time and no name in the header: the same records give the same bytes.
        let mut writer = GzEncoder::new(Vec::new(), Compression::default());
        let _ = writer.write_all(b"{\"Records\":[");
        Self { writer, records: 0 }
    }

    fn push(&mut self, line: &[u8]) {
        let comma: &[u8] = if self.records == 0 { b"" } else { b"," };
        self.records += 1;
        let _ = self.writer.write_all(comma).and_then(|()| self.writer.write_all(line));
    }

    fn finish(mut self) -> (Vec<u8>, u64) {
        let _ = self.writer.write_all(b"]}");
        (self.writer.finish().unwrap_or_default(), self.records)
    }
}

impl Domain {
    /// The records behind a position: of whole links, until their rows have `size` bytes or the planned link is reached. `None` where
    /// nothing is chained behind it.
    pub async fn gather_export(&self, position: Position, size: u64) -> Result<Option<Batch>, Error> {
        let planned = (position.planned > position.done).then_some(position.planned);
        let newest = self.database.read(|txn| Ok::<_, Error>(audit::last_link(txn)?)).await?;
        let Some(newest) = newest.map(|link| link.number).filter(|newest| *newest > position.done) else {
            return Ok(None);
        };
        let until = planned.unwrap_or(newest);
        let (mut files, mut doubtful) = (BTreeMap::new(), BTreeSet::new());
        let (mut at, mut bytes, mut latest) = ((position.done, Some(LAST_PLACE)), 0, None);
        'rows: loop {
            let rows = self.export_rows(at).await?;
            if rows.is_empty() {
                // Nothing but links is left, so that the next range begins behind them.
                at.0 = until;
                break;
            }
            for row in rows {
                let is_full = planned.is_none() && bytes >= size && at.0 > position.done;
                if row.link > until || (row.link > at.0 && is_full) {
                    break 'rows;
                }
                bytes += row.row.payload.as_ref().map_or(0, Vec::len) as u64;
                (at, latest) = ((row.link, Some(row.place)), Some(row.row.digested.last_at));
                if !self.sort(row, &mut files) {
                    doubtful.insert(at.0);
                }
            }
        }
        let end = planned.unwrap_or(at.0);
        if end == position.done {
            return Ok(None);
        }
        let (behind, last) = self.export_links(position.done, end).await?;
        // A link that somebody took away is told of, and does not hold up what comes behind it.
        let last = last.unwrap_or_else(|| {
            doubtful.insert(end);
            missing(end, latest.unwrap_or(Timestamp::from_millis(0)))
        });
        Ok(Some(Batch { behind, last, doubtful, files }))
    }

    /// The place of a scope's files, the compressed records and their digest file. `None` where another process has moved on from
    /// the position `planned` meanwhile: its digest file would be taken for the one before itself, and records that are in files
    /// already may be gone from the batch.
    pub async fn seal_export(
        &self,
        batch: &Batch,
        planned: Position,
        scope: &Scope,
        gathered: Gathered,
    ) -> Result<Option<(Place, Vec<u8>, Sealed)>, Error> {
        let Some(previous) = self.export_before(planned, scope).await? else { return Ok(None) };
        let (bytes, records) = gathered.finish();
        let (behind, last) = (batch.behind.clone(), &batch.last);
        let place = scope.place((behind.number + 1, last.number), last.chained_at, &last.hash);
        let digest = Exported {
            version: 1,
            account_id: scope.account.clone(),
            region: scope.region.clone(),
            path: place.records.clone(),
            sha256: hex::encode(digest(&SHA256, &bytes)),
            records,
            behind,
            last: LinkEnd {
                number: last.number,
                hash: hex::encode(&last.hash),
                signature: hex::encode(&last.signature),
            },
            doubtful: batch.doubtful.iter().copied().collect(),
            previous,
        };
        let sealed = DigestFile::seal(digest, &self.audit_public_key(), |bytes| self.audit_key.sign(bytes));
        Ok(Some((place, bytes, sealed)))
    }

    async fn export_rows(&self, at: (u64, Option<u64>)) -> Result<Vec<ChainedRow>, Error> {
        let read = self.database.read(move |txn| audit::chained_after(txn, at, PAGE).map_err(Error::from));
        read.await
    }

    /// The link before the range, and the last of it.
    async fn export_links(&self, done: u64, last: u64) -> Result<(LinkEnd, Option<LinkRecord>), Error> {
        let read = self.database.read(move |txn| {
            let link = |txn: &mut dyn berth_store::Transaction, number: u64| {
                let Some(before) = number.checked_sub(1) else { return Ok::<_, Error>(None) };
                let found = audit::links_after(txn, before, 1)?.into_iter().next();
                Ok(found.filter(|link| link.number == number))
            };
            let hash = link(txn, done)?.map(|link| hex::encode(link.hash)).unwrap_or_default();
            Ok((LinkEnd { number: done, hash, signature: String::new() }, link(txn, last)?))
        });
        read.await
    }

    /// Puts each record of a row into the file that it belongs to; whether the row is the one that was chained.
    fn sort(&self, row: ChainedRow, files: &mut BTreeMap<Scope, Gathered>) -> bool {
        let Some(payload) = row.row.payload else { return true };
        let is_whole = digest(&SHA256, &payload).as_ref() == row.row.digested.digest.as_slice();
        let Ok(lines) = lines(&row.row.encoding, payload) else { return false };
        let mut all_readable = true;
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let Ok(record) = serde_json::from_slice::<Belongs>(line) else {
                all_readable = false;
                continue;
            };
            let scope = Scope::parse(&record.account, &record.region).unwrap_or_else(|| self.home_scope());
            files.entry(scope).or_insert_with(Gathered::new).push(line);
        }
        is_whole && all_readable
    }

    /// Where records go that belong to no account.
    fn home_scope(&self) -> Scope {
        let home = &self.home;
        Scope { account: home.account.as_str().to_owned(), region: home.region.as_str().to_owned() }
    }
}

/// The records of a row, one in a line.
fn lines(encoding: &str, payload: Vec<u8>) -> std::io::Result<Vec<u8>> {
    if encoding != "gzip" {
        return Ok(payload);
    }
    let mut lines = Vec::new();
    GzDecoder::new(payload.as_slice()).take(MOST_OF_A_ROW).read_to_end(&mut lines)?;
    Ok(lines)
}

/// What stands for a link that is not there: its time is that of its latest record.
fn missing(number: u64, chained_at: Timestamp) -> LinkRecord {
    let (hash, signature, holder) = (Vec::new(), Vec::new(), String::new());
    LinkRecord { number, chained_at, row_count: 0, hash, signature, holder }
}
