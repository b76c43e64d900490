//! What is too old goes: first the payloads of reads, then whole links from the beginning of the chain. A signed anchor says where
//! the chain begins, so that it can be verified from there.

use berth_store::audit as store;
use berth_store::{Timestamp, properties};

use super::chain::Anchor;
use super::rows::READ;
use super::sequencer::{ANCHOR, Undone, anchor, settle, take_lease};
use crate::Domain;
use crate::error::Error;

/// The most links that one step takes away, or whose payloads it takes.
const LINKS: u64 = 20;

/// What one step does: links that go, and links whose reads lose their payloads.
struct Due {
    gone: Vec<u64>,
    cleared: Vec<u64>,
    anchor: Anchor,
}

impl Domain {
    /// One step of retention; how many links it dealt with. Where it is none, all is done, or another node does it.
    pub async fn retain_audit(&self) -> Result<u64, Error> {
        let (now, node) = (self.clock.now(), self.node.clone());
        let (old, old_read) =
            (now.before(self.settings.audit.retention), now.before(self.settings.audit.reads_retention));
        let Some(due) = self.due_to_go(old, old_read).await? else { return Ok(0) };
        let count = (due.gone.len() + due.cleared.len()) as u64;
        let sealed = due.anchor.seal(&self.audit_key);
        let written = self.database.unrecorded().write(move |txn| {
            if !take_lease(txn, &node, now)? {
                return Err(Undone::Lost);
            }
            for number in &due.cleared {
                store::clear_payloads(txn, *number, READ)?;
            }
            for number in &due.gone {
                store::delete_link(txn, *number)?;
            }
            Ok(properties::set(txn, ANCHOR, &sealed)?)
        });
        Ok(if settle(written.await)? { count } else { 0 })
    }

    async fn due_to_go(&self, old: Timestamp, old_read: Timestamp) -> Result<Option<Due>, Error> {
        let (public, is_exported) = (self.audit_public_key(), self.settings.audit.exported);
        let read = self.database.read(move |txn| {
            let most = if is_exported { crate::audit_export::position(txn)?.done } else { u64::MAX };
            // An anchor that nobody here signed is left to `verify`.
            let Some(mut anchor) = anchor(txn, &public)? else { return Ok(None) };
            let mut gone = Vec::new();
            for link in store::links_after(txn, anchor.number, LINKS)? {
                let Ok(hash) = <[u8; 32]>::try_from(link.hash.as_slice()) else { break };
                if link.chained_at >= old || link.number > most {
                    break;
                }
                (anchor.number, anchor.hash) = (link.number, hash);
                gone.push(link.number);
            }
            anchor.cleared = anchor.cleared.max(anchor.number);
            let next = store::links_after(txn, anchor.cleared, LINKS)?;
            let cleared: Vec<u64> = next
                .iter()
                .take_while(|link| link.chained_at < old_read && link.number <= most)
                .map(|link| link.number)
                .collect();
            anchor.cleared = cleared.last().copied().unwrap_or(anchor.cleared);
            Ok::<_, Error>(Some(Due { gone, cleared, anchor }))
        });
        Ok(read.await?.filter(|due| !due.gone.is_empty() || !due.cleared.is_empty()))
    }
}
