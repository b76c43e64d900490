//! The wire protocols of AWS: Query (a form answered in XML) and JSON 1.1, guided by the shapes of the services.
//!
//! A request is read in three steps: its text into a tree, the tree checked against the input's [`Shape`], and the tree
//! into a Rust structure. An answer goes the same way back. Both directions are here, for servers and for clients.
//! Begin with [`parse_query`], [`render_result`] and [`parse_json`].
//!
//! A tree is a [`serde_json::Value`] whose members carry the names of the model: a blob is base64 text in it, a
//! timestamp a count of milliseconds.

mod error;
mod form;
pub mod json;
mod pattern;
pub mod query;
pub mod schema;
mod validate;
mod value;
pub mod xml;

pub use error::ProtocolError;
pub use form::Form;
pub use json::{parse_json, render_json};
pub use pattern::Pattern;
pub use query::parse_query;
pub use schema::{ErrorShape, Kind, Member, Operation, Protocol, Service, Shape};
pub use validate::validate;
pub use value::{Blob, Sensitive, Timestamp};
pub use xml::render_result;

/// What a service answers where it could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whether the caller is to blame (`Sender`) or the service (`Receiver`).
    pub sender: bool,
    /// The code by which programs tell errors apart, such as `NoSuchEntity`.
    pub code: String,
    /// What went wrong, for people.
    pub message: String,
}
