//! A start that brings an older database up to date is killed; the next one must come up with everything.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_testkit::Server;

use crate::aim::Aim;
use crate::engines::Engines;
use crate::run::Run;
use crate::schema_of::Older;

#[test]
fn what_was_acknowledged_survives_kills_of_a_start_on_an_older_schema() {
    let (mut run, engines) = (Run::begin("schema"), Engines::fresh());
    let mut server = engines.builder().setting("gc.enabled", "false").start();
    run.work(&server.client(), Duration::from_millis(700));
    run.oracle.check_all(&server.client());
    assert!(server.stop().success());
    let older = Older::of(&server, &engines);
    let mut aim = Aim::within(whole_start(&mut server, &older, &engines));
    let mut left_at = BTreeMap::new();
    // Every round begins with the same content.
    for _ in 0..run.kills {
        let version = 1 + run.random.below(older.versions());
        older.put_back(version, &server);
        server.die_starting(aim.moment(&mut run));
        engines.wait_for_silence();
        let left = older.version_now(&server);
        aim.learn(left == version);
        *left_at.entry((version, left)).or_insert(0) += 1;
        run.rise(&mut server, &engines);
        server.kill9();
        engines.wait_for_silence();
    }
    println!("kill schema: starts by schema found and left: {left_at:?}");
    server.reconfigure(engines.builder());
    server.restart();
    run.work(&server.client(), Duration::from_millis(300));
    // What an older version did has no records.
    run.end(server, None);
}

/// How long a start that brings the oldest schema up to date takes here.
fn whole_start(server: &mut Server, older: &Older, engines: &Engines) -> Duration {
    older.put_back(1, server);
    server.restart();
    server.kill9();
    engines.wait_for_silence();
    *server.ready_after().last().unwrap()
}
