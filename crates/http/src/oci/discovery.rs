//! What there is: the version check, the catalog, tags, referrers.

use berth_domain::{Caller, Domain, Error};
use berth_oci::digest::Digest;
use berth_oci::error::ErrorCode;
use berth_oci::media_type;
use berth_oci::name::RepositoryName;
use berth_oci::referrers::{ReferrerDescriptor, render_index};
use berth_oci::tag::Tag;
use berth_store::manifests::ReferrerRecord;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use serde::Serialize;

use super::request::Call;
use super::{Answer, Refusal, content, page};
use crate::auth;
use crate::server::ResponseBody;

/// A page of referrers is smaller than a manifest may be (distribution spec, "Listing Referrers").
const REFERRERS_PAGE_BYTES: usize = 4 * 1024 * 1024 - 64 * 1024;

/// Clients log in here: whoever shows nothing is challenged, even where something is open to everybody, because that is
/// how clients learn that there is a login. A token that stands for nobody is enough.
pub(super) fn base(caller: &Caller, call: &Call) -> Answer {
    let shows_nothing = matches!(auth::presented(&call.parts.headers), Ok(auth::Presented::Nothing));
    if caller.is_anonymous() && shows_nothing {
        return Err(Error::Unauthenticated.into());
    }
    json_page(Response::builder(), &Nothing {})
}

pub(super) async fn catalog(domain: &Domain, caller: &Caller, call: &Call) -> Answer {
    domain.allow_catalog(caller).await?;
    let query = call.query()?;
    let wanted = page::size(&query)?.unwrap_or(page::MAX_ITEMS).min(page::MAX_ITEMS);
    let found = domain.catalog(caller, query.first("last").unwrap_or_default(), wanted).await?;
    let mut head = Response::builder();
    if let (true, Some(last)) = (found.more, found.items.last()) {
        head = page::link(head, "/v2/_catalog", &[("last", last.as_str()), ("n", &wanted.to_string())]);
    }
    json_page(head, &Repositories { repositories: &found.items })
}

pub(super) async fn tags(domain: &Domain, caller: &Caller, name: &RepositoryName, call: &Call) -> Answer {
    let query = call.query()?;
    let wanted = page::size(&query)?.unwrap_or(page::MAX_ITEMS).min(page::MAX_ITEMS);
    let found = domain.list_tags(caller, name, query.first("last").unwrap_or_default(), wanted).await?;
    let mut head = Response::builder();
    if let (true, Some(last)) = (found.more, found.items.last()) {
        let path = format!("/v2/{name}/tags/list");
        head = page::link(head, &path, &[("last", last.as_str()), ("n", &wanted.to_string())]);
    }
    json_page(head, &Tags { name, tags: &found.items })
}

pub(super) async fn referrers(
    domain: &Domain,
    caller: &Caller,
    name: &RepositoryName,
    subject: &Digest,
    call: &Call,
) -> Answer {
    let query = call.query()?;
    let artifact_type = query.first("artifactType");
    let last = query.first("last").unwrap_or_default();
    let found = domain.referrers(caller, name, subject, artifact_type, last).await?;
    let descriptors: Vec<ReferrerDescriptor> = found.items.into_iter().map(descriptor).collect();
    let (shown, body) = render_index(&descriptors, REFERRERS_PAGE_BYTES);
    let mut head = Response::builder().header(CONTENT_TYPE, media_type::OCI_INDEX);
    if artifact_type.is_some() {
        head = head.header("oci-filters-applied", "artifactType");
    }
    if let (true, Some(last)) = (found.more || shown < descriptors.len(), descriptors[..shown].last()) {
        let digest = last.digest.to_string();
        let mut parameters = vec![("last", digest.as_str())];
        parameters.extend(artifact_type.map(|kind| ("artifactType", kind)));
        head = page::link(head, &format!("/v2/{name}/referrers/{subject}"), &parameters);
    }
    content::finish(head, ResponseBody::full(Bytes::from(body)))
}

fn descriptor(record: ReferrerRecord) -> ReferrerDescriptor {
    ReferrerDescriptor {
        media_type: record.media_type,
        digest: record.digest,
        size: record.size,
        artifact_type: record.artifact_type,
        annotations: record.annotations,
    }
}

/// The body of the version check (distribution spec, end-1).
#[derive(Serialize)]
struct Nothing {}

/// A page of the catalog (Docker's registry API, "Catalog").
#[derive(Serialize)]
struct Repositories<'p> {
    repositories: &'p [RepositoryName],
}

/// A page of tags (distribution spec, end-8).
#[derive(Serialize)]
struct Tags<'p> {
    name: &'p RepositoryName,
    tags: &'p [Tag],
}

fn json_page(head: http::response::Builder, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "a listing could not be rendered");
        let message = "the registry could not render its answer";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, message)
    })?;
    let head = head.status(StatusCode::OK).header(CONTENT_TYPE, "application/json");
    content::finish(head, ResponseBody::full(Bytes::from(body)))
}
