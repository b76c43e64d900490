//! What a run is told, and what it tells.

use std::time::Duration;

use berth_testkit::oracle::{Oracle, Settings};
use berth_testkit::postgres::Postgres;
use berth_testkit::{Client, Random, Server, seed_from_environment};

use crate::engines::{Engines, GRACE};
use crate::records;

/// One run of one kind of kills.
pub struct Run {
    name: &'static str,
    seed: u64,
    pub kills: usize,
    pub random: Random,
    pub oracle: Oracle,
    /// Links, blobs and keys that collections took between kills.
    pub collected: usize,
}

impl Run {
    pub fn begin(name: &'static str) -> Self {
        let kills = std::env::var("BERTH_TEST_KILLS").map_or(25, |kills| kills.parse().expect("BERTH_TEST_KILLS"));
        let seed = seed_from_environment();
        println!("kill {name} on {}: BERTH_TEST_SEED={seed} BERTH_TEST_KILLS={kills}", Engines::name());
        let settings = Settings { pause: Duration::from_millis(200), ..Settings::seeded(seed).with_grace(GRACE) };
        Self { name, seed, kills, random: Random::seeded(seed), oracle: Oracle::new(&settings), collected: 0 }
    }

    /// A moment by chance.
    pub fn moment(&mut self, most: Duration) -> Duration {
        most * u32::try_from(self.random.below(1_000)).unwrap() / 1_000
    }

    /// Everybody works for a while, and ends what they were at.
    pub fn work(&mut self, client: &Client, how_long: Duration) {
        self.oracle.work_until(std::slice::from_ref(client), || std::thread::sleep(how_long));
        self.oracle.settled();
    }

    /// After a kill: starts the server on the same data, and compares.
    pub fn rise(&mut self, server: &mut Server, engines: &Engines) {
        assert!(!server.log().contains("panicked"), "{}", server.log());
        engines.wait_for_silence();
        server.restart();
        self.oracle.settled();
        self.oracle.check_sample(&server.client());
    }

    /// Compares everything at the end, and the records of what was done with it.
    pub fn end(&mut self, mut server: Server, engines: Option<&Engines>) {
        self.oracle.check_all(&server.client());
        self.oracle.garbage_goes(&server);
        self.report(&server);
        assert!(server.stop().success(), "{}", server.log());
        let Some(engines) = engines else { return };
        let url = engines.database.as_ref().map(|name| Postgres::shared().url(name));
        records::check(&server.data(), url.as_deref(), None, &self.oracle.calls());
    }

    /// Figures for the reader; a restart's limit is generous, as machines differ.
    fn report(&self, server: &Server) {
        let mut starts = server.ready_after()[1..].to_vec();
        starts.sort();
        let (median, longest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
        let figures = self.oracle.figures();
        let collected = if self.collected > 0 { format!(" collected={}", self.collected) } else { String::new() };
        println!(
            "kill {} on {}: seed={} kills={} acknowledged={} cut={} promises={}{} lost=0 ready_median_ms={} ready_longest_ms={}",
            self.name,
            Engines::name(),
            self.seed,
            self.kills,
            figures.acknowledged,
            figures.cut,
            figures.promises,
            collected,
            median.as_millis(),
            longest.as_millis(),
        );
        assert_eq!(figures.failed, 0, "a server without a fault failed: {}", server.log());
        // Where each round begins with the same content, little more is pushed with more kills.
        assert!(figures.acknowledged > self.kills.min(50), "hardly anything was pushed: {figures:?}");
        assert!(longest < Duration::from_secs(30), "a restart took {longest:?}");
    }
}

/// Links, blobs and keys that collections took since the server was started.
pub fn collected(client: &Client) -> usize {
    let figures = client.get("/metrics").expect(200).text();
    let names = ["berth_gc_links_total", "berth_gc_blobs_total", "berth_gc_keys_total"];
    let taken = |line: &str| {
        let (name, count) = line.split_once(' ')?;
        if names.contains(&name) { count.parse::<usize>().ok() } else { None }
    };
    figures.lines().filter_map(taken).sum()
}
