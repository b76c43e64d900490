//! Settings, each seen at work from outside: real requests to the real program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "../support/program.rs"]
mod program;
#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod listeners;
mod logs;
mod metrics;
mod named_listeners;
mod quotas;
mod registries;
mod shutdown;
mod tls;
mod tls_records;
mod traces;
mod writes;

use std::net::{SocketAddr, TcpListener};

/// An address that was free a moment ago.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
