//! The `berth` binary: configuration, wiring and the command line.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod audit;
mod audit_head;
mod backup;
mod bar;
mod commands;
mod config;
mod failure;
mod file_limit;
mod gc;
mod helpers;
mod identity;
mod import;
mod listeners;
mod logging;
mod login;
mod migrate_store;
mod opened;
mod output;
mod remote;
mod restore;
mod serve;
mod signals;
mod stores;
mod telemetry;
mod verify;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Whoever makes TLS without naming a provider of cryptography gets the one that all others name (ADR 0005).
    let _ = rustls::crypto::ring::default_provider().install_default();
    berth_platform::memory::give_back_early();
    // Images, sealed secrets and backups are nobody else's on this machine.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    helpers::by_name().unwrap_or_else(commands::run)
}
