//! The audit trail: every call through every door is on record, in CloudTrail's shape, where nobody can quietly change it.
//!
//! A door runs each call in [`recorded`] and tells on the way what it is ([`name`], [`caller`], [`parameters`], [`resource`]). The first
//! transaction that the call writes carries its record ([`ledger`]): there is no change without one. What wrote nothing is
//! queued at its end ([`queue`]) and written in batches. [`sequencer`] chains rows and signs the links ([`chain`]), [`verify`] checks
//! them, [`retention`] takes the oldest away, [`search`] finds records again.
//!
//! See `docs/explanation/audit.md`.

mod call;
pub mod chain;
mod id;
mod key;
pub(crate) mod ledger;
mod line;
mod queue;
mod retention;
mod rows;
pub mod search;
mod sequencer;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod verify;
mod who;

pub use call::{
    Call, Outcome, Tls, additional, caller, claimed, failed, name, parameters, parameters_text, recorded, registry,
    resource, vouched,
};
pub(crate) use call::{identity, repository};
pub use chain::Head;
pub(crate) use key::SigningKey;
pub(crate) use queue::Queue;
pub use search::{Event, EventPage, LookupAttribute, LookupEvents, Resource};
pub use sequencer::Chained;
pub use settings::AuditSettings;
pub use verify::{AuditReport, Finding};
