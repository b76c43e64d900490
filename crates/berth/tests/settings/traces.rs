//! `telemetry.otlp_endpoint`: spans of requests, as a collector gets them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use berth_testkit::{Image, eventually};

use crate::free_address;
use crate::support::{assert_no_secret, builder};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A request as it arrived: its head in lower case, and its body.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Takes whatever comes and answers with a status, for ever.
fn collector(status: &'static str) -> (SocketAddr, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, received) = (listener.local_addr().unwrap(), Received::default());
    let kept = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || take(&stream, status, &kept));
        }
    });
    (address, received)
}

fn take(stream: &TcpStream, status: &str, received: &Received) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(reader.read_line(&mut head), Ok(read) if read > 0) {
                return;
            }
        }
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        received.lock().unwrap().push((head, body));
        let mut writer = stream;
        let _ = writer.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes());
    }
}

fn holds(body: &[u8], part: impl AsRef<[u8]>) -> bool {
    let part = part.as_ref();
    body.windows(part.len()).any(|window| window == part)
}

fn bodies(received: &Received) -> Vec<u8> {
    received.lock().unwrap().iter().flat_map(|(_, body)| body.clone()).collect()
}

#[test]
fn requests_arrive_as_spans_that_continue_the_clients_trace() {
    let (address, received) = collector("200 OK");
    let mut server = builder().setting("telemetry.otlp_endpoint", &format!("http://{address}")).start();
    let client = server.client();
    client.push_image("team/traced", "one", &Image::small("traced"));
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let traced = client.request("GET", "/v2/team/traced/manifests/one", &[("traceparent", &parent)], &[]).expect(200);
    let id = traced.header("x-request-id").unwrap().to_owned();
    // The last spans are sent when the server ends.
    assert!(server.stop().success());

    let received_requests = received.lock().unwrap().clone();
    assert!(!received_requests.is_empty(), "nothing was sent:\n{}", server.log());
    for (head, body) in &received_requests {
        assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
        assert!(holds(body, "service.name") && holds(body, "berth") && holds(body, "service.version"));
    }
    let all = bodies(&received);
    for part in ["GET manifest", "PUT manifest", "POST uploads", "http.request.method", "http.route", &id] {
        assert!(holds(&all, part), "{part} is missing in {}", String::from_utf8_lossy(&all));
    }
    for part in ["http.response.status_code", "berth.repository", "team/traced", "request_id"] {
        assert!(holds(&all, part), "{part} is missing in {}", String::from_utf8_lossy(&all));
    }
    assert!(holds(&all, hex::decode(TRACE).unwrap()), "the client's trace is continued");
    assert!(holds(&all, hex::decode("00f067aa0ba902b7").unwrap()), "its span is the parent");
    assert_no_secret(&String::from_utf8_lossy(&all));
}

#[test]
fn a_client_that_does_not_sample_is_not_traced_and_nonsense_is_ignored() {
    let (address, received) = collector("200 OK");
    let endpoint = format!("http://{address}/custom/path");
    let mut server = builder().setting("telemetry.otlp_endpoint", &endpoint).start();
    let ask = |target: &str, parent: &str| server.client().request("GET", target, &[("traceparent", parent)], &[]);
    ask("/v2/team/unsampled/tags/list", &format!("00-{TRACE}-00f067aa0ba902b7-00"));
    ask("/v2/team/nonsense/tags/list", "00-nonsense");
    assert!(server.stop().success());
    let all = bodies(&received);
    assert!(holds(&all, "team/nonsense") && !holds(&all, "team/unsampled"));
    assert!(received.lock().unwrap().iter().all(|(head, _)| head.starts_with("post /custom/path ")));
}

#[test]
fn a_collector_that_is_gone_or_unwell_harms_nobody_and_is_told_once() {
    let (unwell, received) = collector("400 Bad Request");
    for (collector, is_there) in [(free_address(), false), (unwell, true)] {
        let mut server = builder().setting("telemetry.otlp_endpoint", &format!("http://{collector}")).start();
        let client = server.client();
        for _ in 0..20 {
            client.get("/v2/").expect(200);
        }
        let told = || server.log().matches("traces cannot be sent").count();
        eventually("a line about the collector", || told() > 0);
        client.push_image("team/app", "one", &Image::small("unharmed"));
        assert!(server.stop().success());
        assert_eq!(server.log().matches("traces cannot be sent").count(), 1, "{}", server.log());
        assert_eq!(!received.lock().unwrap().is_empty(), is_there);
    }
}

/// One that takes connections and says nothing would hold the end up for ever, were there no bound.
#[test]
fn a_collector_that_hangs_does_not_keep_the_server_from_ending() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut server = builder().setting("telemetry.otlp_endpoint", &endpoint).start();
    server.client().get("/v2/").expect(200);
    assert!(server.stop().success());
}

#[test]
fn without_an_endpoint_nothing_is_sent() {
    let (address, received) = collector("200 OK");
    let variable = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let mut server = builder().env(variable, &format!("http://{address}")).start();
    server.client().get("/v2/").expect(200);
    assert!(server.stop().success());
    assert!(received.lock().unwrap().is_empty());
}
