//! Background work: what happens without anybody asking for it.
//!
//! * [`audit`] writes and chains the records of calls.
//! * [`audit_export`] writes what is on record as files.
//! * [`expiry`] takes away uploads that nobody goes on with.
//! * [`gc`] takes its part in collections.
//! * [`key_usage`] writes when access keys were used last.
//! * [`memory`] gives memory back to the system.
//! * [`pull_times`] writes when images were pulled last.
//! * [`scrub`] hashes stored blobs again, at a bounded rate.
//! * [`throttle`] lets the nodes share quotas.
//!
//! It knows when, the domain knows what.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod audit;
pub mod audit_export;
pub mod expiry;
pub mod gc;
pub mod key_usage;
pub mod memory;
pub mod pull_times;
pub mod scrub;
pub mod throttle;
