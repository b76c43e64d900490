//! Clients that do what clients do, at a steady pace, and what they wait for.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use berth_testkit::{Client, Image, Random, Server, sha256};
use serde::Serialize;

const REPOSITORY: &str = "healthy/app";
const PULLERS: usize = 8;
/// Each of them makes a request in so long: a manifest, a HEAD of a layer, a config, the layer, and again.
const PULL_PACE: Duration = Duration::from_millis(20);
const PUSHERS: usize = 2;
/// Each of them pushes a small image in so long.
const PUSH_PACE: Duration = Duration::from_millis(200);
const LAYER_BYTES: usize = 64 * 1024;

/// How long each took, in milliseconds, in order.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Times(Vec<f64>);

impl Times {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    fn quantile(&self, share: usize) -> f64 {
        let nth = (self.0.len() * share / 100).min(self.0.len().saturating_sub(1));
        let time = self.0.get(nth).copied().unwrap_or_default();
        (time * 1000.0).round() / 1000.0
    }

    pub fn p50(&self) -> f64 {
        self.quantile(50)
    }

    pub fn p99(&self) -> f64 {
        self.quantile(99)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// What the healthy clients saw in one span.
#[derive(Debug, Clone)]
pub struct Latencies {
    pub pulls: Times,
    pub pushes: Times,
}

fn image() -> Image {
    Image::of(vec![Random::seeded(1).bytes(LAYER_BYTES)])
}

pub fn prepare(server: &Server) {
    server.client().push_image(REPOSITORY, "latest", &image());
}

/// Does something at a steady pace. Each time counts from when it was due: who waits for one answer is late for the next.
fn at_pace(pace: Duration, span: Duration, mut work: impl FnMut(usize)) -> Vec<f64> {
    let begin = Instant::now();
    let mut times = Vec::new();
    for nth in 0.. {
        let due = begin + pace * u32::try_from(nth).unwrap();
        if due >= begin + span {
            break;
        }
        sleep(due.saturating_duration_since(Instant::now()));
        work(nth);
        times.push(due.elapsed().as_secs_f64() * 1000.0);
    }
    times
}

fn pull(client: &Client, image: &Image, nth: usize) {
    let blob = |bytes: &[u8]| format!("/v2/{REPOSITORY}/blobs/{}", sha256(bytes));
    match nth % 4 {
        0 => assert_eq!(client.manifest(REPOSITORY, "latest").expect(200).body, image.manifest.bytes),
        1 => drop(client.request("HEAD", &blob(&image.layers[0]), &[], b"").expect(200)),
        2 => assert_eq!(client.get(&blob(&image.config)).expect(200).body, image.config),
        _ => assert!(client.get(&blob(&image.layers[0])).expect(200).body == image.layers[0]),
    }
}

/// Lets the healthy clients work for a span. Any error ends the program.
pub fn measure(server: &Server, span: Duration) -> Latencies {
    let image = image();
    let start = Instant::now();
    let (pulls, pushes) = scope(|scope| {
        let pullers = (0..PULLERS).map(|_| {
            let (client, image) = (server.client(), &image);
            scope.spawn(move || at_pace(PULL_PACE, span, |nth| pull(&client, image, nth)))
        });
        let pullers: Vec<_> = pullers.collect();
        let pushers = (0..PUSHERS).map(|number| {
            let client = server.client();
            let name = format!("{start:?} {number}");
            scope.spawn(move || {
                let push = |nth| client.push_image("healthy/pushed", "latest", &Image::small(&format!("{name} {nth}")));
                at_pace(PUSH_PACE, span, push)
            })
        });
        let pushers: Vec<_> = pushers.collect();
        let all = |threads: Vec<std::thread::ScopedJoinHandle<'_, Vec<f64>>>| {
            Times::of(threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect())
        };
        (all(pullers), all(pushers))
    });
    Latencies { pulls, pushes }
}
