//! The attacks that Berth must withstand, each over a real socket against the real binary.
//!
//! A test bears the number of its attack; `docs/explanation/attacks.md` lists them with the guard that each one proves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "../support/digests.rs"]
mod digests;
#[path = "../support/identity_provider.rs"]
mod identity_provider;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/sts.rs"]
mod sts;
#[path = "../support/stub.rs"]
mod stub;
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
mod elsewhere;
mod endpoints;
mod extra_fields;
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
mod people_elsewhere;
mod policies;
mod quotas;
mod ranges;
mod records;
mod running;
mod saml;
mod sessions;
mod signatures;
mod tenants;
mod tokens;
mod uploads;
mod web_identity;
mod web_issuers;
