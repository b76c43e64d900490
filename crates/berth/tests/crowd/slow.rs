//! Clients that are slow on purpose: each kind is cut by the limit that is there for it, and nobody else feels it.

use std::thread::scope;
use std::time::Duration;

use berth_testkit::crowd::{Crowd, Manner, raise_file_limit};
use berth_testkit::{Image, MIB, Random, Server, within};

use crate::healthy::Healthy;
use crate::{assert_memory, builder};

const HEALTHY: usize = 16;
/// How often a slow client does something.
const TURN: Duration = Duration::from_secs(1);
/// All limits are over by then: that on the rate counts half a minute.
const PATIENCE: Duration = Duration::from_secs(100);
const BLOB_MIB: u64 = 32;

fn start() -> Server {
    let limits = builder().setting("server.header_timeout", "5s").setting("server.body_timeout", "5s");
    limits.setting("server.max_connections", "15000").setting("server.minimum_rate", "4KiB").start()
}

/// A slow crowd, and what its members hear before they are cut, if anything.
struct Slow {
    name: &'static str,
    crowd: Crowd,
    last_word: Option<u16>,
}

fn head(server: &Server, method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    server.client().head(method, target, headers)
}

/// A header that grows by a byte a second.
fn slow_heads(server: &Server, count: usize) -> Slow {
    let mut opening = head(server, "GET", "/v2/", &[]);
    opening.truncate(opening.len() - 2);
    opening.extend_from_slice(b"X-Slow: ");
    let crowd = Crowd::gather(server.addr(), count, Manner::Drips, |_| opening.clone());
    Slow { name: "heads that drip", crowd, last_word: Some(408) }
}

/// Half a header, and no more.
fn broken_off_heads(server: &Server, count: usize) -> Slow {
    let opening = |_| b"GET /v2/ HTTP/1.1\r\nHost: a".to_vec();
    let crowd = Crowd::gather(server.addr(), count, Manner::Waits, opening);
    Slow { name: "heads that stop", crowd, last_word: Some(408) }
}

/// Uploads whose bytes come one a second, or stop coming.
fn slow_bodies(server: &Server, count: usize, manner: Manner) -> Slow {
    let client = server.client();
    let length = (8 * MIB).to_string();
    let sessions: Vec<String> = (0..count).map(|_| client.start_upload("slow/bodies")).collect();
    let opening = |number: usize| {
        let mut opening = head(server, "PATCH", &sessions[number], &[("Content-Length", &length)]);
        opening.extend_from_slice(b"the first bytes of a layer");
        opening
    };
    let crowd = Crowd::gather(server.addr(), count, manner, opening);
    let name = if manner == Manner::Drips { "bodies that drip" } else { "bodies that stop" };
    Slow { name, crowd, last_word: Some(400) }
}

/// Pulls of a large blob that are read a little at a time, or not at all.
fn slow_readers(server: &Server, count: usize, digest: &str, manner: Manner) -> Slow {
    let request = head(server, "GET", &format!("/v2/slow/readers/blobs/{digest}"), &[]);
    let crowd = Crowd::gather(server.addr(), count, manner, |_| request.clone());
    let name = if manner == Manner::Sips(0) { "readers that stop" } else { "readers that sip" };
    Slow { name, crowd, last_word: None }
}

/// Very many requests in one go, whose small answers are not read.
fn piping_readers(server: &Server, count: usize) -> Slow {
    let request = head(server, "GET", "/v2/slow/readers/manifests/latest", &[]);
    let requests = request.repeat(20_000);
    let crowd = Crowd::gather(server.addr(), count, Manner::Sips(16), |_| requests.clone());
    Slow { name: "many answers that are not read", crowd, last_word: None }
}

fn prepare(server: &Server) -> String {
    let client = server.client();
    client.push_image("slow/readers", "latest", &Image::small("read slowly"));
    client.push_blob("slow/readers", &Random::seeded(7).bytes(usize::try_from(BLOB_MIB * MIB).unwrap()))
}

fn open_connections(server: &Server) -> f64 {
    let figures = server.client().get("/metrics").expect(200).text();
    let line = figures.lines().find_map(|line| line.strip_prefix("berth_http_connections ")).unwrap();
    line.trim().parse().unwrap()
}

/// Lets all crowds be slow until nobody but the healthy clients is connected.
fn until_all_are_cut(server: &Server, crowds: &mut [Slow], healthy: &Healthy) -> bool {
    let turns = PATIENCE.as_secs() / TURN.as_secs();
    (0..turns).any(|_| {
        crowds.iter_mut().for_each(|slow| slow.crowd.turn());
        within(TURN, || healthy.has_stopped());
        healthy.has_stopped() || open_connections(server) <= (HEALTHY + 1) as f64
    })
}

#[test]
fn slow_clients_are_cut_and_harm_nobody() {
    raise_file_limit();
    let server = start();
    let digest = prepare(&server);
    let count = crate::count("BERTH_TEST_SLOW", 300);
    let healthy = Healthy::default();
    scope(|scope| {
        healthy.start(scope, &server, HEALTHY);
        let mut crowds = [
            slow_heads(&server, count),
            broken_off_heads(&server, count),
            slow_bodies(&server, count, Manner::Drips),
            slow_bodies(&server, count, Manner::Waits),
            slow_readers(&server, count, &digest, Manner::Sips(0)),
            slow_readers(&server, count, &digest, Manner::Sips(512)),
            piping_readers(&server, count.min(100)),
        ];
        let before = healthy.rounds();
        let all_cut = until_all_are_cut(&server, &mut crowds, &healthy);
        healthy.stop(before);
        assert!(all_cut, "{} connections are still open", open_connections(&server));
        crowds.iter_mut().for_each(assert_cut);
        println!("{} images pushed and pulled beside {count} slow clients of each kind", healthy.rounds());
    });
    assert_memory(&server, "slow clients");
}

/// Every member was ended in time, and heard what it could hear.
fn assert_cut(slow: &mut Slow) {
    let Slow { name, crowd, last_word } = slow;
    assert!(crowd.read_to_the_end(Duration::from_mins(1)), "{name}: {} of {} were cut", crowd.ended(), crowd.count());
    match last_word {
        Some(status) => assert_eq!(crowd.heard(*status), crowd.count(), "{name}: not all heard {status}"),
        None => assert!(crowd.most_received() < BLOB_MIB * MIB, "{name}: somebody got all of it"),
    }
}
