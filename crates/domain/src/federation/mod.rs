//! Who comes in by what an identity provider says: the providers that an account trusts, and the sessions of roles that are
//! given for their tokens and assertions.
//!
//! What a token says is found true or false in `berth_federation`, which is pure; here are the rows, the keys of issuers, and
//! what a role's trust policy has to say about it ([`session`]).

mod attributes;
pub mod error;
pub mod saml;
pub mod saml_providers;
pub(crate) mod session;

pub use error::FederationError;
