//! The server is killed while clients push, tag, delete, and collections take what they leave.

use std::time::Duration;

use crate::engines::Engines;
use crate::run::Run;

const LONGEST: Duration = Duration::from_millis(300);

#[test]
fn what_was_acknowledged_survives_kill_9_at_any_moment() {
    let (mut run, engines) = (Run::begin("clients"), Engines::fresh());
    let mut server = engines.builder().start();
    for _ in 0..run.kills {
        let (after, client) = (run.moment(LONGEST), server.client());
        run.oracle.work_until_gone(&client, || {
            std::thread::sleep(after);
            server.kill9();
        });
        run.rise(&mut server, &engines);
    }
    run.end(server);
}
