//! The rules of the registry, on `SQLite` in a temporary file (or PostgreSQL, where `BERTH_TEST_DATABASE` says so) and blobs
//! in a temporary folder, with a clock that tests move.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod backup;
mod backup_faults;
mod garbage;
mod identity;
mod images;
mod keeping;
mod registry;
mod repairing;
mod sizes;
mod tags;
mod uploads;
