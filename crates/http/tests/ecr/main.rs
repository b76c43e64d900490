//! The door of ECR as a request finds it: the protocol, what goes wrong in the words of ECR, and every operation once, on a
//! registry over `SQLite`. What each operation does is tested by its clients, in `tests/clients/`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod cloudtrail;
mod door;
mod operations;
mod protocol;
