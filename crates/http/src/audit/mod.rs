//! What the doors tell the audit trail of a call: what it is, who asks, what for, and how it ended.
//!
//! [`recorded`] stands around every call; in it, each door says what it knows by a line of its own. Secrets do not leave this
//! crate: what is told of a request is chosen by its shape ([`shown`]), or made of parsed words ([`oci`]).

mod oci;
mod shown;

use std::sync::Arc;

use berth_aws::protocol::{Operation, Service};
use berth_domain::audit::{Call, Outcome, Tls};
use berth_domain::{Domain, audit};
use http::header::USER_AGENT;
use http::{Request, Response, StatusCode};

use crate::server::{ClientOrigin, Encryption, ListenerName, RequestBody, RequestId, ResponseBody, given_host};

pub(crate) use oci::{of_oci, text_object};
pub(crate) use shown::{asked, asked_tree};

/// The service of what is Berth's own.
pub(crate) const BERTH: &str = "berth";
/// A request that nobody here understands.
pub(crate) const UNKNOWN: &str = "UnknownRequest";

/// Runs what answers a request so that it is on record.
pub(crate) async fn recorded<F, W>(domain: &Domain, request: Request<RequestBody>, answer: F) -> Response<ResponseBody>
where
    F: FnOnce(Request<RequestBody>) -> W,
    W: Future<Output = Response<ResponseBody>>,
{
    let call = domain.settings().audit.enabled.then(|| call(domain, &request));
    // Boxed, because what answers is large, and would be moved several times.
    let work = Box::pin(answer(request));
    match call {
        Some(call) => audit::recorded(domain, call, work, outcome).await,
        None => work.await,
    }
}

fn call(domain: &Domain, request: &Request<RequestBody>) -> Call {
    let (extensions, headers) = (request.extensions(), request.headers());
    let origin = extensions.get::<ClientOrigin>();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_secure = origin.is_some_and(|origin| origin.is_secure);
    Call {
        request_id: extensions.get::<RequestId>().map_or("", RequestId::as_str).to_owned(),
        source_ip: origin.and_then(|origin| origin.address),
        user_agent: text(USER_AGENT),
        is_secure,
        tls: origin.and_then(|origin| origin.encryption).map(|Encryption { version, cipher }| Tls { version, cipher }),
        endpoint: extensions.get::<ListenerName>().and_then(|name| endpoint_id(domain, name)),
        region: domain.settings().registry.region.as_str().to_owned(),
        host: if is_secure { given_host(request.uri(), headers).map(str::to_owned) } else { None },
    }
}

/// The id of the endpoint that a listener is, if it has one (CloudTrail's `vpcEndpointId`).
fn endpoint_id(domain: &Domain, listener: &ListenerName) -> Option<Arc<str>> {
    domain.settings().endpoints.get(&*listener.0)?.id.as_deref().map(Arc::from)
}

/// The doors have said why, by [`failed`](audit::failed); where they have not, the status is all there is.
fn outcome(response: &Response<ResponseBody>) -> Outcome {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let error = is_error.then(|| (format!("HTTP{}", status.as_u16()), reason(status)));
    Outcome { error }
}

fn reason(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().to_owned()
}

/// Says which operation of a service is asked for.
pub(crate) fn operation(service: &Service, operation: &Operation) {
    audit::name(source(service), operation.name, only_reads(operation.name));
}

/// Says that a request is for a service by its signing name, before it is known for which operation.
pub(crate) fn unknown_of(signing_name: &str) {
    audit::name(source_of(signing_name), UNKNOWN, false);
}

fn source(service: &Service) -> &'static str {
    // What is asked by IAM's protocol and is none of its operations.
    if std::ptr::eq(service, &raw const crate::iam::berth::BERTH) {
        return BERTH;
    }
    source_of(&service.name.to_ascii_lowercase())
}

fn source_of(name: &str) -> &'static str {
    match name {
        "ecr" => "ecr.amazonaws.com",
        "iam" => "iam.amazonaws.com",
        "sts" => "sts.amazonaws.com",
        "cloudtrail" => "cloudtrail.amazonaws.com",
        _ => BERTH,
    }
}

/// As CloudTrail has it: assuming a role changes nothing.
fn only_reads(operation: &str) -> bool {
    const READS: [&str; 11] = [
        "Assume",
        "BatchCheck",
        "BatchGet",
        "Decode",
        "Describe",
        "Explain",
        "Get",
        "List",
        "Lookup",
        "Simulate",
        "Validate",
    ];
    READS.iter().any(|word| operation.starts_with(word))
}

#[cfg(test)]
mod tests {
    use berth_aws::{ecr::ECR, iam::IAM, sts::STS};

    use super::*;

    #[test]
    fn every_service_has_its_source() {
        let sources = [&ECR, &IAM, &STS, &crate::iam::berth::BERTH].map(source);
        assert_eq!(sources, ["ecr.amazonaws.com", "iam.amazonaws.com", "sts.amazonaws.com", BERTH]);
    }

    #[test]
    fn what_only_reads_is_told_by_its_name() {
        for reads in ["GetUser", "BatchGetImage", "AssumeRole", "LookupEvents", "ValidatePullThroughCacheRule"] {
            assert!(only_reads(reads), "{reads}");
        }
        for changes in ["PutImage", "BatchDeleteImage", "CreateUser", "StartImageScan", "UploadLayerPart", "TagUser"] {
            assert!(!only_reads(changes), "{changes}");
        }
    }
}
