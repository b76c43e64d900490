//! Asking a server: over which connection, as whom, and what.
//!
//! Credentials are looked for where AWS's own tools look ([`credentials`]) and got from the server's own STS or a program
//! where they are not there as keys ([`obtain`]).

pub mod client;
pub mod connection;
pub mod credentials;
pub mod obtain;
mod process;
