//! Logs, on standard error.

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use crate::config::catalogue::Log;
use crate::config::kinds::LogFormat;
use crate::telemetry::Traces;

/// Sends what is logged to standard error, as the settings say, and requests to the collector, where there is one.
pub fn start(log: &Log, traces: Option<&Traces>) {
    let writer = std::io::stderr;
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match log.format {
        LogFormat::Text => tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer().json().with_writer(writer).boxed(),
    };
    let lines = lines.with_filter(log.level.targets()).boxed();
    let layers: Vec<_> = traces.map(Traces::layer).into_iter().chain([lines]).collect();
    tracing_subscriber::registry().with(layers).init();
}
