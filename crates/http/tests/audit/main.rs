//! Every call through every door leaves exactly one record, under its right name and without secrets: the operations of the
//! tables that there are, and every route.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod calls;
mod house;
