//! Rows: records with their digest, and how many records share one.

use std::io::{BufWriter, Read as _, Write as _};

use berth_store::audit::{AuditRow, Digested};
use berth_store::{StoreError, Timestamp};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ring::digest::{SHA256, digest};

/// Written in the transaction of a change.
pub(super) const CHANGE: &str = "change";
/// What was not done, and whatever else came through the queue that is no answered read.
pub(super) const REFUSAL: &str = "refusal";
/// Reads that were answered.
pub(super) const READ: &str = "read";

const PLAIN: &str = "json";
const COMPRESSED: &str = "gzip";
/// More than any batch that is written: what a row makes of itself is bounded, whoever wrote it.
const LONGEST: u64 = 128 * 1024 * 1024;

/// The row of one record.
pub(super) fn change(id: String, at: Timestamp, payload: Vec<u8>) -> AuditRow {
    row(id, CHANGE, (at, at), 1, PLAIN, payload)
}

/// The compressor clears a buffer of 32 KiB each time that it gets something.
const GIVEN_AT_ONCE: usize = 64 * 1024;

/// The row of many records while they come. They never lie anywhere all together.
pub(super) struct Batch {
    records: u64,
    /// Fast rather than small: this is done for every read.
    lines: BufWriter<GzEncoder<Vec<u8>>>,
}

impl Batch {
    pub(super) fn new() -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::fast());
        Self { records: 0, lines: BufWriter::with_capacity(GIVEN_AT_ONCE, encoder) }
    }

    /// Takes a record: a line with its end.
    pub(super) fn push(&mut self, line: &[u8]) -> Result<(), StoreError> {
        self.records += 1;
        self.lines.write_all(line).map_err(|error| corrupt(&error.to_string()))
    }

    pub(super) fn finish(
        self,
        id: String,
        kind: &'static str,
        span: (Timestamp, Timestamp),
    ) -> Result<AuditRow, StoreError> {
        let encoder = self.lines.into_inner().map_err(|error| corrupt(&error.to_string()))?;
        let payload = encoder.finish().map_err(|error| corrupt(&error.to_string()))?;
        Ok(row(id, kind, span, self.records, COMPRESSED, payload))
    }
}

fn row(
    id: String,
    kind: &str,
    (first_at, last_at): (Timestamp, Timestamp),
    records: u64,
    encoding: &str,
    payload: Vec<u8>,
) -> AuditRow {
    let digest = sha256(&payload);
    let digested = Digested { id, kind: kind.to_owned(), first_at, last_at, records, digest };
    AuditRow { digested, encoding: encoding.to_owned(), payload: Some(payload) }
}

/// The SHA-256 of bytes.
pub(super) fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// The records of a row, one line each; `None` where retention took them.
pub(super) fn lines(row: &AuditRow) -> Result<Option<String>, StoreError> {
    let Some(payload) = &row.payload else { return Ok(None) };
    let bytes = match row.encoding.as_str() {
        PLAIN => payload.clone(),
        COMPRESSED => {
            let mut bytes = Vec::new();
            let read = GzDecoder::new(payload.as_slice()).take(LONGEST).read_to_end(&mut bytes);
            read.map_err(|error| corrupt(&error.to_string()))?;
            bytes
        }
        other => return Err(corrupt(&format!("it is written in the unknown way {other}"))),
    };
    String::from_utf8(bytes).map(Some).map_err(|_| corrupt("it is no text"))
}

fn corrupt(reason: &str) -> StoreError {
    StoreError::Corrupt { entity: "audit_rows", reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_from_a_batch() {
        let at = Timestamp::from_millis(5);
        let mut batch = Batch::new();
        (0..1000).for_each(|_| batch.push(b"{\"a\":1}\n").unwrap());
        let mut row = batch.finish("id".to_owned(), READ, (at, at)).unwrap();
        assert_eq!(lines(&row).unwrap().unwrap(), "{\"a\":1}\n".repeat(1000));
        assert_eq!(row.digested.records, 1000);
        assert!(row.payload.as_ref().unwrap().len() < 200);
        row.payload = None;
        assert_eq!(lines(&row).unwrap(), None);
        row.payload = Some(vec![1, 2, 3]);
        assert!(lines(&row).is_err());
        row.encoding = "other".to_owned();
        assert!(lines(&row).is_err());
    }
}
