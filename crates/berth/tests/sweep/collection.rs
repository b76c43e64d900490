//! `berth gc` beside a server, watched from its first call.

use berth_testkit::calls::{Fault, Journal, Plan, Seen, Stopped, never};
use berth_testkit::{Output, Server, tree_files};

use crate::INLINE;
use crate::acknowledged::Acknowledged;
use crate::content::{KEPT, KEPT_IMAGE, TAG};
use crate::templates;
use crate::trial::Trial;

pub fn look_on() -> Vec<Seen> {
    let server = templates::impatient().start_on_copy(&templates::garbage().data());
    let (seen, _, output) = traced(&server, never());
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_only_the_kept_is_left(&server, "nothing was wrong");
    seen
}

pub fn run(trial: &Trial) -> bool {
    let mut server = templates::impatient().start_on_copy(&templates::garbage().data());
    let (seen, journal, output) = traced(&server, trial.plan());
    let Some(hit) = seen.iter().find(|seen| seen.fault.is_some()) else { return false };
    if trial.fault != Fault::Kill {
        assert!(matches!(output.code, Some(0 | 2 | 3)), "{trial}: {output:?}");
    }
    assert!(!output.stderr.contains("panicked"), "{trial}: {output:?}");
    let kept = kept();
    kept.check(&server.client(), &format!("{trial}, beside the server"));
    server.kill9();
    server.restart();
    kept.check(&server.client(), &format!("{trial}, then kill -9"));
    trial.verify(&server);
    let again = server.berth(&["gc"]);
    assert_eq!(again.code, Some(0), "{trial}: {again:?}");
    assert_only_the_kept_is_left(&server, &trial.to_string());
    trial.verify(&server);
    if trial.may_lose_power(hit) {
        trial.after_power_cut(&journal, &kept);
    }
    true
}

fn kept() -> Acknowledged {
    let mut kept = Acknowledged::default();
    kept.know_image(KEPT, TAG, &KEPT_IMAGE);
    kept
}

fn assert_only_the_kept_is_left(server: &Server, when: &str) {
    kept().check(&server.client(), when);
    let files = tree_files(&server.blobs());
    let kept = KEPT_IMAGE.blobs().filter(|blob| blob.len() > INLINE);
    assert_eq!(files.len(), kept.count(), "{when}: garbage stays: {files:?}");
}

fn traced(server: &Server, plan: Plan) -> (Vec<Seen>, Journal, Output) {
    let command = server.berth_command(&server.data(), &["gc"]);
    let (child, tracer) = Stopped::spawn(&command).trace(Journal::begin(&server.data()), plan);
    let (seen, journal) = tracer.finish_at_end();
    (seen, journal, child.wait_with_output().unwrap().into())
}
