//! SIGTERM and `server.shutdown_timeout`.

use std::time::Duration;

use berth_testkit::{RawConnection, sha256, within};
use rustix::process::Signal;

use crate::support::builder;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn an_upload_under_way_ends_well_and_nobody_new_gets_in() {
    let mut server = builder().start();
    let client = server.client();
    let body = vec![7; 3_000_000];
    let digest = sha256(&body);
    let target = format!("/v2/team/app/blobs/uploads/?digest={digest}");
    let length = body.len().to_string();
    let headers = [("Content-Length", length.as_str()), ("Content-Type", "application/octet-stream")];
    let mut upload = client.open("POST", &target, &headers);
    upload.send(&body[..2_000_000]).unwrap();
    // The upload counts as under way once its first bytes are on the disk.
    let (files, address) = (server.blobs(), server.addr());
    assert!(within(SOON, || berth_testkit::tree_bytes(&files) > 0), "the upload has begun");

    server.process().signal(Signal::TERM);
    assert!(within(SOON, || RawConnection::connect(address).is_err()), "new connections are refused");
    assert!(server.is_running(), "the upload is waited for");
    upload.send(&body[2_000_000..]).unwrap();
    let reply = upload.read_reply("POST").unwrap().expect(201);
    assert!(reply.closes(), "{reply:?}");
    assert!(within(SOON, || !server.is_running()));
    server.restart();
    assert_eq!(server.client().blob("team/app", &digest).expect(200).body, body);
}

#[test]
fn what_does_not_end_in_time_is_cut_and_the_exit_is_clean() {
    let mut server = builder().setting("server.shutdown_timeout", "1s").start();
    let headers = [("Content-Length", "3000000"), ("Content-Type", "application/octet-stream")];
    let location = server.client().start_upload("team/app");
    let mut upload = server.client().open("PATCH", &location, &headers);
    upload.send(&vec![7; 2_000_000]).unwrap();
    assert!(within(SOON, || berth_testkit::tree_bytes(&server.blobs()) > 0), "the upload has begun");
    let status = server.stop();
    assert!(status.success(), "{status:?}: {}", server.log());
    assert!(server.log().contains("did not end in time"), "{}", server.log());
    assert!(upload.is_closed_within(SOON));
}

#[test]
fn idle_connections_do_not_hold_it_up() {
    let mut server = builder().setting("server.shutdown_timeout", "1h").start();
    let kept = server.client();
    kept.get("/v2/").expect(200);
    let _silent = RawConnection::connect(server.addr()).unwrap();
    assert!(server.stop().success());
}
