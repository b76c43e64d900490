//! Who comes in by what an identity provider says: the providers that an account trusts, and the sessions of roles that are
//! given for their tokens and assertions.
//!
//! What a token says is found true or false in `berth_federation`, which is pure; here are the rows ([`oidc_providers`], [`saml_providers`]), the keys
//! of issuers (`issuers`), and what a role's trust policy has to say about it (`session`). [`web_identity`] and [`saml`] put them together.

mod attributes;
pub mod error;
pub(crate) mod issuers;
pub mod oidc_providers;
pub mod saml;
pub mod saml_providers;
pub(crate) mod session;
pub mod settings;
pub mod web_identity;

pub use error::FederationError;
