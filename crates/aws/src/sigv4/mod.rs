//! AWS Signature Version 4: what a request presents, whether its signature holds, and how a client signs.
//!
//! Begin with [`Presented::read`], which believes nothing yet, then [`verify`] with the secret of the key that was
//! presented. [`sign`] and [`presign`] are the client's side. Source: "AWS Signature Version 4 for API requests" in the
//! IAM User Guide, <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>.
//!
//! Where this differs from AWS, it is stricter:
//!
//! - An `x-amz-security-token` header that is not signed is refused. (Some services of AWS let a client add the token
//!   after signing.)
//! - `UNSIGNED-PAYLOAD` and `STREAMING-…` are refused: the signature covers the hash of the body that came.
//! - A parameter, component or header of signing that comes twice is refused, and so are two forms at once.
//!
//! Where clients differ from each other, one of them is followed:
//!
//! - A query string is taken as AWS documents it (decoded, `+` as a space, encoded again) or exactly as it was sent:
//!   botocore signs the text of a URL as it stands.
//! - A path that ends in `.` or `..` keeps its last slash (RFC 3986, section 5.2.4, and AWS's SDK for Rust); botocore
//!   drops it.
//! - A tab inside a header's value counts as a space (botocore, the AWS Common Runtime); AWS's SDK for Rust keeps it.

mod authorization;
mod canonical;
mod date;
mod error;
mod key;
mod parameters;
mod presented;
mod presigned;
mod sign;
mod verify;

use std::fmt;

pub use error::{Form, SigV4Error};
pub use presented::{Presented, Scope};
pub use sign::{Signing, presign, sign};
pub use verify::{DEFAULT_SKEW, Demands, verify};

/// The one algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last element of each credential scope.
const TERMINATOR: &str = "aws4_request";
/// How long a presigned request may hold: seven days, in seconds.
const LONGEST_EXPIRES: u32 = 604_800;
/// How many headers a signature may cover.
const MOST_SIGNED_HEADERS: usize = 100;
/// Bytes of an `Authorization` header, and of a session token.
const LONGEST_VALUE: usize = 16 * 1024;
/// Bytes of a path and of a query string.
const LONGEST_TARGET: usize = 64 * 1024;

/// A request as its bytes came. The body is not in it: what signs it is its hash.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// The path, not decoded.
    pub path: &'a str,
    /// The query string without its `?`, not decoded.
    pub query: Option<&'a str>,
    /// The headers in the order in which they came, with lower-case names. With HTTP/2, `:authority` stands here as
    /// `host`.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// How a service makes a path canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathStyle {
    /// Dot segments and repeated slashes are removed, then the path is encoded once more: all services but S3.
    Normalized,
    /// The path as sent: S3. Only bytes that no URI may hold are encoded.
    AsSent,
}

impl<'a> SignedRequest<'a> {
    fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The value of a header that may come once.
    fn once(&self, name: &'static str) -> Result<Option<&'a [u8]>, SigV4Error> {
        let mut values = self.values(name);
        let first = values.next();
        values.next().map_or(Ok(first), |_| Err(SigV4Error::Ambiguous(name)))
    }
}

impl fmt::Debug for SignedRequest<'_> {
    /// Without query and headers: they may hold tokens and signatures.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}
