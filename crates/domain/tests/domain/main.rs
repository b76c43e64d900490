//! The rules of the registry, on `SQLite` in a temporary file (or PostgreSQL, where `BERTH_TEST_DATABASE` says so) and blobs
//! in a temporary folder, with a clock that tests move.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods)]

mod access;
mod audit;
mod backup;
mod backup_faults;
mod endpoints;
mod explained;
mod failed_logins;
mod federation;
mod garbage;
mod identity;
mod images;
mod images_by_ecr;
mod keeping;
mod layers;
mod lifecycle;
mod limits;
mod parts;
mod pulls;
mod registries;
mod registry;
mod registry_settings;
mod repairing;
mod repositories;
mod repository_deletion;
mod repository_policies;
mod sizes;
mod tags;
mod templates;
mod throttling;
mod two_doors;
mod uploads;
