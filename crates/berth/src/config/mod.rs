//! Configuration: one catalogue of settings, from which everything else follows.
//!
//! [`catalogue`] (for listeners with a name [`listeners`]) declares each setting once: name, type, default, what it does, flag. The typed [`Settings`], the TOML
//! file, the environment, the flags, `berth config`, the reference page and the example file all read that table.
//! A later source overrides an earlier one: default, TOML file, environment (`BERTH_SECTION__KEY`), flag. Every value
//! given is checked, overridden or not, and all problems are told at once.
//!
//! [`file::parse`] and [`effective::Effective::resolve`] are functions of values; only [`load`] touches files.

pub mod catalogue;
mod checks;
pub mod effective;
mod entrances;
pub mod environment;
pub mod example;
pub mod file;
pub mod flags;
pub mod kinds;
pub mod listeners;
pub mod load;
pub mod origin;
pub mod print;
pub mod problem;
pub mod reference;
pub mod setting;
mod suggest;
#[cfg(test)]
mod tests;

pub use catalogue::{SECTIONS, SETTINGS, Settings};
pub use listeners::LISTENER_SETTINGS;
pub use load::load;
pub use problem::Problem;
pub use setting::Kind;
