//! A85: HTTP/2 used as a weapon.

use std::time::{Duration, Instant};

use berth_testkit::http2::{connect, encode, flag, frame, header_block, is_dismissed, read_frame};
use berth_testkit::{MIB, RawConnection, Server};

use crate::support::{attack, attack_on, builder};

/// A peak that no flood may reach.
const FLOOD_PEAK: u64 = 96 * MIB;

fn request(server: &Server, method: &str, path: &str) -> Vec<u8> {
    let head = String::from_utf8(server.client().head("GET", "/", &[])).unwrap();
    let authorization = head.lines().find_map(|line| line.strip_prefix("Authorization: ")).unwrap();
    let authority = server.addr().to_string();
    header_block(&[
        (":method", method),
        (":scheme", "http"),
        (":authority", &authority),
        (":path", path),
        ("authorization", authorization),
    ])
}

/// Sends batches until the server dismisses the connection; fails if it never does.
fn flood(server: &Server, connection: &mut RawConnection, mut batch: impl FnMut(u32) -> Vec<u8>) {
    server.process().reset_peak();
    let before = server.process().rss_bytes();
    let end = Instant::now() + Duration::from_secs(90);
    let mut number = 0;
    let mut dismissed = false;
    while !dismissed && Instant::now() < end {
        dismissed = connection.send(&batch(number)).is_err() || said_goodbye(connection);
        number += 1;
    }
    let grown = server.process().peak_rss_bytes().saturating_sub(before);
    assert!(grown < FLOOD_PEAK, "{grown} bytes more at the peak");
    assert!(dismissed, "still welcome after {number} batches");
}

/// Reads what is there already.
fn said_goodbye(connection: &mut RawConnection) -> bool {
    while connection.has_news() {
        match read_frame(connection) {
            Ok(frame) if frame.kind != frame::GOAWAY => {}
            _ => return true,
        }
    }
    false
}

#[test]
fn a85_a_well_behaved_http2_client_is_served() {
    attack(|server| {
        let mut connection = connect(server.addr()).unwrap();
        let block = request(server, "GET", "/v2/");
        connection.send(&encode(frame::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block)).unwrap();
        let reply = std::iter::repeat_with(|| read_frame(&mut connection).unwrap())
            .find(|frame| frame.kind == frame::HEADERS)
            .unwrap();
        assert_eq!(reply.stream, 1);
        // Index 8 of the static table: `:status: 200`.
        assert_eq!(reply.payload[0], 0x88, "{reply:?}");
    });
}

#[test]
fn a85_rapid_reset_ends_the_connection() {
    attack(|server| {
        let mut connection = connect(server.addr()).unwrap();
        let block = request(server, "GET", "/v2/_catalog");
        flood(server, &mut connection, |number| {
            let streams = (0..100).map(|place| 2 * (number * 100 + place) + 1);
            let pair = |stream| {
                let open = encode(frame::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &block);
                [open, encode(frame::RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
            };
            streams.flat_map(pair).collect()
        });
    });
}

#[test]
fn a85_a_flood_of_continuations_ends_the_connection() {
    attack(|server| {
        let mut connection = connect(server.addr()).unwrap();
        let block = request(server, "GET", "/v2/");
        connection.send(&encode(frame::HEADERS, flag::END_STREAM, 1, &block)).unwrap();
        let field = header_block(&[("x-filler", &"f".repeat(100))]);
        let more = field.repeat(16_000 / field.len());
        flood(server, &mut connection, |_| encode(frame::CONTINUATION, 0, 1, &more));
    });
}

#[test]
fn a85_a_flood_of_empty_continuations_ends_the_connection() {
    attack(|server| {
        let mut connection = connect(server.addr()).unwrap();
        let block = request(server, "GET", "/v2/");
        connection.send(&encode(frame::HEADERS, flag::END_STREAM, 1, &block)).unwrap();
        flood(server, &mut connection, |_| encode(frame::CONTINUATION, 0, 1, &[]).repeat(100));
    });
}

#[test]
fn a85_a_flood_of_empty_data_ends_the_connection() {
    attack_on(builder().setting("server.body_timeout", "2s"), |server| {
        for (method, path) in
            [("POST", format!("/v2/flood/blobs/uploads/?digest=sha256:{}", "0".repeat(64))), ("GET", "/v2/".to_owned())]
        {
            let mut connection = connect(server.addr()).unwrap();
            let block = request(server, method, &path);
            connection.send(&encode(frame::HEADERS, flag::END_HEADERS, 1, &block)).unwrap();
            let empty = encode(frame::DATA, 0, 1, &[]).repeat(1_000);
            flood(server, &mut connection, |_| empty.clone());
        }
    });
}

#[test]
fn a85_floods_of_settings_and_pings_stay_bounded() {
    attack(|server| {
        for (kind, payload) in [(frame::SETTINGS, &[][..]), (frame::PING, &[0; 8][..])] {
            let mut connection = connect(server.addr()).unwrap();
            server.process().reset_peak();
            let before = server.process().rss_bytes();
            let batch = encode(kind, 0, 0, payload).repeat(1_000);
            // Answers are never read: they must not pile up in the server.
            for _ in 0..2_000 {
                connection.read_timeout(Duration::from_secs(5));
                if connection.send_within(&batch, Duration::from_secs(2)).is_err() {
                    break;
                }
            }
            let grown = server.process().peak_rss_bytes().saturating_sub(before);
            assert!(grown < FLOOD_PEAK, "{grown} bytes more at the peak");
        }
    });
}

#[test]
fn a85_what_is_no_http2_is_dismissed() {
    attack(|server| {
        let mut connection = connect(server.addr()).unwrap();
        // A frame larger than was allowed.
        connection.send(&encode(frame::DATA, 0, 1, &vec![0; 100_000])).unwrap();
        assert!(is_dismissed(&mut connection));
        let mut connection = connect(server.addr()).unwrap();
        connection.send(&encode(frame::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &[0xff; 64])).unwrap();
        assert!(is_dismissed(&mut connection));
    });
}
