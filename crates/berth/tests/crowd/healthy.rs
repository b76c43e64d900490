//! Clients that do what clients do, and check every answer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Scope;

use berth_testkit::{Client, Image, Server, sha256};

/// What the healthy clients have done so far.
#[derive(Default)]
pub struct Healthy {
    stop: AtomicBool,
    rounds: AtomicU64,
}

impl Healthy {
    /// Starts so many clients, each pushing and pulling in a repository of its own until [`Self::stop`].
    pub fn start<'scope, 'env: 'scope>(&'env self, scope: &'scope Scope<'scope, 'env>, server: &Server, count: usize) {
        for number in 0..count {
            let client = server.client();
            scope.spawn(move || {
                // A failure ends the scope, which waits for the others.
                let work = std::panic::AssertUnwindSafe(|| self.work(&client, number));
                if let Err(panic) = std::panic::catch_unwind(work) {
                    self.stop.store(true, Ordering::Relaxed);
                    std::panic::resume_unwind(panic);
                }
            });
        }
    }

    fn work(&self, client: &Client, number: usize) {
        let repository = format!("healthy/r{number}");
        let mut round = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let image = Image::small(&format!("{number} {round}"));
            client.push_image(&repository, "latest", &image);
            assert_eq!(client.manifest(&repository, "latest").expect(200).body, image.manifest.bytes);
            for blob in image.blobs() {
                assert_eq!(client.blob(&repository, &sha256(blob)).expect(200).body, *blob);
            }
            round += 1;
            self.rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many images were pushed and pulled.
    pub fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Whether one of them failed, or they were told to stop.
    pub fn has_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Tells all of them to stop, once each has had its chance: some rounds were done since `before`.
    pub fn stop(&self, before: u64) {
        berth_testkit::eventually("healthy clients go on", || self.rounds() > before || self.has_stopped());
        self.stop.store(true, Ordering::Relaxed);
    }
}
