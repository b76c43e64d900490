//! The attacks that Berth must withstand, each over a real socket against the real binary.
//!
//! A test bears the number of its attack; `docs/explanation/attacks.md` lists them with the guard that each one proves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "../support/digests.rs"]
mod digests;
#[path = "../support/mod.rs"]
mod support;

mod blobs;
mod deletion;
mod downloads;
mod ecr;
mod ecr_images;
mod ecr_names;
mod ecr_requests;
mod ecr_rights;
mod framing;
mod graphs;
mod hosts;
mod http2;
mod immutability;
mod listings;
mod logins;
mod manifests;
mod names;
mod people;
mod policies;
mod quotas;
mod ranges;
mod running;
mod saml;
mod sessions;
mod signatures;
mod tenants;
mod tokens;
mod uploads;
mod web_identity;
mod web_issuers;
