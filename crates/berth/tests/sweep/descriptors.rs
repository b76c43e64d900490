//! More connections and uploads than the process may have files open.

use std::time::Duration;

use berth_testkit::{Client, RawConnection, Reply, Server, sha256, target_of, within};

use crate::acknowledged::{Fact, blob};
use crate::builder;
use crate::content::{KEPT, KEPT_IMAGE, LOOSE, NEW, OLD, OLD_IMAGE, TAG};
use crate::operation::Operation;

const FILES: usize = 256;
const SOON: Duration = Duration::from_secs(30);
/// How long the server is watched while nothing can be accepted, and how much of one processor it may use meanwhile.
const WATCHED: Duration = Duration::from_secs(3);
const MOST_TICKS: u64 = 100;

#[test]
fn too_few_descriptors_shed_load_and_lose_nothing() {
    let limit = format!("ulimit -n {FILES}; exec \"$@\"");
    let mut server = builder().under(["sh", "-c", &limit, "sh"]).start();
    let client = server.client();
    client.push_image(KEPT, TAG, &KEPT_IMAGE);
    client.push_image(OLD, TAG, &OLD_IMAGE);
    let uploads = use_up(&client);
    let crowd = crowd(&server);
    assert!(server.process().open_fds() >= FILES - 8, "files are left: {} are open", server.process().open_fds());
    assert_rests(&server);
    shed(&server);
    drop(crowd);
    for upload in uploads {
        client.delete(&upload).expect(204);
    }
    let recovered = || accepts(&server) && server.process().open_fds() < FILES / 2;
    assert!(within(SOON, recovered), "{} files open\n{}", server.process().open_fds(), server.log());
    assert_nothing_is_lost(&mut server);
}

/// Begins uploads and feeds each, so that it keeps a file open, until one is refused; those that were begun.
fn use_up(client: &Client) -> Vec<String> {
    let mut begun = Vec::new();
    loop {
        let reply = client.request("POST", &format!("/v2/{NEW}/blobs/uploads/"), &[], &[]).expect_any(&[202, 503]);
        if is_refused(&reply) {
            return begun;
        }
        let upload = target_of(&reply);
        let fed = client.request("PATCH", &upload, &[], b"some bytes").expect_any(&[202, 503]);
        begun.push(upload);
        if is_refused(&fed) {
            return begun;
        }
        assert!(begun.len() < FILES, "more uploads than files");
    }
}

fn is_refused(reply: &Reply) -> bool {
    assert!(reply.status != 503 || reply.header("retry-after").is_some(), "{reply:?}");
    reply.status == 503
}

/// Connections that each began a request, twice as many as there can be.
fn crowd(server: &Server) -> Vec<RawConnection> {
    let connect = |_| {
        let mut connection = RawConnection::connect(server.addr()).ok()?;
        connection.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n").ok()?;
        Some(connection)
    };
    (0..2 * FILES).filter_map(connect).collect()
}

/// A server that can accept nothing waits for it, and does not turn in circles.
fn assert_rests(server: &Server) {
    let before = server.process().cpu_ticks();
    std::thread::sleep(WATCHED);
    let used = server.process().cpu_ticks() - before;
    println!("{used} hundredths of a second of processor time in {WATCHED:?} with every descriptor in use");
    assert!(used < MOST_TICKS, "the server spins: {used} ticks in {WATCHED:?}");
}

/// Connections that are not accepted wait; requests of those that are get a refusal in good order.
fn shed(server: &Server) {
    let mut told: Vec<u16> = Vec::new();
    for number in 0..20 {
        let mut connection = RawConnection::connect(server.addr()).unwrap();
        connection.read_timeout(Duration::from_millis(200));
        let target = format!("/v2/{NEW}/blobs/uploads/?number={number}");
        let sent = connection.send(&server.client().head("POST", &target, &[("Content-Length", "0")]));
        if let (Ok(()), Ok(reply)) = (sent, connection.read_reply("POST")) {
            told.push(reply.status);
        }
    }
    println!("of 20 connections more, answered: {told:?}");
    assert!(told.iter().all(|status| [429, 503].contains(status)), "{told:?}\n{}", server.log());
}

fn accepts(server: &Server) -> bool {
    let client: Client = server.anonymous();
    client.try_request("GET", "/healthz", &[], &[]).is_ok_and(|reply| reply.status == 200)
}

/// It takes a push, and after a crash holds all that it ever acknowledged.
fn assert_nothing_is_lost(server: &mut Server) {
    let mut log = Operation::Push.known_before();
    log.deleted(&blob(OLD, &sha256(LOOSE)), Fact::Gone);
    assert!(Operation::Push.perform(&server.client(), &mut log) && log.refused.is_empty(), "{log:?}");
    server.kill9();
    server.restart();
    log.check(&server.client(), "after too few descriptors");
    assert_eq!(server.berth(&["verify"]).code, Some(0));
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
