//! Several pushers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::{Answer, Call, Figures, Pusher, Record};
use crate::{Client, Server, eventually};

/// How pushers work.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What chooses. The test prints it.
    pub seed: u64,
    /// How many there are.
    pub pushers: u64,
    /// How long an answer about a blob that no manifest uses holds: half of `gc.grace`.
    pub promise: Duration,
    /// How long a push may wait between its last blob and its manifest.
    pub pause: Duration,
}

impl Settings {
    /// Four pushers without haste or pause, at a registry with the default grace time of a day.
    pub fn seeded(seed: u64) -> Self {
        Self { seed, pushers: 4, promise: Duration::from_hours(12), pause: Duration::ZERO }
    }

    /// Where `gc.grace` is so short, pushes take up to half of what they are promised.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { promise: grace / 2, pause: grace / 4, ..self }
    }
}

/// Pushers, and the folder of their logs.
#[derive(Debug)]
pub struct Oracle {
    folder: Option<TempDir>,
    is_dark: Arc<AtomicBool>,
    pushers: Vec<Pusher>,
}

impl Oracle {
    /// Pushers with empty logs in a temporary folder, which stays where a test fails.
    pub fn new(settings: &Settings) -> Self {
        let folder = TempDir::with_prefix("berth-oracle-").expect("a temporary folder");
        let is_dark = Arc::default();
        let pusher = |number| Pusher::new(folder.path(), number, settings, &is_dark);
        let pushers = (0..settings.pushers).map(pusher).collect();
        Self { folder: Some(folder), is_dark, pushers }
    }

    /// Every call that was made so far, with its answer where it had one.
    pub fn calls(&self) -> Vec<(Call, Option<Answer>)> {
        self.pushers.iter().flat_map(|pusher| Record::calls(pusher.log())).collect()
    }

    /// Everybody works until the server is gone, to which `meanwhile` must see.
    pub fn work_until_gone<T>(&mut self, client: &Client, meanwhile: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            for pusher in &mut self.pushers {
                let client = client.clone();
                scope.spawn(move || pusher.work_until_gone(&client));
            }
            meanwhile()
        })
    }

    /// Everybody works for `span`, until `fail` takes the power from the disk, and ends the server. From the moment at which that
    /// begins no answer counts: with a machine that has no power, nobody hears one. (The server under test lives on for a
    /// moment, and is told of syncs that worked while the file system was on its way down: those did not.)
    pub fn work_until_power_fails(&mut self, client: &Client, span: Duration, fail: impl FnOnce()) {
        let is_dark = Arc::clone(&self.is_dark);
        self.work_until_gone(client, || {
            std::thread::sleep(span);
            is_dark.store(true, Ordering::SeqCst);
            fail();
        });
        self.is_dark.store(false, Ordering::SeqCst);
        self.pushers.iter_mut().for_each(Pusher::power_lost);
    }

    /// Everybody works until `meanwhile` is over. Each call goes to one of these clients.
    pub fn work_until<T>(&mut self, clients: &[Client], meanwhile: impl FnOnce() -> T) -> T {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _end = StopAtEnd(&stop);
            for pusher in &mut self.pushers {
                let (clients, stop) = (clients.to_vec(), &stop);
                scope.spawn(move || pusher.work_until(stop, &clients));
            }
            meanwhile()
        })
    }

    /// No call is under way any more, as after a restart of the server.
    pub fn settled(&mut self) {
        self.pushers.iter_mut().for_each(Pusher::settled);
    }

    /// Compares everything uncertain and a tenth of the rest.
    pub fn check_sample(&mut self, client: &Client) {
        self.each(client, Pusher::check_sample);
    }

    /// Ends the open uploads, then compares everything.
    pub fn check_all(&mut self, client: &Client) {
        self.each(client, Pusher::check_all);
    }

    /// Waits until collections took everything that no manifest needs, and nothing that a manifest does; the store holds exactly
    /// what rows own then. For a server with a short `gc.grace` and `gc.interval`.
    pub fn garbage_goes(&mut self, server: &Server) {
        let client = server.client();
        eventually("garbage goes", || {
            self.pushers.iter_mut().map(|pusher| pusher.count_garbage(&client)).sum::<usize>() == 0
        });
        eventually("nothing more would go", || {
            let told = server.berth(&["gc", "--dry-run"]);
            assert_eq!(told.code, Some(0), "{told:?}");
            told.stdout.starts_with("0 links, 0 blobs and 0 keys")
        });
        self.each(&client, Pusher::check_all);
        // What was within its grace time just now may be going at this moment, its row first.
        eventually("the store holds what rows own and nothing else", || {
            let verified = server.berth(&["verify"]);
            assert_eq!(verified.code, Some(0), "{verified:?}");
            verified.stdout.trim_end().ends_with("0 findings, 0 keys without an owner")
        });
    }

    /// What they all did.
    pub fn figures(&self) -> Figures {
        self.pushers.iter().map(|pusher| pusher.figures).sum()
    }

    fn each(&mut self, client: &Client, check: fn(&mut Pusher, &Client)) {
        std::thread::scope(|scope| {
            for pusher in &mut self.pushers {
                let client = client.clone();
                scope.spawn(move || check(pusher, &client));
            }
        });
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        if let (true, Some(folder)) = (std::thread::panicking(), self.folder.take()) {
            // What it tells is worth more than the space.
            let _ = folder.keep();
        }
    }
}

impl std::iter::Sum for Figures {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, next| Self {
            acknowledged: sum.acknowledged + next.acknowledged,
            cut: sum.cut + next.cut,
            failed: sum.failed + next.failed,
            promises: sum.promises + next.promises,
        })
    }
}

/// Ends the work also where what goes on meanwhile fails.
struct StopAtEnd<'flag>(&'flag AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
