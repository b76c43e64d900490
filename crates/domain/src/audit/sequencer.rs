//! The sequencer: one node at a time takes the rows that are in no link yet, and makes the next link of them.
//!
//! No writer waits for it. That there is one is a matter of thrift; that no two links have one number, of the table's key: the
//! link of a sequencer that lost its lease without noticing conflicts, and its transaction is undone.

use std::time::Duration;

use berth_store::audit::{self as store, LinkRecord};
use berth_store::{StoreError, Timestamp, Transaction, leases, properties};

use super::chain::{self, Anchor, Head};
use crate::Domain;
use crate::error::Error;

/// How many rows a link takes.
const ROWS_IN_LINK: u64 = 1000;
/// How long a sequencer that died is waited for.
const LEASE: Duration = Duration::from_secs(3);
/// The property that says what retention has taken.
pub(super) const ANCHOR: &str = "audit_anchor";

/// What one step of the sequencer did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chained {
    /// How many rows it chained.
    pub rows: u64,
    /// Whether more may wait.
    pub is_full: bool,
    /// The latest link, whoever made it.
    pub head: Option<Head>,
}

/// A link that is to be written, with the ids of its rows.
pub(super) struct Planned {
    link: LinkRecord,
    ids: Vec<String>,
}

/// Why a step was undone.
#[derive(Debug)]
pub(super) enum Undone {
    /// Somebody else is or was the sequencer.
    Lost,
    /// Something failed.
    Failed(Error),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Domain {
    /// One step of the sequencer: makes a link of the earliest rows that are in none, unless another node does.
    pub async fn chain_audit(&self) -> Result<Chained, Error> {
        let (planned, latest) = self.plan_link().await?;
        let nothing = Chained { rows: 0, is_full: false, head: latest };
        let Some(planned) = planned else { return Ok(nothing) };
        let (head, rows) = (Head::of(&planned.link), planned.link.row_count);
        if !self.write_link(planned).await? {
            return Ok(nothing);
        }
        Ok(Chained { rows, is_full: rows == ROWS_IN_LINK, head: Some(head) })
    }

    /// Whether rows are in no link yet whose latest record is from before a moment: another node chains, or nobody does.
    pub async fn audit_is_behind(&self, before: Timestamp) -> Result<bool, Error> {
        let read = self.database.read(move |txn| Ok::<_, Error>(store::unchained_since(txn, before, 1)? > 0));
        read.await
    }

    /// The next link, where there are rows for it and no other node is the sequencer; and the latest link that there is.
    pub(super) async fn plan_link(&self) -> Result<(Option<Planned>, Option<Head>), Error> {
        let (now, node, public) = (self.clock.now(), self.node.clone(), self.audit_public_key());
        let read = self.database.read(move |txn| {
            let last = store::last_link(txn)?;
            let is_others = leases::holder(txn, leases::AUDIT, now)?.is_some_and(|holder| holder != node);
            let rows = if is_others { Vec::new() } else { store::unchained(txn, ROWS_IN_LINK)? };
            Ok::<_, Error>((last, anchor(txn, &public)?, rows))
        });
        let (last, anchor, rows) = read.await?;
        let latest = last.as_ref().map(Head::of);
        if rows.is_empty() {
            return Ok((None, latest));
        }
        let anchor = anchor.unwrap_or_default();
        let (number, hash) = match &last {
            Some(last) if last.number >= anchor.number => (last.number, last.hash.as_slice()),
            _ => (anchor.number, anchor.hash.as_slice()),
        };
        // Numbers never come back, so there is no last one to be reached.
        let link = chain::link((hash, number.saturating_add(1)), now, &rows, &self.node, &self.audit_key);
        let ids = rows.into_iter().map(|row| row.id).collect();
        Ok((Some(Planned { link, ids }), latest))
    }

    /// Writes a link with its rows; `false` where this node is not the sequencer, or was not when it planned the link.
    pub(super) async fn write_link(&self, planned: Planned) -> Result<bool, Error> {
        let (now, node) = (self.clock.now(), self.node.clone());
        let written = self.database.unrecorded().write(move |txn| {
            let Planned { link, ids } = &planned;
            if !take_lease(txn, &node, now)? || !store::insert_link(txn, link)? {
                return Err(Undone::Lost);
            }
            if store::place(txn, link.number, ids)? == link.row_count { Ok(()) } else { Err(Undone::Lost) }
        });
        settle(written.await)
    }
}

/// Becomes the sequencer, or stays it; `false` where another node is.
pub(super) fn take_lease(txn: &mut dyn Transaction, node: &str, now: Timestamp) -> Result<bool, StoreError> {
    leases::take(txn, leases::AUDIT, node, now, now.after(LEASE))
}

/// Whether a step was done.
pub(super) fn settle(written: Result<(), Undone>) -> Result<bool, Error> {
    match written {
        Ok(()) => Ok(true),
        Err(Undone::Lost) => Ok(false),
        Err(Undone::Failed(error)) => Err(error),
    }
}

/// What retention has taken; `None` where what says so is not signed by the key.
pub(super) fn anchor(txn: &mut dyn Transaction, public: &[u8; 32]) -> Result<Option<Anchor>, StoreError> {
    let sealed = properties::get(txn, ANCHOR)?;
    Ok(sealed.map_or_else(|| Some(Anchor::default()), |sealed| Anchor::open(&sealed, public)))
}
