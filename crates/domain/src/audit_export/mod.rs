//! Files of what is on record: which records come into which file, and what is signed about it. Whoever writes them
//! (`berth_worker::audit_export`) brings the disk.
//!
//! A range of links becomes one file for each account and region that has records in it. The range is planned in the database
//! before a file has its name, so that a second attempt writes the same files, byte for byte; the position moves on when they are
//! there. So every record is in a file once, and twice only where the database went back to a backup.

mod digest;
mod place;
mod range;

pub use digest::{DigestFile, Exported, LinkEnd, Previous, Sealed};
pub use place::{Pending, Place, Scope};
pub use range::{Batch, Gathered};

use std::time::Duration;

use berth_store::{StoreError, Transaction, audit, leases, properties};
use serde::{Deserialize, Serialize};

use crate::Domain;
use crate::error::Error;

/// The position, and what each account and region had last, stand in properties of these names.
const POSITION: &str = "audit_export";
const OF_SCOPE: &str = "audit_export/";
/// How long the lease holds: a batch takes seconds.
const LEASE: Duration = Duration::from_mins(2);

/// How far the export is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The last link whose records are in files.
    pub done: u64,
    /// The last link of the files that were being written; not less than `done`.
    pub planned: u64,
}

impl Domain {
    /// Takes or renews the lease of whoever exports, for two minutes; `false` where another process has it.
    pub async fn take_export_lease(&self) -> Result<bool, Error> {
        let (holder, now) = (self.node.clone(), self.clock.now());
        let take = self.database.unrecorded().write(move |txn| {
            leases::take(txn, leases::AUDIT_EXPORT, &holder, now, now.after(LEASE)).map_err(Error::from)
        });
        take.await
    }

    /// Gives that lease back.
    pub async fn give_back_export_lease(&self) -> Result<(), Error> {
        let holder = self.node.clone();
        let give = self
            .database
            .unrecorded()
            .write(move |txn| leases::give_back(txn, leases::AUDIT_EXPORT, &holder).map_err(Error::from));
        give.await
    }

    /// How far the export is; at the beginning where there never was one.
    pub async fn export_position(&self) -> Result<Position, Error> {
        self.database.read(|txn| Ok::<_, Error>(position(txn)?)).await
    }

    /// The range whose files are being written, or were when whoever wrote them ended; `None` where all files are there.
    pub async fn pending_export(&self) -> Result<Option<Pending>, Error> {
        let read = self.database.read(|txn| {
            let Position { done, planned } = position(txn)?;
            if planned <= done {
                return Ok::<_, Error>(None);
            }
            let last = audit::links_after(txn, planned - 1, 1)?.into_iter().find(|link| link.number == planned);
            Ok(last.map(|last| Pending { links: (done + 1, planned), chained_at: last.chained_at, hash: last.hash }))
        });
        read.await
    }

    /// Settles that the files after `known.done` end with the link `planned`; `false` where another process was faster.
    pub async fn plan_export(&self, known: Position, planned: u64) -> Result<bool, Error> {
        self.move_export(known, Position { done: known.done, planned }, Vec::new()).await
    }

    /// Moves on behind the links whose files are there, the digest files of which are `written`; `false` where another process was
    /// faster.
    pub async fn settle_export(&self, known: Position, written: Vec<(Scope, Previous)>) -> Result<bool, Error> {
        self.move_export(known, Position { done: known.planned, planned: known.planned }, written).await
    }

    async fn move_export(
        &self,
        known: Position,
        next: Position,
        written: Vec<(Scope, Previous)>,
    ) -> Result<bool, Error> {
        let write = self.database.unrecorded().write(move |txn| {
            let stored = properties::get(txn, POSITION)?;
            let is_known = stored.as_deref().map(self::known).unwrap_or_default() == known;
            if !is_known || !properties::replace(txn, POSITION, stored.as_deref(), &json(&next))? {
                return Ok::<_, Error>(false);
            }
            for (scope, last) in &written {
                properties::set(txn, &scope.property(), &json(last))?;
            }
            Ok(true)
        });
        write.await
    }

    /// The number of the oldest link that the database holds.
    pub async fn export_links_from(&self) -> Result<Option<u64>, Error> {
        let read = self.database.read(|txn| Ok::<_, Error>(audit::links_after(txn, 0, 1)?));
        Ok(read.await?.first().map(|link| link.number))
    }

    /// Hash and signature of a link, in hexadecimal.
    pub async fn export_link(&self, number: u64) -> Result<Option<(String, String)>, Error> {
        let Some(before) = number.checked_sub(1) else { return Ok(None) };
        let read = self.database.read(move |txn| Ok::<_, Error>(audit::links_after(txn, before, 1)?)).await?;
        let found = read.into_iter().find(|link| link.number == number);
        Ok(found.map(|link| (hex::encode(link.hash), hex::encode(link.signature))))
    }

    /// The latest digest file of every account and region that has one.
    pub async fn last_exports(&self) -> Result<Vec<(Scope, Previous)>, Error> {
        let read = self.database.read(|txn| Ok::<_, Error>(properties::beginning(txn, OF_SCOPE)?));
        let known = read.await?.into_iter().filter_map(|(name, value)| {
            let (account, region) = name.strip_prefix(OF_SCOPE)?.split_once('/')?;
            Some((Scope::parse(account, region)?, serde_json::from_slice(&value).ok()?))
        });
        Ok(known.collect())
    }

    /// The latest digest file of an account and region, if there is one, where `known` is still how far the export is.
    async fn export_before(&self, known: Position, scope: &Scope) -> Result<Option<Option<Previous>>, Error> {
        let name = scope.property();
        let read = self.database.read(move |txn| {
            if position(txn)? != known {
                return Ok::<_, Error>(None);
            }
            let value = properties::get(txn, &name)?;
            Ok(Some(value.and_then(|value| serde_json::from_slice(&value).ok())))
        });
        read.await
    }
}

/// How far the export is.
pub(crate) fn position(txn: &mut dyn Transaction) -> Result<Position, StoreError> {
    Ok(properties::get(txn, POSITION)?.as_deref().map(known).unwrap_or_default())
}

fn known(value: &[u8]) -> Position {
    serde_json::from_slice(value).unwrap_or_default()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
