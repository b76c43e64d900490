//! A thousand pushes at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, scope};

use berth_testkit::crowd::raise_file_limit;
use berth_testkit::pushers::{Layers, Pusher, pushed_to};
use berth_testkit::seaweedfs::Seaweed;
use berth_testkit::{MIB, Random, Server, sha256};
use serde_json::json;

use crate::{assert_memory, builder};

const LAYER_MIB: usize = 8;
/// Into a bucket, whose server does not share the processor gladly; `BERTH_TEST_BUCKET_MIB` sets another size. A thousand of them
/// are still many times what all uploads together may buffer.
const BUCKET_LAYER_MIB: usize = 2;
/// Blobs that are pulled again and hashed.
const SAMPLE: usize = 100;

/// All clients connect, wait for each other, and push; how many layers were begun again.
fn push_all(server: &Server, layers: &Layers, count: usize) -> usize {
    let client = server.client();
    let (together, begun_again) = (Barrier::new(count), AtomicUsize::new(0));
    scope(|scope| {
        for number in 0..count {
            let (client, together, begun_again) = (client.clone(), &together, &begun_again);
            let push = move || {
                let mut pusher = Pusher::new(client, number);
                together.wait();
                begun_again.fetch_add(pusher.push(layers), Ordering::Relaxed);
            };
            Builder::new().stack_size(256 * 1024).spawn_scoped(scope, push).expect("a thread");
        }
    });
    begun_again.into_inner()
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

fn push_and_check(server: &Server, layer_mib: usize, place: &str) {
    let what = &format!("1,000 pushes of {layer_mib} MiB into {place}");
    raise_file_limit();
    let seed = berth_testkit::seed_from_environment();
    println!("{what}: BERTH_TEST_SEED={seed}");
    let (count, mut random) = (crate::count("BERTH_TEST_PUSHES", 1000), Random::seeded(seed));
    let layers = Layers::new(random.word(), layer_mib * usize::try_from(MIB).unwrap());
    println!("{what}: {} layers were begun again", push_all(server, &layers, count));
    assert_memory(server, what);
    assert_sample(server, &layers, count, &mut random);
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn a_thousand_pushes_at_once_into_files() {
    push_and_check(&builder().start(), LAYER_MIB, "files");
}

#[test]
fn a_thousand_pushes_at_once_into_a_bucket() {
    let seaweed = Seaweed::shared();
    let server = builder().on_bucket(seaweed, &seaweed.fresh_prefix()).start();
    push_and_check(&server, crate::count("BERTH_TEST_BUCKET_MIB", BUCKET_LAYER_MIB), "a bucket");
}
