//! Memory: little at rest, and no more for a great layer than for a small one.
//!
//! `BERTH_TEST_LAYER_MIB` sets the great layer's size (5,120).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use std::io::{self, Write};
use std::time::Duration;

use berth_testkit::{
    Hasher, Image, MIB, Random, Server, ServerBuilder, berth_binary, free_bytes, path_and_query, target_of, within,
};

const IDLE_LIMIT: u64 = 64 * MIB;
/// What two runs of the same may differ by.
const SLACK: u64 = 16 * MIB;

fn builder() -> ServerBuilder {
    Server::builder(berth_binary("BERTH_BIN", env!("CARGO_BIN_EXE_berth")))
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / MIB)
}

#[test]
fn a_server_at_rest_needs_64_mib_at_most() {
    let server = builder().start();
    let process = server.process();
    let settles = || within(Duration::from_mins(2), || process.rss_bytes() <= IDLE_LIMIT);
    assert!(settles(), "{} after the start", mib(process.rss_bytes()));
    println!("{} after the start", mib(process.rss_bytes()));
    std::thread::scope(|scope| {
        for pusher in 0..8 {
            let client = server.client();
            scope.spawn(move || {
                for number in 0..100 {
                    let name = format!("{pusher}-{number}");
                    client.push_image(&format!("load/r{pusher}"), "latest", &Image::small(&name));
                    client.manifest(&format!("load/r{pusher}"), "latest").expect(200);
                }
            });
        }
    });
    assert!(settles(), "{} after 800 small images were pushed", mib(process.rss_bytes()));
    println!("{} after 800 small images", mib(process.rss_bytes()));
}

/// A layer that is never whole in memory: one random mebibyte again and again, each time stamped with its number.
struct Layer {
    block: Vec<u8>,
    blocks: u64,
}

impl Layer {
    fn new(mib: u64) -> Self {
        Self { block: Random::seeded(mib).bytes(usize::try_from(MIB).unwrap()), blocks: mib }
    }

    fn write(&self, mut sink: impl FnMut(&[u8])) {
        let mut block = self.block.clone();
        for number in 0..self.blocks {
            block[..8].copy_from_slice(&number.to_le_bytes());
            sink(&block);
        }
    }
}

struct HashSink(Hasher);

impl Write for HashSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The digest, after the layer was streamed into a session and committed.
fn push(server: &Server, layer: &Layer) -> String {
    let client = server.client();
    let session = client.start_upload("memory");
    let length = (layer.blocks * MIB).to_string();
    let mut connection = client.open("PATCH", &session, &[("Content-Length", &length)]);
    let mut hasher = Hasher::default();
    layer.write(|block| {
        hasher.update(block);
        connection.send(block).expect("the server takes the layer");
    });
    connection.read_timeout(Duration::from_mins(10));
    let session = target_of(&connection.read_reply("PATCH").unwrap().expect(202));
    let digest = hasher.finish();
    let target = path_and_query(&session, &format!("digest={digest}"));
    let mut connection = client.open("PUT", &target, &[("Content-Length", "0")]);
    connection.read_timeout(Duration::from_mins(10));
    connection.read_reply("PUT").unwrap().expect(201);
    digest
}

fn pull(server: &Server, digest: &str) {
    let mut connection = server.client().open("GET", &format!("/v2/memory/blobs/{digest}"), &[]);
    let mut sink = HashSink(Hasher::default());
    let (reply, _) = connection.read_reply_into("GET", &mut sink).unwrap();
    reply.expect(200);
    assert_eq!(sink.0.finish(), digest);
}

/// How far the peak rose above the start while a layer was pushed and pulled, on a server of its own.
fn growth(layer_mib: u64) -> u64 {
    let server = builder().start();
    server.client().get("/v2/").expect(200);
    let before = server.process().rss_bytes();
    server.process().reset_peak();
    let digest = push(&server, &Layer::new(layer_mib));
    pull(&server, &digest);
    let grown = server.process().peak_rss_bytes().saturating_sub(before);
    println!("{layer_mib} MiB pushed and pulled: {} more at the peak", mib(grown));
    grown
}

#[test]
fn a_layer_of_5_gib_needs_no_more_than_one_of_5_mib() {
    let great: u64 = std::env::var("BERTH_TEST_LAYER_MIB").map_or(5_120, |mib| mib.parse().expect("a number"));
    let (needed, free) = ((great + 1_024) * MIB, free_bytes(&std::env::temp_dir()));
    assert!(free > needed, "{} are free in the temporary folder, but this test needs {}", mib(free), mib(needed));
    let small = growth(5);
    let large = growth(great);
    assert!(large <= small + SLACK, "{} for the small layer, {} for the great one", mib(small), mib(large));
}
