//! The query form: `X-Amz-Algorithm`, `X-Amz-Credential` and the others, a presigned URL.

use super::authorization::date_text;
use super::parameters::Parameter;
use super::{ALGORITHM, Form, LONGEST_EXPIRES, SigV4Error, date};

pub(super) const SIGNATURE: &str = "X-Amz-Signature";
pub(super) const TOKEN: &str = "X-Amz-Security-Token";

/// The parameters of signing. Those of the first part, by themselves, make a request one that brings credentials.
const CREDENTIALS: [&str; 4] = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-SignedHeaders", SIGNATURE];
const OTHERS: [&str; 3] = ["X-Amz-Date", "X-Amz-Expires", TOKEN];

/// Whether a query string brings credentials, whole or not.
pub(super) fn brings_credentials(parameters: &[Parameter<'_>]) -> bool {
    parameters.iter().any(|parameter| CREDENTIALS.iter().any(|name| parameter.is(name)))
}

/// The first parameter of signing that a query string holds.
pub(super) fn any(parameters: &[Parameter<'_>]) -> Option<&'static str> {
    let mut names = CREDENTIALS.into_iter().chain(OTHERS);
    names.find(|name| parameters.iter().any(|parameter| parameter.is(name)))
}

/// The value of a parameter that may come once.
pub(super) fn once<'p>(parameters: &'p [Parameter<'_>], name: &'static str) -> Result<Option<&'p str>, SigV4Error> {
    let mut values = parameters.iter().filter(|parameter| parameter.is(name));
    let first = values.next();
    if values.next().is_some() {
        return Err(SigV4Error::Ambiguous(name));
    }
    let text = first.map(|parameter| std::str::from_utf8(&parameter.value)).transpose();
    text.map_err(|_| SigV4Error::Malformed("A query-string parameter of signing is not text."))
}

/// The value of a parameter that must come once.
pub(super) fn required<'p>(parameters: &'p [Parameter<'_>], part: &'static str) -> Result<&'p str, SigV4Error> {
    once(parameters, part)?.ok_or(SigV4Error::Missing { form: Form::Query, part })
}

/// Refuses algorithms other than the one.
pub(super) fn algorithm(parameters: &[Parameter<'_>]) -> Result<(), SigV4Error> {
    let given = required(parameters, "X-Amz-Algorithm")?;
    if given == ALGORITHM { Ok(()) } else { Err(SigV4Error::Algorithm) }
}

/// The moment of signing.
pub(super) fn moment(parameters: &[Parameter<'_>]) -> Result<i64, SigV4Error> {
    date::parse_iso(required(parameters, "X-Amz-Date")?).ok_or(SigV4Error::Malformed(date_text()))
}

/// For how many seconds the request holds.
pub(super) fn expires(parameters: &[Parameter<'_>]) -> Result<u32, SigV4Error> {
    let text = required(parameters, "X-Amz-Expires")?;
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits).ok_or(SigV4Error::Expires)?;
    check_expires(seconds)
}

/// Refuses spans that AWS refuses.
pub(super) fn check_expires(seconds: u32) -> Result<u32, SigV4Error> {
    if (1..=LONGEST_EXPIRES).contains(&seconds) { Ok(seconds) } else { Err(SigV4Error::Expires) }
}
