//! Ten thousand connections that wait, beside some that work.

use std::thread::scope;
use std::time::Duration;

use berth_testkit::crowd::{Crowd, Manner, raise_file_limit};
use berth_testkit::{Server, eventually, within};

use crate::healthy::Healthy;
use crate::{assert_memory, builder};

const BUSY: usize = 64;
/// So long the connections rest beside the busy ones.
const REST: Duration = Duration::from_secs(5);

/// As many connections that made a request before they rested, and as many that never said anything.
fn idle_count() -> (usize, usize) {
    let count = crate::count("BERTH_TEST_IDLE", 10_000);
    (count - count / 5, count / 5)
}

/// A shell's usual limit of 1,024 open files: the server raises it by itself.
fn with_usual_limit() -> Server {
    let limited = builder().under(["sh", "-c", r#"ulimit -Sn 1024; exec "$@""#, "limited"]);
    limited.setting("server.max_connections", "12000").setting("server.idle_timeout", "10m").start()
}

#[test]
fn ten_thousand_idle_connections_harm_nobody() {
    raise_file_limit();
    let server = with_usual_limit();
    let (kept_alive, silent) = idle_count();
    let request = server.client().head("GET", "/v2/", &[]);
    let healthy = Healthy::default();
    scope(|scope| {
        healthy.start(scope, &server, BUSY);
        let mut talked = Crowd::gather(server.addr(), kept_alive, Manner::Waits, |_| request.clone());
        let mut never = Crowd::gather(server.addr(), silent, Manner::Waits, |_| Vec::new());
        let answered = within(Duration::from_mins(1), || {
            talked.turn();
            talked.heard(200) == kept_alive || healthy.has_stopped()
        });
        let before = healthy.rounds();
        within(REST, || healthy.has_stopped());
        for crowd in [&mut talked, &mut never] {
            crowd.turn();
        }
        healthy.stop(before);
        assert!(answered, "{} of {kept_alive} had an answer", talked.heard(200));
        assert_eq!((talked.ended(), never.ended()), (0, 0), "idle connections were cut before their time");
        println!("{} open files, {} images pushed and pulled", server.process().open_fds(), healthy.rounds());
        assert!(server.process().open_fds() > kept_alive + silent);
    });
    assert_memory(&server, "10,000 idle connections");
}

#[test]
fn idle_connections_beyond_their_time_are_closed() {
    raise_file_limit();
    let server = builder().setting("server.idle_timeout", "2s").start();
    let request = server.client().head("GET", "/v2/", &[]);
    let mut talked = Crowd::gather(server.addr(), 500, Manner::Waits, |_| request.clone());
    let mut never = Crowd::gather(server.addr(), 500, Manner::Waits, |_| Vec::new());
    for crowd in [&mut talked, &mut never] {
        assert!(crowd.read_to_the_end(Duration::from_secs(30)), "{} of 500 were closed", crowd.ended());
    }
    assert_eq!((talked.heard(200), never.most_received()), (500, 0));
}

/// A hard limit that cannot be raised: fewer connections are taken, and what files and the database need stays free.
#[test]
fn a_low_limit_of_open_files_is_told_and_keeps_room_for_work() {
    raise_file_limit();
    let limited = builder().under(["sh", "-c", r#"ulimit -n 1024; exec "$@""#, "limited"]);
    let server = limited.setting("server.idle_timeout", "10m").start();
    eventually("a word of the limit", || server.log().contains("takes 640 connections"));
    let kept = server.client();
    kept.get("/v2/").expect(200);
    let mut crowd = Crowd::gather(server.addr(), 1500, Manner::Waits, |_| Vec::new());
    let turned_away = within(Duration::from_secs(30), || {
        crowd.turn();
        crowd.ended() > 500
    });
    assert!(turned_away, "{} of 1,500 were turned away", crowd.ended());
    // Who was let in works on as if nobody else were there.
    for number in 0..20 {
        let image = berth_testkit::Image::small(&format!("image {number}"));
        kept.push_image("team/app", "latest", &image);
        assert_eq!(kept.manifest("team/app", "latest").expect(200).body, image.manifest.bytes);
    }
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
}
