//! From a request's `Authorization` header to a caller, and what somebody hears who sent none that counts.
//!
//! A registry that opens nothing to everybody challenges with Basic, as ECR's own does. Where anonymous pull is configured
//! it challenges with Bearer, because clients without credentials give up at a Basic challenge; [`TokenEndpoint`] then hands
//! out tokens, anonymous ones too. Basic credentials are taken in both cases.

mod basic;
mod challenge;
mod token;

use berth_domain::{Caller, Domain, Error};
use http::HeaderMap;
use http::header::AUTHORIZATION;

pub use basic::{Credentials, parse_basic};
pub(crate) use challenge::{BASIC, challenge};
pub use token::{TokenEndpoint, parse_bearer};

/// What a request brings to show who sends it.
pub enum Presented {
    /// No header, or Basic with an empty name and password, as clients send that hold none.
    Nothing,
    /// A name and a password.
    Basic(Credentials),
    /// A token of ours, perhaps.
    Bearer(String),
}

/// Reads the `Authorization` header; several, or one of another scheme, are wrong credentials.
pub fn presented(headers: &HeaderMap) -> Result<Presented, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Presented::Nothing) };
    if values.next().is_some() {
        return Err(Error::WrongCredentials);
    }
    if let Some(token) = token::parse_bearer(value.as_bytes()) {
        return Ok(Presented::Bearer(token.to_owned()));
    }
    match parse_basic(value.as_bytes()).ok_or(Error::WrongCredentials)? {
        Credentials { user, password } if user.is_empty() && password.is_empty() => Ok(Presented::Nothing),
        credentials => Ok(Presented::Basic(credentials)),
    }
}

/// Who sends these headers. Nothing presented is an anonymous caller; something wrong is refused, never taken for that.
pub async fn caller(domain: &Domain, headers: &HeaderMap) -> Result<Caller, Error> {
    match presented(headers)? {
        Presented::Nothing => Ok(Caller::Anonymous),
        Presented::Basic(credentials) => domain.authenticate(&credentials.user, credentials.password.as_bytes()).await,
        Presented::Bearer(token) => domain.authenticate_token(&token).await,
    }
}
