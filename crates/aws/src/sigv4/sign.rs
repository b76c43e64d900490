//! The client's side: signing in a header, and presigning a URL.

use std::fmt;

use super::canonical::Canonical;
use super::parameters::{self, encode};
use super::presented::{Scope, check_request, check_token, read_credential, read_signed_headers};
use super::{ALGORITHM, PathStyle, SigV4Error, SignedRequest, TERMINATOR, date, key, presigned};

/// With what, and for what, a request is signed. Secret and token are never printed.
#[derive(Clone, Copy)]
pub struct Signing<'a> {
    /// The id of the access key.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// The token of a temporary key.
    pub session_token: Option<&'a str>,
    /// The region of the scope.
    pub region: &'a str,
    /// The service of the scope.
    pub service: &'a str,
    /// The time, in seconds since 1970, in the years 0 to 9999.
    pub now: i64,
    /// The SHA-256 of the body.
    pub payload_sha256: [u8; 32],
    /// How the service makes paths canonical.
    pub path_style: PathStyle,
    /// Whether [`sign`] adds `x-amz-content-sha256`, as S3 wants it.
    pub declare_payload: bool,
}

impl fmt::Debug for Signing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing")
            .field("access_key_id", &self.access_key_id)
            .field("region", &self.region)
            .field("service", &self.service)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl Signing<'_> {
    fn credential(&self) -> Result<(String, Scope), SigV4Error> {
        let day = date::day(self.now);
        let text = format!("{}/{day}/{}/{}/{TERMINATOR}", self.access_key_id, self.region, self.service);
        read_credential(&text).map(|(_, scope)| (text, scope))
    }

    fn sign(&self, request: &SignedRequest<'_>, names: &[String], scope: &Scope) -> Result<String, SigV4Error> {
        let canonical = Canonical::new(request, names, &self.payload_sha256, self.path_style)?;
        let query = parameters::canonical(&parameters::parameters(request.query));
        let signature = key::signature(self.secret, scope, self.now, &canonical.digest(&query));
        Ok(key::hex(signature.as_ref()))
    }
}

/// Signs in header form: the headers to add, `authorization` last, with values of ASCII text.
///
/// All headers of the request are signed; leave out what a proxy may change. It must have `host`, and none of those that
/// this adds. Errors: [`SigV4Error::Ambiguous`] where it has one of them, `HostNotSigned`, `Malformed`, `TooLarge`.
pub fn sign(request: &SignedRequest<'_>, signing: &Signing<'_>) -> Result<Vec<(&'static str, String)>, SigV4Error> {
    refuse_present(request, &["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"])?;
    let (credential, scope) = signing.credential()?;
    let mut added = vec![("x-amz-date", date::iso(signing.now))];
    if let Some(token) = signing.session_token {
        added.push(("x-amz-security-token", check_token(token)?.to_string()));
    }
    if signing.declare_payload {
        added.push(("x-amz-content-sha256", key::hex(&signing.payload_sha256)));
    }
    let given = request.headers.iter().copied();
    let headers: Vec<_> = given.chain(added.iter().map(|(name, value)| (*name, value.as_bytes()))).collect();
    let request = SignedRequest { headers: &headers, ..*request };
    let names = names(&request)?;
    let signature = signing.sign(&request, &names, &scope)?;
    let names = names.join(";");
    let value = format!("{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}");
    added.push(("authorization", value));
    Ok(added)
}

/// Signs in query form: the whole query string of a URL that holds for `expires` seconds, 1 to 604800.
///
/// All headers of the request are signed, so that whoever uses the URL must send them; usually that is `host` alone.
/// Errors: as for [`sign`], and [`SigV4Error::Expires`].
pub fn presign(request: &SignedRequest<'_>, signing: &Signing<'_>, expires: u32) -> Result<String, SigV4Error> {
    refuse_present(request, &["authorization", "x-amz-date", "x-amz-security-token"])?;
    presigned::check_expires(expires)?;
    let (credential, scope) = signing.credential()?;
    let names = names(request)?;
    let token = signing.session_token.map(check_token).transpose()?;
    let pairs = [
        request.query.filter(|query| !query.is_empty()).map(str::to_owned),
        Some(format!("X-Amz-Algorithm={ALGORITHM}")),
        Some(format!("X-Amz-Credential={}", encode(credential.as_bytes()))),
        Some(format!("X-Amz-Date={}", date::iso(signing.now))),
        Some(format!("X-Amz-SignedHeaders={}", encode(names.join(";").as_bytes()))),
        Some(format!("X-Amz-Expires={expires}")),
        token.map(|token| format!("{}={}", presigned::TOKEN, encode(token.as_bytes()))),
    ];
    let query = pairs.into_iter().flatten().collect::<Vec<_>>().join("&");
    let signature = signing.sign(&SignedRequest { query: Some(&query), ..*request }, &names, &scope)?;
    Ok(format!("{query}&{}={signature}", presigned::SIGNATURE))
}

/// Refuses a request that a verifier would find ambiguous or too large.
fn refuse_present(request: &SignedRequest<'_>, headers: &[&'static str]) -> Result<(), SigV4Error> {
    check_request(request)?;
    let header = headers.iter().copied().find(|name| request.values(name).next().is_some());
    match header.or_else(|| presigned::any(&parameters::parameters(request.query))) {
        Some(name) => Err(SigV4Error::Ambiguous(name)),
        None => Ok(()),
    }
}

/// The names of all headers, as a signature lists them.
fn names(request: &SignedRequest<'_>) -> Result<Vec<String>, SigV4Error> {
    let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    if names.binary_search(&"host").is_err() {
        return Err(SigV4Error::HostNotSigned);
    }
    read_signed_headers(&names.join(";"))
}
