//! A node that stands still in the middle of a sweep.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use berth_testkit::{Client, Image, Random, Server, sha256, within};
use rustix::process::Signal;

use crate::GRACE;
use crate::nodes::Nodes;

/// Images, and layers of each, that are garbage all at once, so that a sweep takes a while.
const IMAGES: u64 = 8;
const LAYERS: u64 = 40;
const PATIENCE: Duration = Duration::from_mins(2);

/// Stops a node while it deletes, for so long; meanwhile the same content is pushed again at another, which goes on
/// collecting. Then the node deletes on, and the content stays.
pub fn in_mid_sweep(nodes: &Nodes, node: &Server, time: Duration) {
    let other = nodes.nodes[1].client();
    let (images, halted) = halt_in_mid_sweep(nodes, node);
    push(&other, &images, "again");
    std::thread::sleep(time.saturating_sub(halted.elapsed()));
    node.process().signal(Signal::CONT);
    println!("stopped in mid-sweep for {:?}", halted.elapsed());
    let before = figure(&node.client(), "berth_gc_blobs_total");
    let goes_on = within(PATIENCE, || figure(&node.client(), "berth_gc_blobs_total") > before || is_done(node));
    assert!(goes_on, "the node that was stopped does not collect any more:\n{}", node.log());
    for (nth, image) in images.iter().enumerate() {
        let client = if nth % 2 == 0 { &other } else { &node.client() };
        client.manifest("bait", &image.manifest.digest).expect(200);
        for blob in image.blobs() {
            assert!(client.blob("bait", &sha256(blob)).expect(200).body == *blob, "other bytes");
        }
    }
}

/// Whether the collection that was under way has ended and been told about.
fn is_done(node: &Server) -> bool {
    node.log().contains("garbage was collected")
}

/// Makes garbage until the node is caught in the middle of deleting it. What it was, and when the node was stopped.
fn halt_in_mid_sweep(nodes: &Nodes, node: &Server) -> (Vec<Image>, Instant) {
    let others = &nodes.nodes[1];
    // On a busy machine a whole sweep passes between two looks.
    for round in 0..40 {
        let bait = make_garbage(&others.client(), round);
        let keys = keys_of(nodes, &bait);
        delete(&others.client(), &bait);
        std::thread::sleep(GRACE - Duration::from_millis(500));
        // Alone, so that it is this node that sweeps; and with both stopped, what is left can be looked at.
        others.process().signal(Signal::STOP);
        // Others left garbage too: it is the bait's rows that must have begun to go.
        let began = within(PATIENCE, || rows_of(nodes, &bait) < keys.len());
        node.process().signal(Signal::STOP);
        let (halted, left) = (Instant::now(), nodes.unowned().intersection(&keys).count());
        others.process().signal(Signal::CONT);
        assert!(began, "the node collects nothing:\n{}", node.log());
        println!("{left} keys without a row are left of {}", keys.len());
        if left > 0 {
            return (bait, halted);
        }
        node.process().signal(Signal::CONT);
    }
    panic!("the node was never caught in the middle of a sweep");
}

fn make_garbage(client: &Client, round: u64) -> Vec<Image> {
    let layer = |image: u64, nth: u64| Random::seeded((round * IMAGES + image) * LAYERS + nth).bytes(500);
    let image = |image: u64| Image::of((0..LAYERS).map(|nth| layer(image, nth)).collect());
    let bait: Vec<Image> = (0..IMAGES).map(image).collect();
    push(client, &bait, "bait");
    bait
}

/// A busy database may ask for patience.
fn delete(client: &Client, images: &[Image]) {
    for image in images {
        let target = format!("/v2/bait/manifests/{}", image.manifest.digest);
        let is_gone = || [202, 404].contains(&client.delete(&target).expect_any(&[202, 404, 503]).status);
        assert!(within(PATIENCE, is_gone), "{target} stays");
    }
}

fn push(client: &Client, images: &[Image], tag: &str) {
    std::thread::scope(|scope| {
        for (nth, image) in images.iter().enumerate() {
            let client = client.clone();
            scope.spawn(move || push_one(&client, image, &format!("{tag}-{nth}")));
        }
    });
}

/// A slow machine may take longer than the first blobs are promised; then they are pushed again.
fn push_one(client: &Client, image: &Image, tag: &str) {
    let pushed = (0..10).any(|_| {
        client.push_blobs("bait", image);
        client.push_manifest("bait", tag, &image.manifest).expect_any(&[201, 400]).status == 201
    });
    assert!(pushed, "ten pushes took too long");
}

/// SQL for the rows of all layers.
fn rows(images: &[Image]) -> String {
    let blobs = images.iter().flat_map(|image| &image.layers);
    let digests: Vec<String> = blobs.map(|bytes| format!("'{}'", sha256(bytes))).collect();
    format!("FROM blobs WHERE digest IN ({})", digests.join(","))
}

fn keys_of(nodes: &Nodes, images: &[Image]) -> BTreeSet<String> {
    nodes.sql(&format!("SELECT storage_key {}", rows(images))).lines().map(str::to_owned).collect()
}

fn rows_of(nodes: &Nodes, images: &[Image]) -> usize {
    nodes.sql(&format!("SELECT count(*) {}", rows(images))).trim().parse().unwrap()
}

/// A counter of a node.
fn figure(client: &Client, name: &str) -> u64 {
    let text = client.get("/metrics").expect(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}
