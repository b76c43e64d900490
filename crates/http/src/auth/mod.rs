//! From a request's `Authorization` header to a caller. Basic for now, as ECR's own registry door has it.

mod basic;

use berth_domain::{Caller, Domain, Error};
use http::HeaderMap;
use http::header::AUTHORIZATION;

pub use basic::{Credentials, parse_basic};

/// Who sends these headers. No header is an anonymous caller; a wrong one is refused, never taken for anonymous.
pub async fn caller(domain: &Domain, headers: &HeaderMap) -> Result<Caller, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Caller::Anonymous) };
    if values.next().is_some() {
        return Err(Error::WrongCredentials);
    }
    let credentials = parse_basic(value.as_bytes()).ok_or(Error::WrongCredentials)?;
    domain.authenticate(&credentials.user, credentials.password.as_bytes()).await
}
