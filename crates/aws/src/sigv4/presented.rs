//! What a request presents: read, bounded, and not yet believed.

use std::fmt;

use zeroize::Zeroizing;

use super::error::shown;
use super::parameters::{Parameter, parameters};
use super::{
    Form, LONGEST_TARGET, LONGEST_VALUE, MOST_SIGNED_HEADERS, SigV4Error, SignedRequest, TERMINATOR, authorization,
    date, key, presigned,
};

const CREDENTIAL: &str =
    "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.";
const SIGNED_HEADERS: &str =
    "SignedHeaders must be lower-case header names, each once, sorted and separated by semicolons.";
const SIGNATURE: &str = "Signature must be 64 lower-case hexadecimal digits.";
const TOKEN: &str = "X-Amz-Security-Token must be of visible ASCII characters.";

/// The credentials that a request brings, before anything is believed. Signature and session token are never printed.
#[derive(Clone)]
pub struct Presented {
    access_key_id: String,
    scope: Scope,
    signed_headers: Vec<String>,
    pub(super) signature: [u8; 32],
    session_token: Option<Zeroizing<String>>,
    moment: i64,
    expires: Option<u32>,
}

/// What a signing key is good for: one day, region and service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The day in UTC, `YYYYMMDD`.
    pub date: String,
    /// The region, such as `us-east-1`.
    pub region: String,
    /// The service's signing name, such as `ecr`.
    pub service: String,
}

/// The texts that both forms bring.
pub(super) struct Parts<'a> {
    pub(super) credential: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) signature: &'a str,
}

impl Presented {
    /// Reads the credentials of either form. `None` where the request brings none of this kind: no `Authorization`
    /// header or one of another scheme, and no parameter that presents credentials.
    ///
    /// Refuses what is malformed, too large, or ambiguous: both forms, another scheme beside the query form, two
    /// `Authorization` headers, and any part of signing that comes twice.
    pub fn read(request: &SignedRequest<'_>) -> Result<Option<Self>, SigV4Error> {
        let header = request.once("authorization")?;
        let ours = header.filter(|value| authorization::is_ours(value));
        let parameters = parameters(request.query);
        match (ours, header, presigned::brings_credentials(&parameters)) {
            (Some(header), _, _) => Self::of_header(request, header, &parameters).map(Some),
            (None, Some(_), true) => Err(SigV4Error::Ambiguous("credential")),
            (None, None, true) => Self::of_query(request, &parameters).map(Some),
            (None, _, false) => Ok(None),
        }
    }

    /// As [`read`](Self::read), where a request without credentials is refused.
    pub fn require(request: &SignedRequest<'_>) -> Result<Self, SigV4Error> {
        Self::read(request)?.ok_or(SigV4Error::MissingAuthenticationToken)
    }

    fn of_header(request: &SignedRequest<'_>, header: &[u8], parameters: &[Parameter<'_>]) -> Result<Self, SigV4Error> {
        if let Some(name) = presigned::any(parameters) {
            return Err(SigV4Error::Ambiguous(name));
        }
        let parts = authorization::components(header)?;
        let moment = authorization::moment(request)?;
        let token = request.once("x-amz-security-token")?.map(header_token).transpose()?;
        Self::of_parts(request, &parts, moment, token, None)
    }

    fn of_query(request: &SignedRequest<'_>, parameters: &[Parameter<'_>]) -> Result<Self, SigV4Error> {
        for name in ["x-amz-date", "x-amz-security-token"] {
            if request.values(name).next().is_some() {
                return Err(SigV4Error::Ambiguous(name));
            }
        }
        presigned::algorithm(parameters)?;
        let parts = Parts {
            credential: presigned::required(parameters, "X-Amz-Credential")?,
            signed_headers: presigned::required(parameters, "X-Amz-SignedHeaders")?,
            signature: presigned::required(parameters, presigned::SIGNATURE)?,
        };
        let moment = presigned::moment(parameters)?;
        let expires = presigned::expires(parameters)?;
        Self::of_parts(request, &parts, moment, presigned::once(parameters, presigned::TOKEN)?, Some(expires))
    }

    fn of_parts(
        request: &SignedRequest<'_>,
        parts: &Parts<'_>,
        moment: i64,
        token: Option<&str>,
        expires: Option<u32>,
    ) -> Result<Self, SigV4Error> {
        check_request(request)?;
        let (access_key_id, scope) = read_credential(parts.credential)?;
        Ok(Self {
            access_key_id,
            scope,
            signed_headers: read_signed_headers(parts.signed_headers)?,
            signature: key::unhex(parts.signature).ok_or(SigV4Error::Malformed(SIGNATURE))?,
            session_token: token.map(check_token).transpose()?,
            moment,
            expires,
        })
    }

    /// The id of the key that the request claims to be signed with: 1 to 128 letters, digits and `_`.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The credential scope.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The names of the signed headers: lower case, sorted, each once.
    pub fn signed_headers(&self) -> &[String] {
        &self.signed_headers
    }

    /// The session token, of visible ASCII characters. It is covered by the signature once [`verify`](super::verify) is
    /// content, and not before.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(|token| token.as_str())
    }

    /// When the request says that it was signed, in seconds since 1970.
    pub fn moment(&self) -> i64 {
        self.moment
    }

    /// For how many seconds from its moment a request in query form holds, 1 to 604800.
    pub fn expires(&self) -> Option<u32> {
        self.expires
    }

    /// Where the credentials stand.
    pub fn form(&self) -> Form {
        if self.expires.is_some() { Form::Query } else { Form::Header }
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presented")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope)
            .field("signed_headers", &self.signed_headers)
            .field("session_token", &self.session_token.as_ref().map(|_| "…"))
            .field("moment", &self.moment)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Scope {
    /// The scope in one text, `date/region/service/aws4_request`.
    pub(super) fn text(&self) -> String {
        format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

/// What bounds the work, and what a canonical request cannot hold.
pub(super) fn check_request(request: &SignedRequest<'_>) -> Result<(), SigV4Error> {
    let token = !request.method.is_empty() && request.method.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !token {
        return Err(SigV4Error::Malformed("The request's method is not of letters, digits and hyphens."));
    }
    if request.path.len() > LONGEST_TARGET || request.query.is_some_and(|query| query.len() > LONGEST_TARGET) {
        return Err(SigV4Error::TooLarge("target"));
    }
    Ok(())
}

/// Reads `keyid/date/region/service/aws4_request`.
pub(super) fn read_credential(text: &str) -> Result<(String, Scope), SigV4Error> {
    let mut elements = text.split('/');
    let mut element = || elements.next().ok_or(SigV4Error::Malformed(CREDENTIAL));
    let (id, date, region, service, terminator) = (element()?, element()?, element()?, element()?, element()?);
    let id_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let word_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let word = |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(word_byte);
    let id_fits = (1..=128).contains(&id.len()) && id.bytes().all(id_byte);
    if elements.next().is_some() || !id_fits || !date::is_day(date) || !word(region) || !word(service) {
        return Err(SigV4Error::Malformed(CREDENTIAL));
    }
    if terminator != TERMINATOR {
        return Err(SigV4Error::Terminator(shown(terminator)));
    }
    let scope = Scope { date: date.to_owned(), region: region.to_owned(), service: service.to_owned() };
    Ok((id.to_owned(), scope))
}

/// Reads `host;x-amz-date`.
pub(super) fn read_signed_headers(text: &str) -> Result<Vec<String>, SigV4Error> {
    if text.len() > LONGEST_VALUE {
        return Err(SigV4Error::TooLarge("list of signed headers"));
    }
    let names: Vec<&str> = text.split(';').take(MOST_SIGNED_HEADERS + 1).collect();
    if names.len() > MOST_SIGNED_HEADERS {
        return Err(SigV4Error::TooLarge("list of signed headers"));
    }
    let sorted = names.is_sorted_by(|one, next| one < next);
    if sorted && names.iter().all(|name| is_header_name(name)) {
        Ok(names.into_iter().map(str::to_owned).collect())
    } else {
        Err(SigV4Error::Malformed(SIGNED_HEADERS))
    }
}

/// A token of RFC 9110, section 5.6.2, in lower case.
fn is_header_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(plain)
}

fn header_token(value: &[u8]) -> Result<&str, SigV4Error> {
    std::str::from_utf8(value).map(|text| text.trim_matches([' ', '\t'])).map_err(|_| SigV4Error::Malformed(TOKEN))
}

/// Bounds a session token.
pub(super) fn check_token(text: &str) -> Result<Zeroizing<String>, SigV4Error> {
    if text.len() > LONGEST_VALUE {
        return Err(SigV4Error::TooLarge("session token"));
    }
    let visible = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if visible { Ok(Zeroizing::new(text.to_owned())) } else { Err(SigV4Error::Malformed(TOKEN)) }
}
