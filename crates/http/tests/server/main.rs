//! The server driven over real sockets, with short limits. Outcomes are asserted, never durations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bodies;
mod framing;
mod http2;
mod limits;
mod origins;
mod running;
mod shutdown;
mod tls;
mod unix;
mod zero_copy;
