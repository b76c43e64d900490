//! The front of the house: which request goes to which door.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_domain::{Domain, audit as told};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};

use crate::audit;
use crate::auth::{self, TokenEndpoint};
use crate::aws::AwsDoor;
use crate::oci::{OciDoor, Refusal};
use crate::server::{Handler, RequestBody, ResponseBody, RouteLabel};

/// Renders the figures of `/metrics`.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// All doors behind one listener.
pub struct Front {
    domain: Arc<Domain>,
    oci: OciDoor,
    aws: AwsDoor,
    tokens: TokenEndpoint,
    metrics: Option<RenderMetrics>,
    draining: Arc<AtomicBool>,
    serves_apis: bool,
}

impl Front {
    /// The doors of a registry. Without `metrics`, `/metrics` is not here but on a listener of its own. While `draining`
    /// is set, `/readyz` says no.
    pub fn new(domain: Arc<Domain>, metrics: Option<RenderMetrics>, draining: Arc<AtomicBool>) -> Self {
        let (oci, aws) = (OciDoor::new(Arc::clone(&domain)), AwsDoor::new(Arc::clone(&domain)));
        let tokens = TokenEndpoint::new(Arc::clone(&domain));
        Self { domain, oci, aws, tokens, metrics, draining, serves_apis: true }
    }

    /// The same registry without the APIs of AWS and without figures, for a listener that serves OCI clients alone.
    #[must_use]
    pub fn without_apis(&self) -> Self {
        Self { serves_apis: false, ..Self::new(Arc::clone(&self.domain), None, Arc::clone(&self.draining)) }
    }

    async fn answer(&self, request: Request<RequestBody>) -> Response<ResponseBody> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/healthz" if reads => text(StatusCode::OK, "ok\n", "healthz"),
            "/readyz" if reads => Box::pin(self.ready()).await,
            _ => audit::recorded(&self.domain, request, |request| self.door(request)).await,
        }
    }

    /// What is rare or large is boxed: every request is moved together with the largest of these futures.
    async fn door(&self, request: Request<RequestBody>) -> Response<ResponseBody> {
        let path = request.uri().path();
        if path == "/v2" || path.starts_with("/v2/") {
            return self.oci.answer(request).await;
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match path {
            AwsDoor::PATH if self.serves_apis && AwsDoor::is_for(request.method(), request.uri().query()) => {
                Box::pin(self.aws.answer(request)).await
            }
            "/metrics" if reads => Box::pin(self.figures(request)).await,
            TokenEndpoint::PATH => Box::pin(self.tokens.answer(request)).await,
            _ => not_here(),
        }
    }

    async fn ready(&self) -> Response<ResponseBody> {
        if self.draining.load(Ordering::Acquire) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n", "readyz");
        }
        match self.domain.ready().await {
            Ok(()) => text(StatusCode::OK, "ready\n", "readyz"),
            Err(error) => {
                tracing::error!(%error, "not ready");
                text(StatusCode::SERVICE_UNAVAILABLE, "database or blob store do not answer\n", "readyz")
            }
        }
    }

    async fn figures(&self, request: Request<RequestBody>) -> Response<ResponseBody> {
        let Some(render) = &self.metrics else { return not_here() };
        let (parts, _) = request.into_parts();
        told::name(audit::BERTH, "GetMetrics", true);
        let caller = auth::caller(&self.domain, &parts).await;
        match caller.and_then(|caller| self.domain.allow_figures(&caller)) {
            Ok(()) => metrics_page(render),
            Err(error) => Refusal::from(error).render(),
        }
    }
}

impl Handler for Front {
    fn call(self: Arc<Self>, request: Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>> {
        Box::pin(async move { self.answer(request).await })
    }
}

/// A listener of its own for `/metrics`, without login.
pub struct MetricsOnly(pub RenderMetrics);

impl Handler for MetricsOnly {
    fn call(self: Arc<Self>, request: Request<RequestBody>) -> BoxFuture<'static, Response<ResponseBody>> {
        Box::pin(async move {
            match request.uri().path() {
                "/metrics" => metrics_page(&self.0),
                _ => text(StatusCode::NOT_FOUND, "not found: figures are at /metrics\n", "other"),
            }
        })
    }
}

fn not_here() -> Response<ResponseBody> {
    text(StatusCode::NOT_FOUND, "not found: the registry is at /v2/\n", "other")
}

fn metrics_page(render: &RenderMetrics) -> Response<ResponseBody> {
    let mut response = text(StatusCode::OK, "", "metrics");
    *response.body_mut() = ResponseBody::full(Bytes::from(render()));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn text(status: StatusCode, text: &'static str, label: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.extensions_mut().insert(RouteLabel(label));
    response
}
