//! Blobs: HEAD, GET with a single range, DELETE.

use berth_domain::blobs::{BlobHandle, Content};
use berth_domain::{Caller, Domain};
use berth_oci::digest::Digest;
use berth_oci::error::ErrorCode;
use berth_oci::name::RepositoryName;
use berth_oci::range::{ByteRange, RangeOutcome};
use berth_store::BlobRead;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, IF_RANGE, LOCATION, RANGE};
use http::response::Builder;
use http::{Response, StatusCode};

use super::request::Call;
use super::{Answer, Refusal, content};
use crate::server::{FileSlice, ResponseBody};

pub(super) async fn head(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    digest: &Digest,
    call: &Call,
) -> Answer {
    let blob = domain.check_blob(caller, name, digest).await?;
    if let Some(answer) = content::not_modified(&call.parts.headers, digest) {
        return answer;
    }
    content::without_body(describe(StatusCode::OK, digest), blob.size())
}

pub(super) async fn get(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    digest: &Digest,
    call: &Call,
) -> Answer {
    let blob = domain.get_blob(caller, name, digest).await?;
    if let Some(answer) = content::not_modified(&call.parts.headers, digest) {
        return answer;
    }
    if let Some(address) = domain.blob_address(&blob).await? {
        let head = content::head(StatusCode::TEMPORARY_REDIRECT, digest).header(LOCATION, address);
        return content::finish(head.header(CACHE_CONTROL, "no-store"), ResponseBody::empty());
    }
    match requested_range(call, &blob) {
        RangeOutcome::Whole => send(domain, &blob, 0, blob.size(), describe(StatusCode::OK, digest)).await,
        RangeOutcome::Part { start, end_inclusive } => {
            let range = format!("bytes {start}-{end_inclusive}/{}", blob.size());
            let head = describe(StatusCode::PARTIAL_CONTENT, digest).header(CONTENT_RANGE, range);
            send(domain, &blob, start, end_inclusive - start + 1, head).await
        }
        RangeOutcome::Unsatisfiable => Err(unsatisfiable(&blob)),
    }
}

/// The range asked for. `If-Range` with another entity tag asks for the whole (RFC 9110, section 13.1.5).
fn requested_range(call: &Call, blob: &BlobHandle) -> RangeOutcome {
    let other = call.header(IF_RANGE).is_some_and(|tag| tag != format!("\"{}\"", blob.digest()));
    match call.header(RANGE) {
        Some(range) if !other => ByteRange::parse_header(range, blob.size()),
        _ => RangeOutcome::Whole,
    }
}

async fn send(domain: &Domain, blob: &BlobHandle, offset: u64, length: u64, head: Builder) -> Answer {
    let body = match domain.read_blob(blob, offset, length).await? {
        Content::Bytes(bytes) => ResponseBody::full(bytes),
        Content::Stored(BlobRead::File { file, offset, .. }) => ResponseBody::file(FileSlice { file, offset, length }),
        Content::Stored(BlobRead::Stream { chunks, .. }) => ResponseBody::stream(chunks, Some(length)),
    };
    content::finish(head, body)
}

fn describe(status: StatusCode, digest: &Digest) -> Builder {
    content::head(status, digest)
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(ACCEPT_RANGES, "bytes")
        .header(CACHE_CONTROL, "private, max-age=31536000, immutable")
}

fn unsatisfiable(blob: &BlobHandle) -> Refusal {
    let message = format!("the range lies outside of the blob's {} bytes", blob.size());
    Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::RangeInvalid, message)
        .header(CONTENT_RANGE, format!("bytes */{}", blob.size()))
}

pub(super) async fn delete(domain: &Domain, caller: &Caller, name: &RepositoryName, digest: &Digest) -> Answer {
    domain.delete_blob(caller, name, digest).await?;
    content::finish(Response::builder().status(StatusCode::ACCEPTED), ResponseBody::empty())
}
