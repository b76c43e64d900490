//! Verifying the chain: every link against the one before, its rows and its signature, and every row against its payload.
//!
//! It reads page by page while the registry serves, and holds no more of the chain than one link's rows without their payloads.

use std::fmt;
use std::time::Duration;

use berth_store::audit::{self as store, ChainedRow, Digested, LinkRecord};

use super::chain::{self, Anchor, Head, LinkHash};
use super::rows::{READ, sha256};
use super::sequencer::anchor;
use crate::Domain;
use crate::error::Error;

/// Links read at once.
const LINKS: u64 = 100;
/// Rows read at once: their payloads may be large.
const ROWS: u64 = 50;
/// Rows of a link that are looked at in another order.
const MOST_REORDERED: usize = 10_000;
/// Findings that are told; of others, how many there are.
const MOST_FINDINGS: usize = 1000;
/// A row is chained within seconds. One that is not for so long was put there by somebody else, or nobody chains.
const LATE: Duration = Duration::from_mins(1);
/// Late rows are counted up to here.
const MOST_LATE: u64 = 1_000_000;

/// What verifying found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Links that were verified.
    pub links: u64,
    /// Their rows.
    pub rows: u64,
    /// The records in these.
    pub records: u64,
    /// Rows whose payload retention has taken.
    pub cleared: u64,
    /// The first link that there is.
    pub first: Option<u64>,
    /// The last link that there is.
    pub last: Option<u64>,
    /// What is wrong, in the order of the chain; at most a thousand.
    pub findings: Vec<Finding>,
    /// How many findings there are beyond these.
    pub more_findings: u64,
}

/// Something that is not as the registry wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Links are gone, from the first to the last of them.
    LinksRemoved {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
    },
    /// Rows of a link are gone.
    RowsRemoved {
        /// The link.
        link: u64,
        /// How many.
        rows: u64,
    },
    /// Rows were put into a link, or into one that there is not.
    RowsAdded {
        /// The link; `None` where there is no such link.
        link: Option<u64>,
        /// How many; 0 where they were not counted.
        rows: u64,
    },
    /// The payload of a row is not what the row says.
    RowChanged {
        /// The link.
        link: u64,
        /// The row's id.
        row: String,
    },
    /// The payload of a row is gone, and retention has not taken it.
    PayloadRemoved {
        /// The link.
        link: u64,
        /// The row's id.
        row: String,
    },
    /// A link, or what its rows say of themselves, is not what was chained.
    LinkChanged {
        /// The link.
        link: u64,
    },
    /// The rows of a link have changed places.
    Reordered {
        /// The link.
        link: u64,
    },
    /// A link is not signed by this registry's key.
    BadSignature {
        /// The link.
        link: u64,
    },
    /// What says where the chain begins is not signed by this registry's key.
    BadAnchor,
    /// Rows are in no link though they are more than a minute old.
    Unchained {
        /// How many.
        rows: u64,
    },
    /// The chain ends before, or is another one at, the link that was the latest once.
    Truncated {
        /// The last link that there is.
        last: Option<u64>,
        /// The link that the head names.
        head: u64,
    },
    /// The head that was kept outside of the database is not signed by this registry's key.
    BadHead,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinksRemoved { first, last } => write!(f, "links {first} to {last} were removed"),
            Self::RowsRemoved { link, rows } => write!(f, "{rows} rows of link {link} were removed"),
            Self::RowsAdded { link: Some(link), rows } => write!(f, "{rows} rows were added to link {link}"),
            Self::RowsAdded { link: None, .. } => f.write_str("rows were added to links that there are not"),
            Self::RowChanged { link, row } => write!(f, "row {row} of link {link} was changed"),
            Self::PayloadRemoved { link, row } => write!(f, "the records of row {row} of link {link} were removed"),
            Self::LinkChanged { link } => write!(f, "link {link} was changed"),
            Self::Reordered { link } => write!(f, "rows of link {link} were reordered"),
            Self::BadSignature { link } => write!(f, "link {link} is not signed by this registry"),
            Self::BadAnchor => f.write_str("the place where the chain begins is not signed by this registry"),
            Self::Unchained { rows } => write!(f, "{rows} rows are not chained, though they are older than a minute"),
            Self::Truncated { last: Some(last), head } => {
                write!(f, "the chain was cut: it ends at link {last}, and link {head} is not the one that there was")
            }
            Self::Truncated { last: None, head } => {
                write!(f, "the chain was cut: it is empty, and there was link {head}")
            }
            Self::BadHead => f.write_str("the kept head of the chain is not signed by this registry"),
        }
    }
}

impl AuditReport {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more_findings += 1;
        }
    }
}

/// How far verifying has come: the number and the hash of the last link.
struct Place {
    number: u64,
    hash: Vec<u8>,
}

impl Domain {
    /// Verifies the chain, and that it has not been cut behind `head`, the latest link that was seen at any time.
    pub async fn verify_audit(&self, head: Option<Head>) -> Result<AuditReport, Error> {
        let mut report = AuditReport::default();
        let anchor = self.anchor().await?;
        if anchor.is_none() {
            report.find(Finding::BadAnchor);
        }
        let anchor = anchor.unwrap_or_default();
        let mut place = Place { number: anchor.number, hash: anchor.hash.to_vec() };
        loop {
            let number = place.number;
            let links = self.database.read(move |txn| store::links_after(txn, number, LINKS).map_err(Error::from));
            let links = links.await?;
            if links.is_empty() {
                break;
            }
            for link in links {
                self.verify_link(link, &mut place, &mut report).await?;
            }
        }
        self.verify_end(head.as_ref(), &mut report).await?;
        Ok(report)
    }

    async fn anchor(&self) -> Result<Option<Anchor>, Error> {
        let public = self.audit_public_key();
        self.database.read(move |txn| anchor(txn, &public).map_err(Error::from)).await
    }

    async fn verify_link(&self, link: LinkRecord, place: &mut Place, report: &mut AuditReport) -> Result<(), Error> {
        let expected = place.number.saturating_add(1);
        let mut found = AuditReport::default();
        let follows = link.number == expected;
        if !follows {
            found.find(Finding::LinksRemoved { first: expected, last: link.number.saturating_sub(1) });
        }
        // Behind a gap, nobody knows what the link followed: its own rows are still checked.
        let previous = follows.then_some(place.hash.as_slice());
        self.verify_rows(&link, previous, &mut found).await?;
        if !chain::is_signed(&link, &self.audit_public_key()) {
            found.find(Finding::BadSignature { link: link.number });
        }
        if !found.findings.is_empty() {
            // Retention may have come by meanwhile.
            let anchor = self.anchor().await?.unwrap_or_default();
            if anchor.number > place.number {
                *place = Place { number: anchor.number, hash: anchor.hash.to_vec() };
                if link.number <= anchor.number {
                    return Ok(());
                }
                found = AuditReport::default();
                let previous = (link.number == anchor.number.saturating_add(1)).then_some(place.hash.as_slice());
                self.verify_rows(&link, previous, &mut found).await?;
            }
        }
        report.links += 1;
        report.rows += found.rows;
        report.records += found.records;
        report.cleared += found.cleared;
        report.first.get_or_insert(link.number);
        report.last = Some(link.number);
        found.findings.into_iter().for_each(|finding| report.find(finding));
        *place = Place { number: link.number, hash: link.hash };
        Ok(())
    }

    /// The rows of a link: their number, their payloads, and, where it is known what the link follows, its hash.
    async fn verify_rows(
        &self,
        link: &LinkRecord,
        previous: Option<&[u8]>,
        report: &mut AuditReport,
    ) -> Result<(), Error> {
        let (number, mut behind) = (link.number, None);
        let mut hash = previous.map(|previous| LinkHash::new(previous, number, link.chained_at, link.row_count));
        let mut seen: Vec<Digested> = Vec::new();
        loop {
            let rows =
                self.database.read(move |txn| store::rows_of_link(txn, number, behind, ROWS).map_err(Error::from));
            let rows = rows.await?;
            let Some(last) = rows.last() else { break };
            behind = Some(last.place);
            for row in rows {
                self.verify_row(&row, report).await?;
                if let Some(hash) = &mut hash {
                    hash.row(&row.row.digested);
                }
                report.rows += 1;
                report.records += row.row.digested.records;
                if seen.len() < MOST_REORDERED {
                    seen.push(row.row.digested);
                }
            }
        }
        let is_right = hash.is_none_or(|hash| hash.finish() == link.hash);
        if report.rows < link.row_count {
            report.find(Finding::RowsRemoved { link: number, rows: link.row_count - report.rows });
        } else if report.rows > link.row_count {
            report.find(Finding::RowsAdded { link: Some(number), rows: report.rows - link.row_count });
        } else if !is_right {
            seen.sort_by(|one, other| one.id.cmp(&other.id));
            let in_order = previous.map(|previous| chain::hash(previous, number, link.chained_at, seen.iter()));
            let is_reordered = in_order.is_some_and(|hash| hash == link.hash);
            report.find(if is_reordered {
                Finding::Reordered { link: number }
            } else {
                Finding::LinkChanged { link: number }
            });
        }
        Ok(())
    }

    async fn verify_row(&self, row: &ChainedRow, report: &mut AuditReport) -> Result<(), Error> {
        let about = &row.row.digested;
        match &row.row.payload {
            Some(payload) if sha256(payload) != about.digest => {
                report.find(Finding::RowChanged { link: row.link, row: about.id.clone() });
            }
            Some(_) => {}
            None if about.kind == READ && self.anchor().await?.is_some_and(|anchor| row.link <= anchor.cleared) => {
                report.cleared += 1;
            }
            None => report.find(Finding::PayloadRemoved { link: row.link, row: about.id.clone() }),
        }
        Ok(())
    }

    /// What is wrong behind the last link.
    async fn verify_end(&self, head: Option<&Head>, report: &mut AuditReport) -> Result<(), Error> {
        let (late, public) = (self.clock.now().before(LATE), self.audit_public_key());
        let read = self.database.read(move |txn| {
            let begins = anchor(txn, &public)?.unwrap_or_default().number;
            let ends = store::last_link(txn)?.map_or(begins, |link| link.number);
            let is_stray = store::has_row_in(txn, i64::MIN, begins)?
                || store::has_row_in(txn, i64::try_from(ends).unwrap_or(i64::MAX), u64::MAX)?;
            Ok::<_, Error>((is_stray, store::unchained_since(txn, late, MOST_LATE)?))
        });
        let (is_stray, unchained) = read.await?;
        if is_stray {
            report.find(Finding::RowsAdded { link: None, rows: 0 });
        }
        if unchained > 0 {
            report.find(Finding::Unchained { rows: unchained });
        }
        let Some(head) = head else { return Ok(()) };
        if !chain::head_is_signed(head, &self.audit_public_key()) {
            report.find(Finding::BadHead);
        } else if !self.audit_head_stands(head).await? {
            report.find(Finding::Truncated { last: report.last, head: head.number });
        }
        Ok(())
    }

    /// Whether the link that was the latest once is still in the chain, or was taken by retention.
    pub async fn audit_head_stands(&self, head: &Head) -> Result<bool, Error> {
        let (number, public) = (head.number, self.audit_public_key());
        let read = self.database.read(move |txn| {
            let links = store::links_after(txn, number.saturating_sub(1), 1)?;
            Ok::<_, Error>((links.into_iter().next(), anchor(txn, &public)?))
        });
        let (link, anchor) = read.await?;
        if let Some(link) = link.filter(|link| link.number == number) {
            return Ok(hex::encode(&link.hash) == head.hash);
        }
        Ok(anchor.is_some_and(|anchor| match anchor.number {
            at if at == number => hex::encode(anchor.hash) == head.hash,
            at => at > number,
        }))
    }

    /// Chained rows in the order of the chain, behind a link and a place in it ((0, `None`) for all), at most `limit`.
    pub async fn audit_rows_after(&self, position: (u64, Option<u64>), limit: u64) -> Result<Vec<ChainedRow>, Error> {
        self.database.read(move |txn| store::chained_after(txn, position, limit).map_err(Error::from)).await
    }

    /// The records of a row, one line of JSON each, each line with its end or none behind the last; `None` where retention has
    /// taken them.
    pub fn audit_lines(&self, row: &store::AuditRow) -> Result<Option<String>, Error> {
        Ok(super::rows::lines(row)?)
    }
}
