//! Logs, on standard error.
//!
//! Each request is a line, so a line must cost next to nothing: it is rendered in place (see [`line`]) and written by a
//! thread of its own, many at a time (see [`sink`]).

mod access;
mod line;
mod sink;

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use berth_http::server::{AccessLog, RequestId};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use self::access::AccessLines;
use self::sink::{Sink, Writing};
use crate::config::catalogue::Log;
use crate::config::kinds::LogFormat;
use crate::telemetry::Traces;

/// A longer line gives its memory back.
const KEPT: usize = 4096;

/// The thread that writes, while there is one.
static WRITING: Mutex<Option<Writing>> = Mutex::new(None);

/// Who writes the lines of requests, if they are wanted.
pub type Access = Option<Arc<dyn AccessLog>>;

/// Sends what is logged to standard error, as the settings say, and requests to the collector, where there is one. Lines may
/// wait for a moment: [`finish`] writes them.
pub fn start(log: &Log, traces: Option<&Traces>) -> Access {
    let (sink, writing) = Sink::start(std::io::stderr());
    let wanted = log.level.targets().would_enable(access::TARGET, &Level::INFO);
    let access =
        wanted.then(|| Arc::new(AccessLines { format: log.format, sink: Arc::clone(&sink) }) as Arc<dyn AccessLog>);
    let lines = Lines { format: log.format, sink }.with_filter(log.level.targets()).boxed();
    let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> =
        traces.map(Traces::layer).into_iter().chain([lines]).collect();
    tracing_subscriber::registry().with(layers).init();
    *WRITING.lock().unwrap_or_else(PoisonError::into_inner) = Some(writing);
    access
}

/// Writes what was told up to now. Nothing that is told later is written.
pub fn finish() {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// Renders events as lines. Spans are for traces alone: what a line must say of its request is the request's id.
struct Lines {
    format: LogFormat,
    sink: Arc<Sink>,
}

thread_local! {
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        LINE.with(|line| match line.try_borrow_mut() {
            Ok(mut line) => self.tell(event, &mut line),
            // Rendering a value logs something itself.
            Err(_) => self.tell(event, &mut String::new()),
        });
    }
}

impl Lines {
    fn tell(&self, event: &Event<'_>, line: &mut String) {
        line.clear();
        let request = RequestId::current();
        match self.format {
            LogFormat::Text => line::text(event, request.as_ref(), line),
            LogFormat::Json => line::json(event, request.as_ref(), line),
        }
        self.sink.write(line.as_bytes(), *event.metadata().level() <= Level::WARN);
        line.shrink_to(KEPT);
    }
}
