//! A client that pushes small images without end and looks closely at how it is turned away.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_testkit::{Client, Image, Reply, within};

/// The longest that a client may be told to wait.
const LONGEST: u64 = 5;

/// What it heard: statuses and how often.
#[derive(Debug, Default)]
pub struct Heard(pub BTreeMap<u16, u64>);

impl Heard {
    /// Notes an answer; fails where a server's own trouble is told in another way than it should be.
    pub fn note(&mut self, reply: &Reply) {
        *self.0.entry(reply.status).or_default() += 1;
        assert!(reply.status < 500 || reply.status == 503, "{} {}", reply.status, reply.text());
        if reply.status == 503 {
            let after =
                reply.header("retry-after").unwrap_or_else(|| panic!("when to come back is not told: {reply:?}"));
            assert!(after.parse::<u64>().unwrap() <= LONGEST, "{after}");
            assert_eq!(reply.error_code().as_deref(), Some("UNAVAILABLE"), "{}", reply.text());
        }
    }

    /// How often it was told to come back.
    pub fn refused(&self) -> u64 {
        self.0.get(&503).copied().unwrap_or_default()
    }
}

/// Pushes images until told to stop.
pub fn probe(client: &Client, is_over: &AtomicBool) -> Heard {
    let mut heard = Heard::default();
    for nth in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        push(client, &Image::small(&format!("probe {nth}")), &mut heard);
        std::thread::sleep(Duration::from_millis(50));
    }
    heard
}

/// Pushes an image as far as that goes.
fn push(client: &Client, image: &Image, heard: &mut Heard) {
    for blob in image.blobs() {
        let target = format!("/v2/probe/blobs/uploads/?digest={}", berth_testkit::sha256(blob));
        let reply = client.request("POST", &target, &[], blob);
        heard.note(&reply);
        if reply.status != 201 {
            return;
        }
    }
    heard.note(&client.push_manifest("probe", "latest", &image.manifest));
}

/// Waits until a push works again; how long that took.
pub fn await_push(client: &Client, patience: Duration) -> Duration {
    let began = Instant::now();
    let works = || {
        let mut heard = Heard::default();
        push(client, &Image::small("after"), &mut heard);
        heard.0.keys().all(|status| *status == 201)
    };
    assert!(within(patience, works), "no push works {patience:?} after the end");
    began.elapsed()
}
