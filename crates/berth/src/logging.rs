//! Logs, on standard error.

use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::catalogue::Log;
use crate::config::kinds::LogFormat;

/// Sends what is logged to standard error, as the settings say.
pub fn start(log: &Log) {
    let writer = std::io::stderr;
    let layer = match log.format {
        LogFormat::Text => tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false).boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer().json().with_writer(writer).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(log.level.targets())).init();
}
