//! The `berth` binary: configuration, wiring and the command line.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod commands;
mod config;
mod failure;
mod gc;
mod import;
mod logging;
mod opened;
mod output;
mod serve;
mod signals;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    berth_platform::memory::give_back_early();
    commands::run()
}
