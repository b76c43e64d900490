//! Whether a signature holds.

use subtle::ConstantTimeEq;

use super::canonical::Canonical;
use super::error::shown;
use super::parameters::{self, Parameter};
use super::{Form, PathStyle, Presented, SigV4Error, SignedRequest, key, presigned};

/// How far a client's clock may be off: 15 minutes, in seconds.
pub const DEFAULT_SKEW: u32 = 900;

const CONTENT_HASH: &str = "x-amz-content-sha256";

/// What a service demands of a signed request.
#[derive(Debug, Clone, Copy)]
pub struct Demands<'a> {
    /// The time, in seconds since 1970.
    pub now: i64,
    /// How far a client's clock may be off, in seconds; [`DEFAULT_SKEW`] is AWS's. The edge itself is accepted.
    pub skew: u32,
    /// The regions of a credential scope that are accepted.
    pub regions: &'a [&'a str],
    /// The services that are accepted; the first is the one that a refusal names.
    pub services: &'a [&'a str],
    /// The SHA-256 of the body that was received, in either form.
    pub payload_sha256: [u8; 32],
    /// How the service makes paths canonical.
    pub path_style: PathStyle,
}

/// Verifies what a request presents with the secret of its access key.
///
/// `presented` is what [`Presented::read`] read from this same request. Accepted are a scope, a moment and a payload as
/// demanded, and a signature that covers `host`, each `x-amz-…` header and all of the query string. Whoever routes the
/// request must do so by what was verified: see [`PathStyle`]. Whether the session token belongs to the key is the
/// caller's to ask.
///
/// Errors: those of [`SigV4Error`] from `Region` on; `HeaderAbsent` too. A wrong signature is found in constant time.
pub fn verify(
    request: &SignedRequest<'_>,
    presented: &Presented,
    secret: &str,
    demands: &Demands<'_>,
) -> Result<(), SigV4Error> {
    check_scope(presented, demands)?;
    check_clock(presented, demands)?;
    check_signed_headers(request, presented)?;
    let parameters = parameters::parameters(request.query);
    check_payload(request, &parameters, demands)?;
    check_signature(request, parameters, presented, secret, demands)
}

fn check_scope(presented: &Presented, demands: &Demands<'_>) -> Result<(), SigV4Error> {
    let scope = presented.scope();
    if !demands.regions.contains(&scope.region.as_str()) {
        return Err(SigV4Error::Region { given: scope.region.clone(), valid: demands.regions.join(", ") });
    }
    if !demands.services.contains(&scope.service.as_str()) {
        let right = demands.services.first().copied().unwrap_or_default();
        return Err(SigV4Error::Service(right.to_owned()));
    }
    let moment = presented.moment();
    if scope.date == super::date::day(moment) {
        Ok(())
    } else {
        Err(SigV4Error::Date { scope: scope.date.clone(), moment })
    }
}

fn check_clock(presented: &Presented, demands: &Demands<'_>) -> Result<(), SigV4Error> {
    let (moment, now, skew) = (presented.moment(), demands.now, demands.skew);
    if moment > now.saturating_add(i64::from(skew)) {
        return Err(SigV4Error::NotYetCurrent { moment, now, allowed: skew });
    }
    let allowed = presented.expires().unwrap_or(skew);
    if moment < now.saturating_sub(i64::from(allowed)) {
        return Err(SigV4Error::Expired { moment, now, allowed });
    }
    Ok(())
}

fn check_signed_headers(request: &SignedRequest<'_>, presented: &Presented) -> Result<(), SigV4Error> {
    let is_signed = |name: &str| {
        let name = name.to_ascii_lowercase();
        presented.signed_headers().binary_search(&name).is_ok()
    };
    if !is_signed("host") {
        return Err(SigV4Error::HostNotSigned);
    }
    request.once("host")?;
    let is_of_aws = |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
    match request.headers.iter().find(|(name, _)| is_of_aws(name) && !is_signed(name)) {
        Some((name, _)) => Err(SigV4Error::HeaderNotSigned(shown(name))),
        None => Ok(()),
    }
}

/// What the request says of its payload, in a header or (as presigned URLs for S3 do) in the query string.
fn check_payload(
    request: &SignedRequest<'_>,
    parameters: &[Parameter<'_>],
    demands: &Demands<'_>,
) -> Result<(), SigV4Error> {
    let is_hash = |parameter: &&Parameter<'_>| parameter.name.eq_ignore_ascii_case(CONTENT_HASH.as_bytes());
    let said = parameters.iter().filter(is_hash).map(|parameter| parameter.value.as_slice());
    let right = key::hex(&demands.payload_sha256);
    for value in request.values(CONTENT_HASH).chain(said).map(<[u8]>::trim_ascii) {
        if value == b"UNSIGNED-PAYLOAD" || value.starts_with(b"STREAMING-") {
            return Err(SigV4Error::UnsignedPayload);
        }
        if value != right.as_bytes() {
            return Err(SigV4Error::PayloadMismatch);
        }
    }
    Ok(())
}

fn check_signature(
    request: &SignedRequest<'_>,
    mut parameters: Vec<Parameter<'_>>,
    presented: &Presented,
    secret: &str,
    demands: &Demands<'_>,
) -> Result<(), SigV4Error> {
    if presented.form() == Form::Query {
        parameters.retain(|parameter| !parameter.is(presigned::SIGNATURE));
    }
    let canonical = Canonical::new(request, presented.signed_headers(), &demands.payload_sha256, demands.path_style)?;
    let holds = |query: &str| -> bool {
        let right = key::signature(secret, presented.scope(), presented.moment(), &canonical.digest(query));
        right.as_ref().ct_eq(&presented.signature).into()
    };
    let documented = parameters::canonical(&parameters);
    // A text that is signed as it was sent leaves no room: each of its bytes is covered.
    let as_sent = || parameters::as_sent(&parameters).filter(|text| *text != documented);
    if holds(&documented) || as_sent().is_some_and(|text| holds(&text)) {
        Ok(())
    } else {
        Err(SigV4Error::SignatureMismatch)
    }
}
