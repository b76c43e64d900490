//! The line of a request that was answered. It looks as any other line does; being by far the most frequent one it is put
//! together by hand, which takes a fifth of the time.

use std::cell::Cell;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use berth_http::server::{AccessLog, Answered};

use super::line::{JsonText, push_time};
use super::sink::Sink;
use crate::config::kinds::LogFormat;

/// Where the lines say that they come from; a filter of the log may name it.
pub(super) const TARGET: &str = "berth_http::server::record";

/// Writes a line for each request.
pub(super) struct AccessLines {
    pub(super) format: LogFormat,
    pub(super) sink: Arc<Sink>,
}

thread_local! {
    static LINE: Cell<String> = const { Cell::new(String::new()) };
}

impl std::fmt::Debug for AccessLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLines").field("format", &self.format).finish_non_exhaustive()
    }
}

impl AccessLog for AccessLines {
    fn tell(&self, request: &Answered<'_>) {
        let mut line = LINE.take();
        line.clear();
        match self.format {
            LogFormat::Text => text(request, &mut line),
            LogFormat::Json => json(request, &mut line),
        }
        self.sink.write(line.as_bytes(), false);
        LINE.set(line);
    }
}

fn text(request: &Answered<'_>, line: &mut String) {
    push_time(line);
    line.push_str("  INFO ");
    line.push_str(TARGET);
    line.push_str(": request request_id=");
    line.push_str(request.id.as_str());
    line.push_str(" method=");
    line.push_str(request.method);
    line.push_str(" path=");
    push_quoted(request.path, line);
    push_numbers(request, ["status=", "received=", "sent=", "complete=", "duration_us="], " ", line);
    if let Some(client) = request.client {
        line.push_str(" client=");
        push_address(client, line);
    }
    line.push('\n');
}

fn json(request: &Answered<'_>, line: &mut String) {
    line.push_str("{\"timestamp\":\"");
    push_time(line);
    line.push_str("\",\"level\":\"INFO\",\"target\":\"");
    line.push_str(TARGET);
    line.push_str("\",\"fields\":{\"message\":\"request\",\"request_id\":\"");
    line.push_str(request.id.as_str());
    line.push_str("\",\"method\":\"");
    line.push_str(request.method);
    line.push_str("\",\"path\":\"");
    let _ = JsonText(line).write_str(request.path);
    line.push('"');
    let names = ["\"status\":", "\"received\":", "\"sent\":", "\"complete\":", "\"duration_us\":"];
    push_numbers(request, names, ",", line);
    if let Some(client) = request.client {
        line.push_str(",\"client\":\"");
        push_address(client, line);
        line.push('"');
    }
    line.push_str("}}\n");
}

fn push_numbers(request: &Answered<'_>, names: [&str; 5], between: &str, line: &mut String) {
    let mut digits = itoa::Buffer::new();
    let microseconds = u64::try_from(request.took.as_micros()).unwrap_or(u64::MAX);
    let numbers =
        [u64::from(request.status), request.received, request.sent, u64::from(request.is_complete), microseconds];
    for (nth, (name, number)) in names.into_iter().zip(numbers).enumerate() {
        line.push_str(between);
        line.push_str(name);
        line.push_str(match nth {
            3 if request.is_complete => "true",
            3 => "false",
            _ => digits.format(number),
        });
    }
}

/// As `Debug` shows it.
fn push_quoted(text: &str, line: &mut String) {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\' && byte != b'\'';
    if text.bytes().all(is_plain) {
        line.push('"');
        line.push_str(text);
        line.push('"');
    } else {
        let _ = write!(line, "{text:?}");
    }
}

fn push_address(address: IpAddr, line: &mut String) {
    let IpAddr::V4(address) = address else {
        let _ = write!(line, "{address}");
        return;
    };
    let mut digits = itoa::Buffer::new();
    for (nth, octet) in address.octets().into_iter().enumerate() {
        if nth > 0 {
            line.push('.');
        }
        line.push_str(digits.format(octet));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use berth_http::server::RequestId;
    use serde_json::json;

    use super::*;

    fn told(path: &str, client: Option<&str>, render: fn(&Answered<'_>, &mut String)) -> String {
        let id = RequestId::from("id-1");
        let request = Answered {
            id: &id,
            method: "GET",
            path,
            status: 206,
            received: 1,
            sent: u64::MAX,
            is_complete: true,
            took: Duration::from_micros(1234),
            client: client.map(|client| client.parse().unwrap()),
        };
        let mut line = String::new();
        render(&request, &mut line);
        line
    }

    #[test]
    fn a_line_for_people() {
        let numbers = "status=206 received=1 sent=18446744073709551615 complete=true duration_us=1234";
        for (path, client, shown) in [
            ("/v2/", Some("127.0.0.1"), format!("path=\"/v2/\" {numbers} client=127.0.0.1")),
            ("/a\"b\n\u{e9}", Some("2001:db8::7"), format!("path=\"/a\\\"b\\n\u{e9}\" {numbers} client=2001:db8::7")),
            ("", None, format!("path=\"\" {numbers}")),
        ] {
            let line = told(path, client, text);
            let (time, rest) = line.split_once(' ').unwrap();
            assert!(time.len() == 27 && time.ends_with('Z'), "{time}");
            assert_eq!(rest, format!(" INFO {TARGET}: request request_id=id-1 method=GET {shown}\n"));
        }
    }

    #[test]
    fn a_line_for_machines() {
        for (path, client) in [("/v2/", Some("10.20.30.255")), ("/a\"\\\n\u{7f}\u{e9}", Some("::1")), ("", None)] {
            let value: serde_json::Value = serde_json::from_str(&told(path, client, json)).unwrap();
            let mut fields = json!({
                "message": "request", "request_id": "id-1", "method": "GET", "path": path, "status": 206, "received": 1,
                "sent": u64::MAX, "complete": true, "duration_us": 1234
            });
            if let Some(client) = client {
                fields["client"] = json!(client);
            }
            assert_eq!(
                (&value["level"], &value["target"], &value["fields"]),
                (&json!("INFO"), &json!(TARGET), &fields)
            );
        }
    }
}
