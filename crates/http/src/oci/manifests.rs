//! Manifests: GET, HEAD, PUT, DELETE. Content negotiation chooses between sending and refusing, never changes bytes.

use berth_domain::images::{Found, Push};
use berth_domain::{Caller, Domain};
use berth_oci::accept::Accept;
use berth_oci::digest::Digest;
use berth_oci::error::ErrorCode;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION, VARY};
use http::response::Builder;
use http::{Response, StatusCode};

use super::request::Call;
use super::{Answer, Refusal, content};
use crate::server::ResponseBody;

/// Tags that one push by digest may set (distribution spec, "Pushing Manifests": at least 10).
const MAX_TAG_PARAMETERS: usize = 100;

pub(super) async fn get(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    reference: &Reference,
    call: &Call,
) -> Answer {
    let (found, bytes) = domain.get_manifest(caller, name, reference).await?;
    ensure_acceptable(call, &found)?;
    if let Some(answer) = content::not_modified(&call.parts.headers, &found.digest) {
        return answer;
    }
    content::finish(describe(&found), ResponseBody::full(bytes))
}

pub(super) async fn head(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    reference: &Reference,
    call: &Call,
) -> Answer {
    let found = domain.resolve(caller, name, reference).await?;
    ensure_acceptable(call, &found)?;
    if let Some(answer) = content::not_modified(&call.parts.headers, &found.digest) {
        return answer;
    }
    content::without_body(describe(&found), found.size)
}

fn describe(found: &Found) -> Builder {
    content::head(StatusCode::OK, &found.digest).header(CONTENT_TYPE, found.media_type.as_str()).header(VARY, "Accept")
}

fn ensure_acceptable(call: &Call, found: &Found) -> Result<(), Refusal> {
    let values = call.parts.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if Accept::parse(values).accepts(&found.media_type) {
        return Ok(());
    }
    let message = format!("the manifest is {}, which the Accept header does not name", found.media_type);
    Err(Refusal::new(StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown, message))
}

pub(super) async fn put(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    reference: Reference,
    call: &mut Call,
) -> Answer {
    call.refuse_content_encoding()?;
    let tags = tag_parameters(call)?;
    let bytes = call.manifest_body().await?;
    let push = Push { reference, tags: tags.clone(), content_type: call.content_type(), bytes };
    let pushed = domain.push_manifest(caller, name, push).await?;
    created(call, name, &pushed.digest, pushed.subject.as_ref(), &tags)
}

fn tag_parameters(call: &Call) -> Result<Vec<Tag>, Refusal> {
    let query = call.query()?;
    let refuse = |message: String| Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::TagInvalid, message);
    let tags: Vec<Tag> =
        query.all("tag").map(Tag::parse).collect::<Result<_, _>>().map_err(|error| refuse(error.to_string()))?;
    if tags.len() > MAX_TAG_PARAMETERS {
        return Err(refuse(format!("one push may set at most {MAX_TAG_PARAMETERS} tags")));
    }
    Ok(tags)
}

fn created(call: &Call, name: &RepositoryName, digest: &Digest, subject: Option<&Digest>, tags: &[Tag]) -> Answer {
    let location = call.location(&format!("/v2/{name}/manifests/{digest}"));
    let mut head = content::head(StatusCode::CREATED, digest).header(LOCATION, location);
    if let Some(subject) = subject {
        head = head.header("oci-subject", subject.to_string());
    }
    for tag in tags {
        head = head.header("oci-tag", tag.as_str());
    }
    content::finish(head, ResponseBody::empty())
}

pub(super) async fn delete(domain: &Domain, caller: &Caller, name: &RepositoryName, reference: &Reference) -> Answer {
    domain.delete_manifest(caller, name, reference).await?;
    content::finish(Response::builder().status(StatusCode::ACCEPTED), ResponseBody::empty())
}
