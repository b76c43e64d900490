//! What identity providers say, and whether it is true: tokens of `OpenID` Connect ([`oidc`]) and responses of SAML ([`saml`]).
//!
//! Pure: bytes and the time go in, claims come out. Nothing here fetches anything or knows of accounts and roles.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod oidc;
pub mod saml;
