//! The doors of the registry and the server that they stand in.
//!
//! * [`server`] is everything between the socket and a request: listeners, TLS, limits, time-outs, draining.
//! * [`auth`] says who sends a request.
//! * [`oci`] is the door of the distribution spec.
//! * [`aws`] is where signed requests come in; [`iam`], [`sts`] and [`ecr`] are the doors behind it, and [`query`] what the first
//!   two share.
//! * `registry` finds out which of the server's registries a request is about, and what that is called.
//! * [`front`] sends each request to its door, and answers for health and metrics itself.
//!
//! A door translates words and decides nothing: rules are in `berth-domain`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod audit;
pub mod auth;
pub mod aws;
pub mod cloudtrail;
pub mod ecr;
pub mod front;
pub mod iam;
pub mod oci;
pub mod query;
mod registry;
pub mod server;
pub mod sts;
