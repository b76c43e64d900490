//! The server driven over real sockets, with short limits. Outcomes are asserted, never durations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bodies;
mod client_certificates;
mod framing;
mod http2;
mod limits;
mod listeners;
mod origins;
mod proxy_protocol;
mod running;
mod shutdown;
mod tls;
mod unix;
mod zero_copy;
