//! Server and `berth migrate-store` are killed while blobs move from one store to the other, and back again.

use std::process::Child;
use std::time::Duration;

use berth_testkit::{Server, eventually};

use crate::engines::{Engines, Store};
use crate::run::Run;

const LONGEST: Duration = Duration::from_millis(300);

#[test]
fn what_was_acknowledged_survives_kills_of_server_and_mover() {
    let (mut run, mut engines) = (Run::begin("moves"), Engines::fresh());
    let mut server = engines.builder().start();
    run.work(&server.client(), Duration::from_secs(1));
    let mut to = Engines::store().other();
    change(&mut server, &mut engines, to);
    let mut moves = 0;
    for _ in 0..run.kills {
        let has_ended = kill_both(&mut run, &mut server);
        if has_ended {
            (to, moves) = (to.other(), moves + 1);
            server.reconfigure(engines.moving_to(to));
        }
        run.rise(&mut server, &engines);
    }
    println!("kill moves: {moves} moves came to their end between kills");
    run.oracle.check_all(&server.client());
    move_to_the_end(&server);
    assert!(server.stop().success());
    server.reconfigure(engines.only(to));
    server.restart();
    run.end(server, Some(&engines));
}

fn change(server: &mut Server, engines: &mut Engines, to: Store) {
    assert!(server.stop().success());
    server.reconfigure(engines.moving_to(to));
    server.restart();
}

/// Each of the two dies at a moment of its own. Whether the mover was through by then.
fn kill_both(run: &mut Run, server: &mut Server) -> bool {
    let (mover_after, server_after) = (run.moment(LONGEST), run.moment(LONGEST));
    let (client, mover) = (server.client(), server.spawn_berth(&["migrate-store"]));
    run.oracle.work_until_gone(&client, || {
        std::thread::sleep(mover_after.min(server_after));
        if mover_after < server_after {
            let has_ended = kill_mover(mover);
            std::thread::sleep(server_after.abs_diff(mover_after));
            server.kill9();
            return has_ended;
        }
        server.kill9();
        std::thread::sleep(mover_after.abs_diff(server_after));
        kill_mover(mover)
    })
}

fn kill_mover(mut mover: Child) -> bool {
    let has_ended = mover.try_wait().unwrap().is_some();
    let _ = mover.kill();
    let output = mover.wait_with_output().unwrap();
    assert!(!has_ended || output.status.success(), "{output:?}");
    has_ended
}

/// Once nothing is under way, the last runs find nothing to do.
fn move_to_the_end(server: &Server) {
    eventually("no blob is left to move", || {
        let told = server.berth(&["migrate-store"]);
        assert_eq!(told.code, Some(0), "{told:?}");
        told.stdout.starts_with("0 blobs with 0 bytes moved")
    });
}
