//! The SQL engines behind the [`berth_store::Engine`] seam, and the migrations of their schema.
//!
//! [`SqliteEngine`] keeps everything in one file, [`PostgresEngine`] on a server that several nodes share. They know
//! connections, transactions and versions of the schema; what is asked of the tables is written in `berth-store`. Begin
//! at [`sqlite`], which is the simpler one.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod migrations;
pub mod postgres;
pub mod sqlite;

pub use postgres::{PostgresEngine, PostgresSettings};
pub use sqlite::SqliteEngine;
