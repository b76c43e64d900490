//! A thousand pushes at once.

use std::sync::Barrier;
use std::thread::{Builder, scope};

use berth_testkit::crowd::raise_file_limit;
use berth_testkit::pushers::{Layers, Pusher, pushed_to};
use berth_testkit::seaweedfs::Seaweed;
use berth_testkit::{MIB, Random, Server, sha256};
use serde_json::json;

use crate::{assert_memory, builder};

const LAYER_BYTES: u64 = 8 * MIB;
/// Blobs that are pulled again and hashed.
const SAMPLE: usize = 100;

/// All clients connect, wait for each other, and push.
fn push_all(server: &Server, layers: &Layers, count: usize) {
    let client = server.client();
    let together = Barrier::new(count);
    scope(|scope| {
        for number in 0..count {
            let (client, together) = (client.clone(), &together);
            let push = move || {
                let mut pusher = Pusher::new(client, number);
                together.wait();
                pusher.push(layers);
            };
            Builder::new().stack_size(256 * 1024).spawn_scoped(scope, push).expect("a thread");
        }
    });
}

/// Pulls some of the layers back and hashes them.
fn assert_sample(server: &Server, layers: &Layers, count: usize, random: &mut Random) {
    let client = server.client();
    for _ in 0..SAMPLE.min(count) {
        let number = random.below(count);
        let ((repository, tag), digest) = (pushed_to(number), layers.digest(number));
        let pulled = client.blob(&repository, &digest).expect(200).body;
        assert_eq!(sha256(&pulled), digest, "layer {number}");
        let listed = client.manifest(&repository, &tag).expect(200).json();
        assert_eq!(listed["layers"][0]["digest"], json!(digest));
    }
}

fn push_and_check(server: &mut Server, what: &str) {
    raise_file_limit();
    let seed = berth_testkit::seed_from_environment();
    println!("{what}: BERTH_TEST_SEED={seed}");
    let (count, mut random) = (crate::count("BERTH_TEST_PUSHES", 1000), Random::seeded(seed));
    let layers = Layers::new(random.word(), usize::try_from(LAYER_BYTES).unwrap());
    push_all(server, &layers, count);
    assert_memory(server, what);
    assert_sample(server, &layers, count, &mut random);
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn a_thousand_pushes_at_once_into_files() {
    push_and_check(&mut builder().start(), "1,000 pushes of 8 MiB into files");
}

#[test]
fn a_thousand_pushes_at_once_into_a_bucket() {
    let seaweed = Seaweed::shared();
    let mut server = builder().on_bucket(seaweed, &seaweed.fresh_prefix()).start();
    push_and_check(&mut server, "1,000 pushes of 8 MiB into a bucket");
}
