//! Bodies: what a handler reads from a client, and what it sends to one.

mod file;
mod request;
mod response;

pub use file::FileSlice;
pub use request::{BodyError, RequestBody};
pub(crate) use request::{BodyLimits, Leftover};
pub use response::ResponseBody;

#[cfg(test)]
mod tests;
