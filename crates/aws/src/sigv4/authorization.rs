//! The header form: `Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`.

use super::presented::Parts;
use super::{ALGORITHM, Form, LONGEST_VALUE, SigV4Error, SignedRequest, date};

/// What every scheme of the family begins with, in lower case.
const FAMILY: &[u8] = b"aws4-";
const MALFORMED: &str = "Authorization header is malformed: it must be 'AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...'.";

/// Whether an `Authorization` header is of AWS's family, this algorithm's or another's.
pub(super) fn is_ours(authorization: &[u8]) -> bool {
    authorization.get(..FAMILY.len()).is_some_and(|start| start.eq_ignore_ascii_case(FAMILY))
}

/// Splits the header into its three components. Each comes once, in any order.
pub(super) fn components(authorization: &[u8]) -> Result<Parts<'_>, SigV4Error> {
    if authorization.len() > LONGEST_VALUE {
        return Err(SigV4Error::TooLarge("Authorization header"));
    }
    let text = std::str::from_utf8(authorization).map_err(|_| SigV4Error::Malformed(MALFORMED))?;
    let (scheme, components) = text.split_once(' ').unwrap_or((text, ""));
    if scheme != ALGORITHM {
        return Err(SigV4Error::Algorithm);
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for component in components.split(',').map(|component| component.trim_matches([' ', '\t'])) {
        match component.split_once('=') {
            Some(("Credential", value)) => once(&mut credential, value, "Credential")?,
            Some(("SignedHeaders", value)) => once(&mut signed_headers, value, "SignedHeaders")?,
            Some(("Signature", value)) => once(&mut signature, value, "Signature")?,
            None if components.trim().is_empty() => {}
            _ => return Err(SigV4Error::Malformed(MALFORMED)),
        }
    }
    let required = |value: Option<_>, part| value.ok_or(SigV4Error::Missing { form: Form::Header, part });
    Ok(Parts {
        credential: required(credential, "Credential")?,
        signature: required(signature, "Signature")?,
        signed_headers: required(signed_headers, "SignedHeaders")?,
    })
}

fn once<'a>(place: &mut Option<&'a str>, value: &'a str, name: &'static str) -> Result<(), SigV4Error> {
    place.replace(value).map_or(Ok(()), |_| Err(SigV4Error::Ambiguous(name)))
}

/// The moment of a request in header form: `x-amz-date` in ISO 8601 basic, or where there is none `date`, which may
/// also be in the form of RFC 1123.
pub(super) fn moment(request: &SignedRequest<'_>) -> Result<i64, SigV4Error> {
    let read = |value: &[u8], parse: fn(&str) -> Option<i64>| {
        let text = std::str::from_utf8(value).ok();
        text.and_then(|text| parse(text.trim_matches([' ', '\t']))).ok_or(SigV4Error::Malformed(date_text()))
    };
    if let Some(value) = request.once("x-amz-date")? {
        return read(value, date::parse_iso);
    }
    let value = request.once("date")?.ok_or(SigV4Error::MissingDate)?;
    read(value, |text| date::parse_iso(text).or_else(|| date::parse_rfc1123(text)))
}

/// What a moment of another form is answered with.
pub(super) fn date_text() -> &'static str {
    "Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601"
}
