//! The `berth` binary: configuration, wiring and the command line.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod commands;
#[allow(dead_code, unused_imports, clippy::pedantic, reason = "the commands that use the rest of it are being written")]
mod config;
mod failure;
mod import;
mod logging;
mod opened;
mod output;
mod serve;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
