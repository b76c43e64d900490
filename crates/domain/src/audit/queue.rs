//! Records of what wrote nothing wait here, and are written many at a time. What a crash finds here is lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use berth_aws::AccountId;
use berth_store::audit::{self as store, AuditRow};
use berth_store::{StoreError, Timestamp};
use tokio::sync::Notify;

use super::call;
use super::id::Ids;
use super::rows::{Batch, READ, REFUSAL};
use crate::Domain;
use crate::error::Error;

/// As many records wait.
const MOST_RECORDS: usize = 64 * 1024;
/// As many bytes wait, about.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// The most that one row holds.
pub(super) const RECORDS_IN_ROW: usize = 2000;
/// The longest time between the first and the last record of a row, so that a search need not look further.
pub(super) const LONGEST_SPAN: Duration = Duration::from_secs(5);
/// How often a full queue is warned about.
const WARNED_EVERY: Duration = Duration::from_mins(1);

/// One record that is not written yet.
pub(super) struct Entry {
    /// A line with its end.
    pub(super) line: Vec<u8>,
    pub(super) at: Timestamp,
    pub(super) is_read: bool,
}

impl Entry {
    /// About so many bytes of memory.
    fn size(&self) -> usize {
        size_of::<Self>() + self.line.capacity()
    }
}

/// The queue.
pub(crate) struct Queue {
    /// The account that lost records are told to.
    home: AccountId,
    ids: Ids,
    waiting: Mutex<Waiting>,
    filled: Notify,
    reads: AtomicU64,
    /// One writes at a time, so that rows are written in order and what is put back is not lost.
    emptying: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    bytes: usize,
    lost: u64,
    warned_at: Option<Timestamp>,
}

impl Queue {
    /// An empty one. `start` is random.
    pub(crate) fn new(home: AccountId, start: [u8; 16]) -> Self {
        let (waiting, filled, emptying) = Default::default();
        Self { home, ids: Ids::new(start), waiting, filled, reads: AtomicU64::new(0), emptying }
    }

    /// The id of the next record.
    pub(super) fn next_id(&self, at: Timestamp) -> String {
        self.ids.next(at)
    }

    /// Whether the next read is one of those to be recorded.
    pub(super) fn takes_read(&self, per_million: u32) -> bool {
        match per_million {
            0 => false,
            1_000_000.. => true,
            share => {
                // Steps of the golden ratio spread any share evenly.
                let nth = self.reads.fetch_add(1, Ordering::Relaxed);
                nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) / (u64::MAX / 1_000_000) < u64::from(share)
            }
        }
    }

    /// Puts a record in; one that finds no room is dropped, counted and warned about.
    pub(super) fn push(&self, entry: Entry) {
        let (size, at) = (entry.size(), entry.at);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.entries.len() >= MOST_RECORDS || waiting.bytes + size > MOST_BYTES {
            waiting.lost += 1;
            let is_due = waiting.warned_at.is_none_or(|warned| warned.after(WARNED_EVERY) <= at);
            if is_due {
                waiting.warned_at = Some(at);
            }
            drop(waiting);
            return lost(is_due);
        }
        waiting.bytes += size;
        waiting.entries.push(entry);
        let is_full = waiting.entries.len() == RECORDS_IN_ROW;
        drop(waiting);
        if is_full {
            self.filled.notify_one();
        }
    }

    fn take(&self, now: Timestamp) -> Taken {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.bytes = 0;
        let lost = std::mem::take(&mut waiting.lost);
        let mut entries = std::mem::take(&mut waiting.entries);
        drop(waiting);
        if lost > 0 {
            let line = call::loss(lost, &self.next_id(now), now, &self.home);
            entries.push(Entry { line, at: now, is_read: false });
        }
        Taken { entries, lost }
    }

    /// Puts back what could not be written, as far as there is room; what was lost stays counted.
    fn put_back(&self, taken: Taken) {
        let Taken { mut entries, lost } = taken;
        if lost > 0 {
            entries.pop();
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = 0;
        for entry in std::mem::replace(&mut waiting.entries, entries) {
            if waiting.entries.len() < MOST_RECORDS {
                waiting.entries.push(entry);
            } else {
                dropped += 1;
            }
        }
        waiting.bytes = waiting.entries.iter().map(Entry::size).sum();
        waiting.lost += lost + dropped;
        metrics::counter!("berth_audit_dropped_total").increment(dropped);
    }
}

fn lost(is_due: bool) {
    metrics::counter!("berth_audit_dropped_total").increment(1);
    if is_due {
        tracing::warn!("records of calls are lost: the database does not take them as fast as they come");
    }
}

struct Taken {
    entries: Vec<Entry>,
    lost: u64,
}

impl Domain {
    /// Writes what waits in the queue into rows. What could not be written waits on.
    pub async fn flush_audit(&self) -> Result<(), Error> {
        let _emptying = self.audit.emptying.lock().await;
        let taken = self.audit.take(self.clock.now());
        if taken.entries.is_empty() {
            return Ok(());
        }
        let (domain, now) = (self.clone(), self.clock.now());
        let made = tokio::task::spawn_blocking(move || {
            let rows = rows_of(&taken.entries, || domain.audit.next_id(now));
            (taken, rows)
        });
        let (taken, rows) = made.await.map_err(|_| StoreError::Panicked)?;
        let written = match rows {
            Ok(rows) => self.write_rows(rows).await,
            Err(error) => Err(error.into()),
        };
        written.inspect_err(|_| self.audit.put_back(taken))
    }

    async fn write_rows(&self, rows: Vec<AuditRow>) -> Result<(), Error> {
        let write = self
            .database
            .unrecorded()
            .write(move |txn| rows.iter().try_for_each(|row| store::insert(txn, row)).map_err(Error::from));
        write.await
    }

    /// Waits until a row's worth of records is in the queue.
    pub async fn audit_filled(&self) {
        self.audit.filled.notified().await;
    }
}

/// The rows of waiting records: reads apart, because they are forgotten sooner.
fn rows_of(entries: &[Entry], next_id: impl Fn() -> String) -> Result<Vec<AuditRow>, StoreError> {
    let mut rows = Vec::new();
    for kind in [REFUSAL, READ] {
        let of_kind: Vec<&Entry> = entries.iter().filter(|entry| entry.is_read == (kind == READ)).collect();
        for some in pieces(&of_kind) {
            let times = || some.iter().map(|entry| entry.at);
            let Some(span) = times().min().zip(times().max()) else { continue };
            let mut batch = Batch::new();
            for entry in some {
                batch.push(&entry.line)?;
            }
            rows.push(batch.finish(next_id(), kind, span)?);
        }
    }
    Ok(rows)
}

/// Cut so that no piece has too many records or reaches over too long a time.
fn pieces<'e, 'a>(entries: &'a [&'e Entry]) -> Vec<&'a [&'e Entry]> {
    let mut pieces = Vec::new();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let (least, most) = (first.at.before(LONGEST_SPAN / 2), first.at.after(LONGEST_SPAN / 2));
        let fits = |entry: &&Entry| entry.at >= least && entry.at <= most;
        let length = rest.iter().take(RECORDS_IN_ROW).take_while(|entry| fits(entry)).count().max(1);
        let (piece, others) = rest.split_at(length);
        pieces.push(piece);
        rest = others;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue() -> Queue {
        Queue::new(AccountId::parse("000000000000").unwrap(), [0; 16])
    }

    fn at(millis: i64) -> Entry {
        Entry { line: b"{}\n".to_vec(), at: Timestamp::from_millis(millis), is_read: false }
    }

    #[test]
    fn what_finds_no_room_is_counted_and_said() {
        let queue = queue();
        (0..MOST_RECORDS + 3).for_each(|_| queue.push(at(0)));
        let taken = queue.take(Timestamp::from_millis(9));
        assert_eq!((taken.entries.len(), taken.lost), (MOST_RECORDS + 1, 3));
        let text = std::str::from_utf8(&taken.entries.last().unwrap().line).unwrap();
        assert!(text.contains(r#""additionalEventData":{"records":3}"#), "{text}");
        queue.push(at(1));
        queue.put_back(taken);
        let again = queue.take(Timestamp::from_millis(9));
        assert_eq!((again.entries.len(), again.lost), (MOST_RECORDS + 1, 4));
    }

    #[test]
    fn a_row_has_so_many_records_and_reaches_over_so_long() {
        let entries: Vec<Entry> = (0..4500).map(|nth| at(i64::from(nth >= 4400) * 60_000)).collect();
        let borrowed: Vec<&Entry> = entries.iter().collect();
        let lengths: Vec<usize> = pieces(&borrowed).iter().map(|piece| piece.len()).collect();
        assert_eq!(lengths, [2000, 2000, 400, 100]);
    }

    #[test]
    fn a_share_of_reads_is_taken() {
        let queue = queue();
        let taken = (0..100_000).filter(|_| queue.takes_read(100_000)).count();
        assert!((9_900..10_100).contains(&taken), "{taken}");
        assert!(!queue.takes_read(0) && queue.takes_read(1_000_000));
    }
}
