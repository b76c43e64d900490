//! The OCI door: the distribution spec and Docker's v2 dialect. Parses, calls the domain, renders; decides nothing.

mod blobs;
mod content;
mod discovery;
mod errors;
mod manifests;
mod page;
mod request;
mod uploads;

use std::sync::Arc;

use berth_domain::{Action, Caller, Domain};
use berth_oci::endpoint::Endpoint;
use berth_oci::error::ErrorCode;
use berth_oci::name::RepositoryName;
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{Method, Response, StatusCode};

use crate::server::ResponseBody;
use crate::{audit, auth, registry};
pub use errors::Refusal;
use request::Call;

/// What a handler gives back.
pub(crate) type Answer = Result<Response<ResponseBody>, Refusal>;

/// The door.
pub struct OciDoor {
    domain: Arc<Domain>,
}

impl OciDoor {
    /// A door to a registry.
    pub fn new(domain: Arc<Domain>) -> Self {
        Self { domain }
    }

    /// Answers a request below `/v2/`.
    pub async fn answer(&self, request: http::Request<crate::server::RequestBody>) -> Response<ResponseBody> {
        let mut call = Call::new(request);
        call.base = registry::base_of_links(&self.domain, &call.parts);
        let answer = self.route(&mut call).await;
        let mut response = answer.unwrap_or_else(Refusal::render);
        if response.status() == StatusCode::UNAUTHORIZED {
            let is_too_small = response.extensions().get::<errors::TooSmallToken>().is_some();
            self.challenge(&call, is_too_small, response.headers_mut());
        }
        let version = http::HeaderValue::from_static("registry/2.0");
        response.headers_mut().insert("docker-distribution-api-version", version);
        response
    }

    fn challenge(&self, call: &Call, is_too_small: bool, headers: &mut http::HeaderMap) {
        if let Ok(challenge) = auth::challenge(&self.domain, &call.parts, is_too_small).try_into() {
            headers.insert(WWW_AUTHENTICATE, challenge);
            headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
        }
    }

    async fn route(&self, call: &mut Call) -> Answer {
        let endpoint = Endpoint::parse(call.parts.uri.path());
        audit::of_oci(&call.parts, endpoint.as_ref().ok());
        let caller = auth::caller(&self.domain, &call.parts).await?;
        let endpoint = endpoint.map_err(|error| Refusal::hide_from_strangers(&caller, errors::endpoint(&error)))?;
        let label = route_label(&endpoint);
        if let Some(name) = endpoint.repository() {
            tracing::Span::current().record("berth.repository", name.as_str());
        }
        let mut response = match self.dispatch(&caller, endpoint, call).await {
            Ok(response) => response,
            Err(refusal) => refusal.render(),
        };
        response.extensions_mut().insert(crate::server::RouteLabel(label));
        Ok(response)
    }

    /// Everything but the pulls is boxed, so that these are not moved together with what a push needs.
    async fn dispatch(&self, caller: &Caller, endpoint: Endpoint, call: &mut Call) -> Answer {
        let registry = registry::for_oci(&self.domain, caller, &call.parts).await?;
        let domain = registry.as_ref();
        berth_domain::audit::registry(domain);
        let method = call.parts.method.clone();
        if let Some(operation) = counted_as(&endpoint, &method) {
            domain.throttle(caller, operation)?;
        }
        if let Some((action, name)) = judged_as(&endpoint, &method) {
            // The domain asks again; here it comes before anything of the request is looked at.
            domain.allow_beforehand(caller, action, name).await?;
        }
        match (endpoint, method) {
            (Endpoint::Base, Method::GET | Method::HEAD) => discovery::base(caller, call),
            (Endpoint::Catalog, Method::GET) => Box::pin(discovery::catalog(domain, caller, call)).await,
            (Endpoint::Tags { name }, Method::GET) => Box::pin(discovery::tags(domain, caller, &name, call)).await,
            (Endpoint::Referrers { name, digest }, Method::GET | Method::HEAD) => {
                Box::pin(discovery::referrers(domain, caller, &name, &digest, call)).await
            }
            (Endpoint::Manifest { name, reference }, Method::GET) => {
                manifests::get(domain, caller, &name, &reference, call).await
            }
            (Endpoint::Manifest { name, reference }, Method::HEAD) => {
                manifests::head(domain, caller, &name, &reference, call).await
            }
            (Endpoint::Manifest { name, reference }, Method::PUT) => {
                Box::pin(manifests::put(domain, caller, &name, reference, call)).await
            }
            (Endpoint::Manifest { name, reference }, Method::DELETE) => {
                Box::pin(manifests::delete(domain, caller, &name, &reference)).await
            }
            (Endpoint::Blob { name, digest }, Method::GET) => blobs::get(domain, caller, &name, &digest, call).await,
            (Endpoint::Blob { name, digest }, Method::HEAD) => blobs::head(domain, caller, &name, &digest, call).await,
            (Endpoint::Blob { name, digest }, Method::DELETE) => {
                Box::pin(blobs::delete(domain, caller, &name, &digest)).await
            }
            (Endpoint::Uploads { name }, Method::POST) => Box::pin(uploads::post(domain, caller, &name, call)).await,
            (Endpoint::Upload { name, id }, Method::GET | Method::HEAD) => {
                Box::pin(uploads::status(domain, caller, &name, &id, call)).await
            }
            (Endpoint::Upload { name, id }, Method::PATCH) => {
                Box::pin(uploads::patch(domain, caller, &name, &id, call)).await
            }
            (Endpoint::Upload { name, id }, Method::PUT) => {
                Box::pin(uploads::put(domain, caller, &name, &id, call)).await
            }
            (Endpoint::Upload { name, id }, Method::DELETE) => {
                Box::pin(uploads::cancel(domain, caller, &name, &id)).await
            }
            (endpoint, method) => Err(not_allowed(caller, &endpoint, &method)),
        }
    }
}

/// The action that a request below a repository is judged as; `None` where there is no such request.
pub(crate) fn judged_as<'a>(endpoint: &'a Endpoint, method: &Method) -> Option<(Action, &'a RepositoryName)> {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let (action, name) = match endpoint {
        Endpoint::Tags { name } if reads => (Action::ListImages, name),
        Endpoint::Referrers { name, .. } | Endpoint::Manifest { name, .. } if reads => (Action::BatchGetImage, name),
        Endpoint::Manifest { name, .. } if method == Method::PUT => (Action::PutImage, name),
        Endpoint::Manifest { name, .. } | Endpoint::Blob { name, .. } if method == Method::DELETE => {
            (Action::BatchDeleteImage, name)
        }
        Endpoint::Blob { name, .. } if method == Method::HEAD => (Action::BatchCheckLayerAvailability, name),
        Endpoint::Blob { name, .. } if reads => (Action::GetDownloadUrlForLayer, name),
        Endpoint::Uploads { name } if method == Method::POST => (Action::InitiateLayerUpload, name),
        Endpoint::Upload { name, .. } if method == Method::PUT => (Action::CompleteLayerUpload, name),
        Endpoint::Upload { name, .. } if reads || method == Method::PATCH || method == Method::DELETE => {
            (Action::UploadLayerPart, name)
        }
        _ => return None,
    };
    Some((action, name))
}

/// The operation of ECR that a request counts as, where quotas are set; asking whether one is let in counts as none.
fn counted_as(endpoint: &Endpoint, method: &Method) -> Option<&'static str> {
    match endpoint {
        Endpoint::Catalog if method == Method::GET => Some(Action::DescribeRepositories.as_str()),
        _ => judged_as(endpoint, method).map(|(action, _)| action.as_str()),
    }
}

fn not_allowed(caller: &Caller, endpoint: &Endpoint, method: &Method) -> Refusal {
    let message = format!("{method} is not possible on {}", route_label(endpoint));
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported, message);
    Refusal::hide_from_strangers(caller, refusal.header(http::header::ALLOW, allowed(endpoint)))
}

const fn allowed(endpoint: &Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Base | Endpoint::Referrers { .. } => "GET, HEAD",
        Endpoint::Catalog | Endpoint::Tags { .. } => "GET",
        Endpoint::Manifest { .. } => "GET, HEAD, PUT, DELETE",
        Endpoint::Blob { .. } => "GET, HEAD, DELETE",
        Endpoint::Uploads { .. } => "POST",
        Endpoint::Upload { .. } => "GET, HEAD, PATCH, PUT, DELETE",
    }
}

const fn route_label(endpoint: &Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Base => "base",
        Endpoint::Catalog => "catalog",
        Endpoint::Tags { .. } => "tags",
        Endpoint::Manifest { .. } => "manifest",
        Endpoint::Blob { .. } => "blob",
        Endpoint::Uploads { .. } => "uploads",
        Endpoint::Upload { .. } => "upload",
        Endpoint::Referrers { .. } => "referrers",
    }
}
