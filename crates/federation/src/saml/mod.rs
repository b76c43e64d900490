//! SAML 2.0: metadata of identity providers, and the responses that they sign.
//!
//! [`Metadata::read`] reads what an administrator uploads; [`verify`] judges a response against it. A response is parsed once, strictly;
//! each signature in it is verified with the keys of the metadata; and every claim is read from the canonical bytes that were signed,
//! never from the document that carries them, so that nothing wrapped around them can be taken for them.
//!
//! Only what Berth needs of XML Signature is here (`signature.rs`), on a maintained parser and canonicalisation; `docs/adr/0024-saml.md`
//! says why. Source: OASIS saml-core-2.0, saml-profiles-2.0 (4.1, web browser SSO), saml-metadata-2.0; W3C xmldsig-core1.

mod claims;
mod error;

#[cfg(feature = "saml")]
mod assertion;
#[cfg(feature = "saml")]
mod conditions;
#[cfg(feature = "saml")]
mod key;
#[cfg(feature = "saml")]
mod metadata;
#[cfg(feature = "saml")]
mod response;
#[cfg(feature = "saml")]
mod signature;
#[cfg(feature = "saml")]
mod time;
#[cfg(feature = "saml")]
mod xml;

#[cfg(not(feature = "saml"))]
mod absent;

#[cfg(not(feature = "saml"))]
pub use absent::{Metadata, verify};
pub use claims::{Attribute, Claims, Expected};
pub use error::{MetadataError, ResponseError};
#[cfg(feature = "saml")]
pub use metadata::Metadata;
#[cfg(feature = "saml")]
pub use response::verify;

/// The most characters of a response in base64, as STS has it (`AssumeRoleWithSAML`, `SAMLAssertion`).
pub const RESPONSE_CHARACTERS: usize = 100_000;

/// How far the clocks of an identity provider and of Berth may differ, in seconds.
pub const LEEWAY_SECONDS: i64 = 60;

/// How old an assertion may be when it is shown, in seconds: STS wants it within five minutes.
pub const AGE_SECONDS: i64 = 300;
