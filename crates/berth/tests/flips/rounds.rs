//! Damage, pulls, finding, refusal, repair; once for each way of finding and of repairing.

use std::collections::BTreeSet;

use berth_testkit::seaweedfs::{BUCKET, Seaweed};
use berth_testkit::{Output, Random, Server, eventually};
use serde_json::Value;

use crate::damage::Damage;
use crate::places::{Keys, Places};
use crate::pulls::{assert_never_wrong, assert_quarantined, assert_right, pull};
use crate::stock::{Held, Stock};
use crate::{builder, flips, random};

/// Images of which one round damages some.
const IMAGES: usize = 12;

/// A registry, another one with the same content, and backups.
struct World {
    server: Server,
    twin: Server,
    stock: Stock,
    places: Places,
    backups: String,
}

#[derive(Clone, Copy, Debug)]
enum Finder {
    Verify,
    Scrub,
}

#[derive(Clone, Copy, Debug)]
enum Repair {
    Push,
    Backups,
    Registry,
}

const ROUNDS: [(Finder, Repair); 6] = [
    (Finder::Verify, Repair::Push),
    (Finder::Scrub, Repair::Backups),
    (Finder::Verify, Repair::Registry),
    (Finder::Scrub, Repair::Push),
    (Finder::Verify, Repair::Backups),
    (Finder::Scrub, Repair::Registry),
];

pub fn told(output: &Output, code: i32) -> Value {
    assert_eq!(output.code, Some(code), "{}{}", output.stdout, output.stderr);
    serde_json::from_str(output.stdout.trim()).unwrap_or_default()
}

/// The digests of the damaged blobs that a verification found.
fn damaged(verified: &Value) -> BTreeSet<String> {
    let findings = verified["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["digest"].as_str().expect("a damaged blob").to_owned()).collect()
}

impl World {
    fn new(server: Server, keys: Keys, random: &mut Random) -> Self {
        let stock = Stock::of(random.word(), IMAGES);
        let twin = builder().start();
        stock.push(&server.client());
        stock.push(&twin.client());
        let backups = server.data().parent().unwrap().join("backups").to_str().unwrap().to_owned();
        told(&server.berth(&["backup", &backups, "--json"]), 0);
        Self { places: Places::of(&server, keys), server, twin, stock, backups }
    }

    /// Damages up to `count` things, each once, and gives their digests.
    fn spoil(&self, count: usize, random: &mut Random) -> BTreeSet<String> {
        let mut places = self.places.all();
        while places.len() > count {
            places.swap_remove(random.below(places.len()));
        }
        for (digest, place) in &places {
            let held = self.stock.find(digest).unwrap();
            let damage = Damage::choose(random, held.bytes.len());
            self.places.damage(place, &held.bytes, damage);
            let seen = pull(&self.server.client(), held, random);
            assert_never_wrong(held, &seen, damage);
        }
        places.into_iter().map(|(digest, _)| digest).collect()
    }

    fn find(&mut self, finder: Finder) {
        if let Finder::Scrub = finder {
            self.server.stop();
            self.places.age();
            self.server.restart();
            eventually("the scrub has seen everything", || self.places.unscrubbed() == 0);
        }
    }

    fn repair(&self, repair: Repair, spoilt: &BTreeSet<String>) {
        match repair {
            Repair::Push => {
                let client = self.server.client();
                self.of(spoilt).for_each(|held| self.stock.push_again(&client, held));
            }
            Repair::Backups => self.repair_from(&self.backups, spoilt.len()),
            Repair::Registry => self.repair_from(self.twin.url(), spoilt.len()),
        }
    }

    fn repair_from(&self, place: &str, count: usize) {
        let repaired = told(&self.server.berth(&["verify", "--repair", "--from", place, "--json"]), 0);
        assert_eq!(repaired["repaired"].as_array().unwrap().len(), count, "{repaired}");
    }

    fn of(&self, digests: &BTreeSet<String>) -> impl Iterator<Item = &Held> {
        digests.iter().map(|digest| self.stock.find(digest).unwrap())
    }

    fn round(&mut self, count: usize, (finder, repair): (Finder, Repair), random: &mut Random) -> usize {
        let spoilt = self.spoil(count, random);
        self.find(finder);
        if let Finder::Verify = finder {
            assert_eq!(damaged(&told(&self.server.berth(&["verify", "--json"]), 1)), spoilt);
        }
        let client = self.server.client();
        self.of(&spoilt).for_each(|held| assert_quarantined(&client, held));
        for held in self.stock.held.iter().filter(|held| !spoilt.contains(&held.digest)) {
            assert_right(&client, held, random);
        }
        self.repair(repair, &spoilt);
        self.stock.held.iter().for_each(|held| assert_right(&client, held, random));
        assert_eq!(told(&self.server.berth(&["verify", "--json"]), 0)["findings"], Value::Array(Vec::new()));
        spoilt.len()
    }
}

fn run(server: Server, keys: Keys, count: usize, what: &str) {
    let mut random = random(what);
    let mut world = World::new(server, keys, &mut random);
    let (per_round, mut done) = (count.div_ceil(ROUNDS.len()).min(IMAGES * 4), 0);
    for turn in ROUNDS.into_iter().cycle() {
        if done >= count {
            break;
        }
        done += world.round(per_round, turn, &mut random);
    }
    println!("{what}: {done} things damaged, found and repaired");
}

fn scrubbing() -> berth_testkit::ServerBuilder {
    builder().setting("scrub.rate", "1GiB")
}

#[test]
fn in_rows_and_files() {
    let server = scrubbing().start();
    let keys = Keys::Folder(server.blobs());
    run(server, keys, flips(45), "rows and files");
}

#[test]
fn in_a_bucket() {
    let seaweed = Seaweed::shared();
    let prefix = seaweed.fresh_prefix();
    let server = scrubbing().on_bucket(seaweed, &prefix).start();
    let keys = Keys::Bucket { server: seaweed.file_server(), folder: format!("/buckets/{BUCKET}/{prefix}") };
    run(server, keys, flips(30), "a bucket");
}
