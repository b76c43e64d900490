//! Background work: what happens without anybody asking for it.
//!
//! * [`expiry`] takes away uploads that nobody goes on with.
//! * [`gc`] takes its part in collections.
//! * [`key_usage`] writes when access keys were used last.
//! * [`memory`] gives memory back to the system.
//! * [`pull_times`] writes when images were pulled last.
//! * [`scrub`] hashes stored blobs again, at a bounded rate.
//! * [`throttle`] lets the nodes share quotas.
//!
//! It knows when, the domain knows what.

pub mod expiry;
pub mod gc;
pub mod key_usage;
pub mod memory;
pub mod pull_times;
pub mod scrub;
pub mod throttle;
