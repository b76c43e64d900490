//! One event as one line: for people, or as JSON with `timestamp`, `level`, `fields` and `target`.

use std::cell::RefCell;
use std::fmt::{self, Debug, Write as _};

use berth_http::server::RequestId;
use rustix::time::{ClockId, clock_gettime};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};
use tracing_log::NormalizeEvent as _;

const MESSAGE: &str = "message";
const REQUEST_ID: &str = "request_id";

/// `TIME LEVEL TARGET: message name=value ...`. Values cannot break the line.
pub(super) fn text(event: &Event<'_>, request: Option<&RequestId>, line: &mut String) {
    with_metadata(event, |metadata| {
        push_time(line);
        line.push_str(match *metadata.level() {
            Level::ERROR => " ERROR ",
            Level::WARN => "  WARN ",
            Level::INFO => "  INFO ",
            Level::DEBUG => " DEBUG ",
            Level::TRACE => " TRACE ",
        });
        line.push_str(metadata.target());
        line.push(':');
    });
    let mut fields = Text { line, names_request: false };
    event.record(&mut fields);
    if let Some(request) = request.filter(|_| !fields.names_request) {
        let _ = write!(line, " {REQUEST_ID}={request}");
    }
    line.push('\n');
}

/// The same as a JSON object.
pub(super) fn json(event: &Event<'_>, request: Option<&RequestId>, line: &mut String) {
    line.push_str("{\"timestamp\":\"");
    push_time(line);
    with_metadata(event, |metadata| {
        let _ = write!(line, "\",\"level\":\"{}\",\"target\":\"", metadata.level());
        let _ = JsonText(line).write_str(metadata.target());
    });
    line.push_str("\",\"fields\":{");
    let mut fields = Json { line, is_first: true, names_request: false };
    event.record(&mut fields);
    if let Some(request) = request.filter(|_| !fields.names_request) {
        fields.text(REQUEST_ID, format_args!("{request}"));
    }
    line.push_str("}}\n");
}

/// Events of the `log` crate have their true target in a field.
fn with_metadata(event: &Event<'_>, tell: impl FnOnce(&Metadata<'_>)) {
    match event.normalized_metadata() {
        Some(metadata) => tell(&metadata),
        None => tell(event.metadata()),
    }
}

/// The time as RFC 3339 has it, with microseconds. Lines of one second share what does not change.
pub(super) fn push_time(line: &mut String) {
    let now = clock_gettime(ClockId::Realtime);
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.tv_sec {
            let shown = jiff::Timestamp::from_second(now.tv_sec).unwrap_or(jiff::Timestamp::MAX).to_string();
            (*second, *text) = (now.tv_sec, shown.trim_end_matches('Z').to_owned());
        }
        line.push_str(text);
    });
    let mut digits = itoa::Buffer::new();
    // A leading one holds the zeros.
    let microseconds = digits.format(1_000_000 + now.tv_nsec / 1000);
    line.push('.');
    line.push_str(&microseconds[1..]);
    line.push('Z');
}

thread_local! {
    static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// Fields that say where a line of the `log` crate comes from.
fn is_of_log(field: &Field) -> bool {
    field.name().starts_with("log.")
}

struct Text<'l> {
    line: &'l mut String,
    names_request: bool,
}

impl Text<'_> {
    fn name(&mut self, field: &Field) {
        self.line.push(' ');
        if field.name() != MESSAGE {
            self.names_request |= field.name() == REQUEST_ID;
            self.line.push_str(field.name());
            self.line.push('=');
        }
    }
}

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !is_of_log(field) {
            self.name(field);
            let _ = write!(PlainText(self.line), "{value:?}");
        }
    }
}

/// Escapes what could end a line or steer a terminal.
struct PlainText<'l>(&'l mut String);

impl fmt::Write for PlainText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.contains(char::is_control) {
            self.0.push_str(text);
            return Ok(());
        }
        for character in text.chars() {
            if character.is_control() {
                self.0.extend(character.escape_default());
            } else {
                self.0.push(character);
            }
        }
        Ok(())
    }
}

struct Json<'l> {
    line: &'l mut String,
    is_first: bool,
    names_request: bool,
}

impl Json<'_> {
    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.line.push(',');
        }
        self.names_request |= name == REQUEST_ID;
        self.line.push('"');
        let _ = JsonText(self.line).write_str(name);
        self.line.push_str("\":");
    }

    fn text(&mut self, name: &str, value: fmt::Arguments<'_>) {
        self.name(name);
        self.line.push('"');
        let _ = JsonText(self.line).write_fmt(value);
        self.line.push('"');
    }

    fn plain(&mut self, field: &Field, value: impl fmt::Display) {
        if !is_of_log(field) {
            self.name(field.name());
            let _ = write!(self.line, "{value}");
        }
    }
}

impl Visit for Json<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if !is_of_log(field) {
            self.text(field.name(), format_args!("{value}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !is_of_log(field) {
            self.text(field.name(), format_args!("{value:?}"));
        }
    }
}

/// The inside of a JSON string (RFC 8259, section 7).
pub(super) struct JsonText<'l>(pub(super) &'l mut String);

impl fmt::Write for JsonText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let needs_escape = |c: char| c < ' ' || c == '"' || c == '\\';
        let mut rest = text;
        while let Some(at) = rest.find(needs_escape) {
            self.0.push_str(&rest[..at]);
            match rest.as_bytes()[at] {
                quoted @ (b'"' | b'\\') => self.0.extend(['\\', char::from(quoted)]),
                control => write!(self.0, "\\u{control:04x}")?,
            }
            // All that is escaped is one byte long.
            rest = &rest[at + 1..];
        }
        self.0.push_str(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing::Subscriber;
    use tracing_subscriber::layer::{Context, SubscriberExt as _};
    use tracing_subscriber::{Layer, registry};

    use super::*;

    type Render = fn(&Event<'_>, Option<&RequestId>, &mut String);

    struct Kept(Render, Arc<Mutex<String>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            (self.0)(event, None, &mut self.1.lock().unwrap());
        }
    }

    fn rendered(render: Render, tell: impl FnOnce()) -> String {
        let kept = Arc::default();
        tracing::subscriber::with_default(registry().with(Kept(render, Arc::clone(&kept))), tell);
        kept.lock().unwrap().clone()
    }

    fn tell() {
        let text = "a \"b\"\n\\\u{1b}[31m\u{e9}";
        tracing::info!(target: "here", count = 3u64, below = -1, is = true, text, shown = %text, "it\nhappened");
    }

    #[test]
    fn a_line_for_people_is_one_line() {
        let line = rendered(text, tell);
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
        let expected = " INFO here: it\\nhappened count=3 below=-1 is=true text=\"a \\\"b\\\"\\n\\\\\\u{1b}[31m\u{e9}\" \
                        shown=a \"b\"\\n\\\\u{1b}[31m\u{e9}\n";
        assert_eq!(rest, expected);
    }

    #[test]
    fn a_line_for_machines_is_json() {
        let line = rendered(json, tell);
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let text = "a \"b\"\n\\\u{1b}[31m\u{e9}";
        let fields = json!({
            "message": "it\nhappened", "count": 3, "below": -1, "is": true, "text": text, "shown": text
        });
        assert_eq!((&value["level"], &value["target"], &value["fields"]), (&json!("INFO"), &json!("here"), &fields));
    }
}
