//! Uploads: POST, PATCH, PUT, status, cancel and mount.

use berth_domain::uploads::Mount;
use berth_domain::{Caller, Domain};
use berth_oci::digest::{Algorithm, Digest};
use berth_oci::endpoint::UploadId;
use berth_oci::error::ErrorCode;
use berth_oci::name::RepositoryName;
use berth_oci::query::Query;
use berth_oci::range::ContentRange;
use bytes::Bytes;
use http::header::{CONTENT_RANGE, LOCATION, RANGE};
use http::{Response, StatusCode};

use super::request::Call;
use super::{Answer, Refusal, content};
use crate::server::ResponseBody;

pub(super) async fn post(domain: &Domain, caller: &Caller, name: &RepositoryName, call: &mut Call) -> Answer {
    call.refuse_content_encoding()?;
    let query = call.query()?;
    if let Some(answer) = mount(domain, caller, name, call, &query).await? {
        return Ok(answer);
    }
    let digest = query.first("digest").map(parse_digest).transpose()?;
    let algorithm = algorithm(&query, digest.as_ref())?;
    let id = domain.begin_upload(caller, name, algorithm).await?;
    let Some(digest) = digest else { return accepted(call, name, &id, 0) };
    let finished = domain.finish_upload(caller, name, &id, None, &mut call.body, &digest).await;
    if finished.is_err() {
        // The client was never told the upload's id, so nothing can go on from what arrived.
        let _ = domain.cancel_upload(caller, name, &id).await;
    }
    finished?;
    created(call, name, &digest)
}

async fn mount(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    call: &Call,
    query: &Query,
) -> Result<Option<Response<ResponseBody>>, Refusal> {
    let Some(digest) = query.first("mount").map(parse_digest).transpose()? else { return Ok(None) };
    let from = query
        .first("from")
        .map(RepositoryName::parse)
        .transpose()
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::NameInvalid, format!("from: {error}")))?;
    match domain.mount_blob(caller, name, &digest, from.as_ref()).await? {
        Mount::Mounted => created(call, name, &digest).map(Some),
        Mount::NotFound => Ok(None),
    }
}

fn parse_digest(text: &str) -> Result<Digest, Refusal> {
    Digest::parse(text)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid, error.to_string()))
}

fn algorithm(query: &Query, digest: Option<&Digest>) -> Result<Algorithm, Refusal> {
    let named = query.first("digest-algorithm").map(Algorithm::parse).transpose();
    let named =
        named.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid, error.to_string()))?;
    Ok(named.or(digest.map(Digest::algorithm)).unwrap_or(Algorithm::Sha256))
}

pub(super) async fn status(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    id: &UploadId,
    call: &Call,
) -> Answer {
    let offset = domain.upload_status(caller, name, id).await?;
    progress(StatusCode::NO_CONTENT, call, name, id, offset)
}

pub(super) async fn patch(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    id: &UploadId,
    call: &mut Call,
) -> Answer {
    call.refuse_content_encoding()?;
    let start = expected_start(domain, caller, name, id, call).await?;
    let appended = domain.append_to_upload(caller, name, id, start, &mut call.body).await;
    let offset = appended.map_err(|error| with_location(error, call, name, id))?;
    accepted(call, name, id, offset)
}

pub(super) async fn put(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    id: &UploadId,
    call: &mut Call,
) -> Answer {
    call.refuse_content_encoding()?;
    let query = call.query()?;
    let Some(digest) = query.first("digest").map(parse_digest).transpose()? else {
        let message = "say what the upload is: PUT it with ?digest=sha256:...";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid, message));
    };
    let start = expected_start(domain, caller, name, id, call).await?;
    let finished = domain.finish_upload(caller, name, id, start, &mut call.body, &digest).await;
    finished.map_err(|error| with_location(error, call, name, id))?;
    created(call, name, &digest)
}

pub(super) async fn cancel(domain: &Domain, caller: &Caller, name: &RepositoryName, id: &UploadId) -> Answer {
    domain.cancel_upload(caller, name, id).await?;
    content::finish(Response::builder().status(StatusCode::NO_CONTENT), ResponseBody::empty())
}

/// Where `Content-Range` says that the body begins; its length must be the body's. A refusal tells the true offset.
async fn expected_start(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    id: &UploadId,
    call: &Call,
) -> Result<Option<u64>, Refusal> {
    let message = match declared_start(call) {
        Ok(start) => return Ok(start),
        Err(message) => message,
    };
    let offset = domain.upload_status(caller, name, id).await?;
    Err(wrong_range(message).header(RANGE, range_header(offset)).header(LOCATION, upload_url(call, name, id)))
}

fn wrong_range(message: String) -> Refusal {
    Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::BlobUploadInvalid, message)
}

fn declared_start(call: &Call) -> Result<Option<u64>, String> {
    let Some(value) = call.parts.headers.get(CONTENT_RANGE) else { return Ok(None) };
    let text = value.to_str().map_err(|_| "Content-Range is not text".to_owned())?;
    let range = ContentRange::parse(text).map_err(|error| format!("Content-Range: {error}"))?;
    let length = range.end_inclusive.checked_sub(range.start).and_then(|span| span.checked_add(1));
    match call.declared_length() {
        Some(declared) if Some(declared) != length => {
            Err(format!("Content-Range names another length than the {declared} bytes of the body"))
        }
        _ => Ok(Some(range.start)),
    }
}

/// A refused chunk tells where the upload is, so that the client can go on.
fn with_location(error: berth_domain::Error, call: &Call, name: &RepositoryName, id: &UploadId) -> Refusal {
    let goes_on = matches!(error, berth_domain::Error::UploadRange { .. } | berth_domain::Error::UploadBusy { .. });
    let refusal = Refusal::from(error);
    if goes_on { refusal.header(LOCATION, upload_url(call, name, id)) } else { refusal }
}

fn upload_url(call: &Call, name: &RepositoryName, id: &UploadId) -> String {
    call.location(&format!("/v2/{name}/blobs/uploads/{id}"))
}

fn accepted(call: &Call, name: &RepositoryName, id: &UploadId, offset: u64) -> Answer {
    progress(StatusCode::ACCEPTED, call, name, id, offset)
}

fn progress(status: StatusCode, call: &Call, name: &RepositoryName, id: &UploadId, offset: u64) -> Answer {
    let head = Response::builder()
        .status(status)
        .header(LOCATION, upload_url(call, name, id))
        .header(RANGE, range_header(offset))
        .header("docker-upload-uuid", id.to_string());
    content::finish(head, ResponseBody::empty())
}

/// What an upload holds, as the spec's `Range: 0-N`; an empty one is `0-0`, for want of a way to say so.
pub(super) fn range_header(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

fn created(call: &Call, name: &RepositoryName, digest: &Digest) -> Answer {
    let location = call.location(&format!("/v2/{name}/blobs/{digest}"));
    let head = content::head(StatusCode::CREATED, digest).header(LOCATION, location);
    content::finish(head, ResponseBody::full(Bytes::new()))
}
