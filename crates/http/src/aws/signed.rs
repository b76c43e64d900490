//! From a signed request to a caller (AWS Signature Version 4).

use berth_aws::Region;
use berth_aws::sigv4::{Demands, PathStyle, Presented, SignedRequest};
use berth_domain::{Caller, Domain, Error};
use http::header::HOST;

use super::Call;
use crate::auth::{address, circumstances};

/// The region that clients sign requests to IAM and STS for, which have one endpoint for all regions.
const GLOBAL: &str = "us-east-1";

/// Goes on where a call shows credentials of somebody, whether they are right or not.
pub(super) async fn ensure_known(domain: &Domain, call: &Call) -> Result<(), Error> {
    let shown = Presented::require(&request(call, &borrowed(&headers(call))))?;
    domain.ensure_known_signer(&shown, address(&call.parts)).await
}

/// Who signed a call to a service that clients know by one of these names, and for which region.
pub(super) async fn caller(domain: &Domain, call: &Call, services: &[&str]) -> Result<(Caller, String), Error> {
    let headers = headers(call);
    let headers = borrowed(&headers);
    let request = request(call, &headers);
    let shown = Presented::require(&request)?;
    let settings = domain.settings();
    let mut regions: Vec<&str> = domain.regions().map(Region::as_str).collect();
    if !services.contains(&"ecr") && !regions.contains(&GLOBAL) {
        regions.push(GLOBAL);
    }
    let demands = Demands {
        now: domain.now().as_millis().div_euclid(1000),
        skew: u32::try_from(settings.clock_skew.as_secs()).unwrap_or(u32::MAX),
        regions: &regions,
        services,
        payload_sha256: call.body_sha256,
        path_style: PathStyle::Normalized,
    };
    let caller = domain.authenticate_signed(&request, &shown, &demands, address(&call.parts)).await?;
    Ok((caller.under(circumstances(&call.parts)), shown.scope().region.clone()))
}

fn request<'a>(call: &'a Call, headers: &'a [(&'a str, &'a [u8])]) -> SignedRequest<'a> {
    SignedRequest {
        method: call.parts.method.as_str(),
        path: call.parts.uri.path(),
        query: call.parts.uri.query(),
        headers,
    }
}

fn borrowed<'a>(headers: &'a [(&'a str, Vec<u8>)]) -> Vec<(&'a str, &'a [u8])> {
    headers.iter().map(|(name, value)| (*name, value.as_slice())).collect()
}

/// The headers as they came; HTTP/2 has the host in the request's target.
fn headers(call: &Call) -> Vec<(&str, Vec<u8>)> {
    let mut headers: Vec<(&str, Vec<u8>)> =
        call.parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes().to_vec())).collect();
    if let (None, Some(authority)) = (call.parts.headers.get(HOST), call.parts.uri.authority()) {
        headers.push(("host", authority.as_str().as_bytes().to_vec()));
    }
    headers
}
