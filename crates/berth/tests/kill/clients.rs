//! The server is killed while clients push, tag, delete, and collections take what they leave.

use std::time::Duration;

use crate::engines::{Engines, GRACE};
use crate::run::{Run, collected};

const LONGEST: Duration = Duration::from_millis(300);

#[test]
fn what_was_acknowledged_survives_kill_9_at_any_moment() {
    let (mut run, engines) = (Run::begin("clients"), Engines::fresh());
    let mut server = engines.builder().start();
    // From here on something is garbage at every moment.
    run.work(&server.client(), GRACE);
    for _ in 0..run.kills {
        let (after, client) = (run.moment(LONGEST), server.client());
        run.collected += run.oracle.work_until_gone(&client, || {
            std::thread::sleep(after);
            let collected = collected(&server.client());
            server.kill9();
            collected
        });
        run.rise(&mut server, &engines);
    }
    assert!(run.collected > 0, "no kill met a collection");
    run.end(server, Some(&engines));
}
