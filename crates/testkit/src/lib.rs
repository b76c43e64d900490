//! A real registry in a test, image builders and an HTTP client that can misbehave.
//!
//! For tests only, so that everything here fails loudly: a refused connection or a reply that breaks HTTP/1.1 ends the test with
//! what was seen. Nothing of the server's own crates is used, so a mistake in a parser of the server cannot hide the same mistake here.
//!
//! Begin with [`Server`] (a `berth serve` process on a temporary folder), [`Client`] (the registry's verbs) and [`Image`];
//! [`RawConnection`] and [`http2`] are for requests that no decent client sends, and [`aws`] is for signed ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]
// The ambient clock and randomness are what a test has; the bans are for the server.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
// `reply.expect(201);` is a statement by itself.
#![allow(clippy::return_self_not_must_use)]

pub mod aws;
pub mod calls;
mod client;
mod connection;
mod content;
pub mod crowd;
pub mod http2;
mod image;
pub mod issuer;
mod keeper;
pub mod oracle;
pub mod postgres;
mod process;
pub mod proxy;
pub mod pushers;
mod random;
mod reply;
pub mod saml;
pub mod seaweedfs;
pub mod secrets;
mod server;
mod volume;
mod waiting;

pub use client::{Client, path_and_query, target_of};
pub use connection::RawConnection;
pub use content::{Hasher, sha256, sha512};
pub use image::{Image, Manifest, empty_index, index, media, padded_manifest, referrer};
pub use process::{MIB, Process, copy_tree, free_bytes, set_modified, tree_bytes, tree_files};
pub use random::{Random, seed_from_environment};
pub use reply::Reply;
pub use server::{ADMIN_ID, ADMIN_SECRET, Output, Server, ServerBuilder, berth_binary};
pub use volume::Volume;
pub use waiting::{eventually, within};
