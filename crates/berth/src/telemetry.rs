//! Traces: one span for each request, sent as OTLP over HTTP in protobuf.
//!
//! Requests never wait for the collector: spans go into a bounded queue, a thread of its own sends them in batches, and
//! what finds the queue full is dropped.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tokio::time::Instant;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};

use crate::config::catalogue::Telemetry;
use crate::failure::Failure;

/// How long the collector may take for a batch, all attempts together.
const EXPORT_TIME: Duration = Duration::from_secs(5);
/// How long the last spans may take when the server ends.
const LAST_EXPORT_TIME: Duration = Duration::from_secs(5);
/// A collector that is gone is told about once in so long.
const SILENCE: Duration = Duration::from_mins(1);
/// Where the spans of requests come from.
const REQUESTS: &str = "berth_http::server";

/// The way to the collector.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to collect spans, where a collector is configured. Must be called outside of a Tokio runtime: the thread
    /// that sends brings its own.
    pub fn start(settings: &Telemetry) -> Result<Option<Self>, Failure> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
        let sender = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.traces_url())
            .with_timeout(EXPORT_TIME)
            .build()
            .map_err(|error| Failure::doing("traces cannot be sent", error))?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_resource(Resource::builder_empty().with_service_name("berth").with_attribute(version).build())
            .with_batch_exporter(Exporter { sender, silent_until: Mutex::new(None) })
            .build();
        Ok(Some(Self(provider)))
    }

    /// What takes the spans of requests, and nothing else, from the program.
    pub fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        let requests = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with(REQUESTS));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("berth"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(requests)
            .boxed()
    }

    /// Sends what is left, as far as that is soon done.
    pub fn finish(self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_EXPORT_TIME) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Continues the trace that a client has begun (W3C Trace Context).
pub fn continue_trace(traceparent: &str, tracestate: Option<&str>, span: &Span) {
    let headers = Headers { traceparent, tracestate };
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
    if let Err(error) = span.set_parent(parent) {
        tracing::debug!(%error, "a trace is not continued");
    }
}

struct Headers<'a> {
    traceparent: &'a str,
    tracestate: Option<&'a str>,
}

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => Some(self.traceparent),
            "tracestate" => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

/// Sends batches, and says so once in a while if that fails.
#[derive(Debug)]
struct Exporter {
    sender: opentelemetry_otlp::SpanExporter,
    silent_until: Mutex<Option<Instant>>,
}

impl Exporter {
    fn tell(&self, error: &dyn std::fmt::Display, lost: usize) {
        let now = Instant::now();
        let mut silent_until = self.silent_until.lock().unwrap_or_else(PoisonError::into_inner);
        if silent_until.is_none_or(|until| until <= now) {
            *silent_until = Some(now + SILENCE);
            tracing::warn!(%error, lost, "traces cannot be sent; this is not said again for a minute");
        }
    }
}

/// Gives a span its name by the conventions, `GET manifest`: the route is not known when the span begins.
fn name(span: &mut SpanData) {
    let value =
        |key: &str| Some(span.attributes.iter().find(|attribute| attribute.key.as_str() == key)?.value.as_str());
    if let (Some(method), Some(route)) = (value("http.request.method"), value("http.route")) {
        span.name = format!("{method} {route}").into();
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(name);
        let count = batch.len();
        self.sender.export(batch).await.inspect_err(|error| self.tell(error, count))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.sender.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.sender.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.sender.set_resource(resource);
    }
}
