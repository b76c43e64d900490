//! Headers of content: entity tags, conditions, digests.

use berth_oci::digest::Digest;
use http::header::{CONTENT_LENGTH, ETAG, IF_NONE_MATCH};
use http::response::Builder;
use http::{HeaderMap, Response, StatusCode};

use super::{Answer, Refusal};
use crate::server::ResponseBody;

/// The name of the header that tells a digest.
pub(super) const DIGEST: &str = "docker-content-digest";

/// A response that cannot be refused for its headers: all of them come from parsed words.
pub(super) fn finish(builder: Builder, body: ResponseBody) -> Answer {
    builder.body(body).map_err(|error| {
        tracing::error!(%error, "a response could not be rendered");
        let message = "the registry could not render its answer";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, berth_oci::error::ErrorCode::Unknown, message)
    })
}

/// The head of an answer that carries content named by a digest.
pub(super) fn head(status: StatusCode, digest: &Digest) -> Builder {
    let text = digest.to_string();
    let tag = ["\"", &text, "\""].concat();
    Response::builder().status(status).header(DIGEST, text).header(ETAG, tag)
}

/// 304 where the client says that it has this content already (RFC 9110, section 13.1.2).
pub(super) fn not_modified(headers: &HeaderMap, digest: &Digest) -> Option<Answer> {
    if !headers.contains_key(IF_NONE_MATCH) {
        return None;
    }
    let wanted = format!("\"{digest}\"");
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == wanted)
    });
    known.then(|| finish(head(StatusCode::NOT_MODIFIED, digest), ResponseBody::empty()))
}

/// An answer to HEAD: the length is told, the bytes are not sent.
pub(super) fn without_body(builder: Builder, length: u64) -> Answer {
    finish(builder.header(CONTENT_LENGTH, length), ResponseBody::empty())
}
