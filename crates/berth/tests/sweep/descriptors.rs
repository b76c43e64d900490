//! More connections than the process may have files open.

use std::time::Duration;

use berth_testkit::{Client, RawConnection, Server, within};

use crate::builder;
use crate::content::{KEPT, KEPT_IMAGE, NEW, OLD, OLD_IMAGE, TAG};
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
    let crowd = crowd(&server);
    assert_rests(&server);
    shed(&server, &crowd);
    drop(crowd);
    let recovered = || accepts(&server) && server.process().open_fds() < FILES / 2;
    assert!(within(SOON, recovered), "{} files open\n{}", server.process().open_fds(), server.log());
    let mut log = Operation::Push.known_before();
    log.deleted(
        &crate::acknowledged::blob(OLD, &berth_testkit::sha256(crate::content::LOOSE)),
        crate::acknowledged::Fact::Gone,
    );
    assert!(Operation::Push.perform(&server.client(), &mut log) && log.refused.is_empty(), "{log:?}");
    server.kill9();
    server.restart();
    log.check(&server.client(), "after too few descriptors");
    assert_eq!(server.berth(&["verify"]).code, Some(0));
    assert!(!server.log().contains("panicked"), "{}", server.log());
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

/// Requests on what is accepted are done or refused in good order; those that are not accepted wait.
fn shed(server: &Server, crowd: &[RawConnection]) {
    let mut told: Vec<u16> = Vec::new();
    for number in 0..20 {
        let mut connection = RawConnection::connect(server.addr()).unwrap();
        connection.read_timeout(Duration::from_millis(200));
        let client = server.client();
        let target = format!("/v2/{NEW}/blobs/uploads/?number={number}");
        let sent = connection.send(&client.head("POST", &target, &[("Content-Length", "0")]));
        if let (Ok(()), Ok(reply)) = (sent, connection.read_reply("POST")) {
            told.push(reply.status);
        }
    }
    println!("{} connections held; of 20 more, answered: {told:?}", crowd.len());
    let files = server.process().open_fds();
    assert!(files >= FILES - 8 || told.len() > 10, "nothing is short: {files} files open");
    assert!(told.iter().all(|status| [202, 429, 503].contains(status)), "{told:?}\n{}", server.log());
}

fn accepts(server: &Server) -> bool {
    let client: Client = server.anonymous();
    client.try_request("GET", "/healthz", &[], &[]).is_ok_and(|reply| reply.status == 200)
}
