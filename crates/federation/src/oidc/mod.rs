//! Tokens of OpenID Connect: issuers, discovery documents, key sets, and the tokens themselves.
//!
//! Begin with [`Token::read`], which reads a token strictly and believes nothing of it; [`Token::verify`] needs the issuer as it
//! was registered and the issuer's [`KeySet`], and gives [`Claims`]. Signatures are verified by `ring`; nothing that a token
//! says of itself chooses a key's bytes, an address, or an algorithm that the key is not for.
//!
//! Follows OpenID Connect Core 1.0 (sections 2 and 3.1.3.7) and Discovery 1.0, RFC 7515 to 7519, RFC 8725, and what AWS asks
//! of tokens ("Create an OpenID Connect identity provider", "Pass session tags using `AssumeRoleWithWebIdentity`").

mod algorithm;
mod claims;
mod discovery;
mod issuer;
mod json;
mod key;
mod key_set;
mod token;
mod verify;

pub use claims::Claims;
pub use discovery::{DiscoveryError, jwks_uri};
pub use issuer::{Issuer, IssuerError};
pub use key_set::{KeySet, KeySetError};
pub use token::{Token, TokenError};

/// The longest token, in characters (STS `AssumeRoleWithWebIdentity`, `WebIdentityToken`).
pub const LONGEST_TOKEN: usize = 20_000;
/// The largest discovery document or key set, in bytes.
pub const LARGEST_DOCUMENT: usize = 256 * 1024;
/// How far the clocks of issuers may be off, in seconds.
pub const LEEWAY: i64 = 60;
/// The longest life of a token, from `iat` to `exp`, in seconds: that of the longest tokens that AWS's own clusters make.
pub const LONGEST_LIFE: i64 = 24 * 3600;
