//! Tenants beside one that asks twenty times its quota of two nodes on one database: what they get done, as a ratio.
//! `bench/tenant` builds and runs this. In turns it measures two things:
//!
//! - **paced**: tenants that pull manifests at a pace within their quotas, alone and beside the noisy one. It tells whether
//!   somebody is refused or kept waiting, not what the excess costs: they ask for less than the nodes can do.
//! - **busy**: tenants that pull layers, which have no quota here, the next as soon as one is there, beside a tenant that keeps to
//!   its quota and beside the same when it does not. Nodes, clients and database share the machine, so the ratio is what the excess
//!   costs with the work of sending it. A third side has that work without Berth's: there the excess goes to a stand-in that refuses
//!   every request unread. The ratio to it is what refusing costs Berth beyond that.
//!
//! Every tenant has an account of its own and connections to both nodes in turns. Which side comes first changes from round to
//! round, so that what else happens on the machine meets all alike.
// It measures, and stops where something is not as it should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
// The ambient clock is what it measures with.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::cast_precision_loss)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_testkit::aws::{AwsClient, Keys};
use berth_testkit::postgres::Postgres;
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Image, Server, berth_binary, sha256};

const SERVER_KEY: &str = "5e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e7";
/// What the noisy tenant asks for, in quotas.
const NOISE: f64 = 20.0;
/// What the others ask for each, in quotas.
const DECENT: f64 = 0.8;
const OTHERS: usize = 3;
/// Clients of the noisy tenant.
const NOISY_CLIENTS: u32 = 10;
const HOST: &str = "{account}.{region}.example.org";
const MANIFEST: &str = "/v2/team/app/manifests/one";
/// Clients of each tenant that is busy, with a connection to each node.
const BUSY_CLIENTS: u32 = 2;
/// What of their throughput the others must keep.
const BAR: f64 = 0.9;

struct Asked {
    rounds: usize,
    span: Duration,
    /// Manifests per second that an account may pull.
    quota: u32,
    /// Whether the quotas hold: without, it shows what they are good for.
    profile: &'static str,
}

impl Asked {
    fn read(arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self { rounds: 5, span: Duration::from_secs(10), quota: 50, profile: "ecr" };
        // Cargo adds `--bench`.
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} wants a value"));
            match argument.as_str() {
                "--rounds" => asked.rounds = value().parse().expect("a number of rounds"),
                "--seconds" => asked.span = Duration::from_secs(value().parse().expect("a number of seconds")),
                "--quota" => asked.quota = value().parse().expect("calls per second"),
                "--off" => asked.profile = "off",
                other => panic!("{other}: --rounds N, --seconds N, --quota N or --off"),
            }
        }
        asked
    }
}

/// One client's answers by kind.
#[derive(Default, Clone, Copy)]
struct Answers {
    served: usize,
    throttled: usize,
    other: usize,
}

impl Answers {
    fn add(self, more: Self) -> Self {
        let Self { served, throttled, other } = more;
        Self { served: self.served + served, throttled: self.throttled + throttled, other: self.other + other }
    }

    fn count(&mut self, status: u16) {
        match status {
            200 => self.served += 1,
            429 => self.throttled += 1,
            _ => self.other += 1,
        }
    }
}

/// An account with an image, as clients of both nodes see it.
struct Tenant {
    clients: Vec<Client>,
    layer: String,
}

impl Tenant {
    fn make(nodes: &[Server], account: &str) -> Self {
        let admin = AwsClient::new(nodes[0].addr(), Keys::new(ADMIN_ID, ADMIN_SECRET));
        let keys = Keys::of(&admin.iam("CreateAccount", &[("AccountId", account)]).expect(200));
        let host = HOST.replace("{account}", account).replace("{region}", "us-east-1");
        let client = |node: &Server| Client::login(node.addr(), &keys.id, &keys.secret).at_host(&host);
        let (clients, layer): (Vec<Client>, _) = (nodes.iter().map(client).collect(), b"layer".to_vec());
        let layer_path = format!("/v2/team/app/blobs/{}", sha256(&layer));
        clients[0].push_image("team/app", "one", &Image::of(vec![layer]));
        Self { clients, layer: layer_path }
    }
}

/// Where nothing is served: it refuses what comes without looking at it. Gives its address.
fn stand_in() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || refuse(&connection));
        }
    });
    address
}

fn refuse(mut connection: &TcpStream) {
    connection.set_nodelay(true).unwrap();
    let mut lines = BufReader::new(connection);
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
        // The pulls that are sent here have no body.
        if line == "\r\n" {
            connection.write_all(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
        line.clear();
    }
}

/// What a client of a tenant does.
#[derive(Clone, Copy)]
enum Work {
    /// Pulls the manifest so many times per second. What is late is made up for.
    Paced(f64),
    /// Pulls the layer, the next time as soon as it is there.
    Busy,
}

/// Clients of a tenant that all do the same.
#[derive(Clone, Copy)]
struct Party<'a> {
    tenant: &'a Tenant,
    clients: u32,
    work: Work,
}

impl<'a> Party<'a> {
    /// Pulls manifests by so many clients, so many per second of all together.
    fn paced(tenant: &'a Tenant, clients: u32, per_second: f64) -> Self {
        Self { tenant, clients, work: Work::Paced(per_second / f64::from(clients)) }
    }

    const fn busy(tenant: &'a Tenant) -> Self {
        Self { tenant, clients: BUSY_CLIENTS, work: Work::Busy }
    }

    /// Its clients, which share no connection.
    fn all(self) -> impl Iterator<Item = Puller<'a>> {
        let target = if matches!(self.work, Work::Busy) { &self.tenant.layer } else { MANIFEST };
        (0..self.clients).map(move |_| Puller { nodes: self.tenant.clients.clone(), target, work: self.work })
    }
}

/// One client.
struct Puller<'a> {
    nodes: Vec<Client>,
    target: &'a str,
    work: Work,
}

impl Puller<'_> {
    /// Pulls at one node after the other until it is enough.
    fn run(self, until: impl Fn() -> bool) -> Answers {
        let (mut answers, began) = (Answers::default(), Instant::now());
        for number in 0_u32.. {
            if let Work::Paced(per_second) = self.work {
                let due = began + Duration::from_secs_f64(f64::from(number) / per_second);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            if until() {
                break;
            }
            answers.count(self.nodes[number as usize % self.nodes.len()].get(self.target).status);
        }
        answers
    }
}

fn sum(clients: Vec<std::thread::ScopedJoinHandle<'_, Answers>>) -> Answers {
    clients.into_iter().map(|client| client.join().unwrap()).fold(Answers::default(), Answers::add)
}

/// What was done in a span.
struct Measured {
    others: Answers,
    noisy: Answers,
    /// Processor time of both nodes, in seconds.
    nodes: f64,
}

/// What the others get done in a span, and what the noisy one, where it is there.
fn measure(nodes: &[Server], others: &[Party<'_>], noisy: &[Party<'_>], span: Duration) -> Measured {
    let before = ticks(nodes);
    let (end, is_over) = (Instant::now() + span, AtomicBool::new(false));
    let (others, noisy) = std::thread::scope(|scope| {
        let is_over = &is_over;
        let mut senders = Vec::new();
        for puller in noisy.iter().flat_map(|party| party.all()) {
            senders.push(scope.spawn(move || puller.run(|| is_over.load(Ordering::Relaxed))));
        }
        let mut decent = Vec::new();
        for puller in others.iter().flat_map(|party| party.all()) {
            decent.push(scope.spawn(move || puller.run(|| Instant::now() >= end)));
        }
        let decent = sum(decent);
        is_over.store(true, Ordering::Relaxed);
        (decent, sum(senders))
    });
    Measured { others, noisy, nodes: (ticks(nodes) - before) as f64 / 100.0 }
}

fn ticks(nodes: &[Server]) -> u64 {
    nodes.iter().map(|node| node.process().cpu_ticks()).sum()
}

fn start(asked: &Asked) -> Vec<Server> {
    let (url, binary) = (Postgres::shared().create_database(), berth_binary("BERTH_BIN", env!("CARGO_BIN_EXE_berth")));
    let node = |_| {
        let node = Server::builder(&binary).setting("database.url", &url).env("BERTH_SERVER_KEY", SERVER_KEY);
        let node = node.setting("registry.host", HOST).setting("throttle.profile", asked.profile);
        let rates = if asked.profile == "off" {
            String::new()
        } else {
            format!("BatchGetImage={},GetDownloadUrlForLayer=0", asked.quota)
        };
        node.setting("throttle.rates", &rates).start()
    };
    (0..2).map(node).collect()
}

/// One side of a row: what it is called, and who makes noise.
type Side<'a> = (&'static str, Vec<Party<'a>>);

/// A row of the table: the same others on several sides.
struct Row<'a> {
    name: &'static str,
    others: Vec<Party<'a>>,
    /// The last one is compared with each of those before.
    sides: Vec<Side<'a>>,
    /// Of each side but the last, the ratios of all rounds.
    ratios: Vec<Vec<f64>>,
}

impl<'a> Row<'a> {
    fn new(name: &'static str, others: Vec<Party<'a>>, sides: Vec<Side<'a>>) -> Self {
        let ratios = vec![Vec::new(); sides.len() - 1];
        Self { name, others, sides, ratios }
    }

    /// Measures each side once, beginning with another one in every round.
    fn round(&mut self, round: usize, nodes: &[Server], asked: &Asked) {
        let count = self.sides.len();
        let mut served = vec![0.0; count];
        println!("round {round}, {}", self.name);
        for nth in (0..count).map(|step| (round + step) % count) {
            let (side, noisy) = &self.sides[nth];
            let measured = measure(nodes, &self.others, noisy, asked.span);
            told(side, &measured, asked);
            served[nth] = measured.others.served as f64;
        }
        for (ratios, before) in self.ratios.iter_mut().zip(&served) {
            ratios.push(served[count - 1] / before);
        }
    }

    /// Says for each side whether the middle of the ratios reaches the bar.
    fn judge(&mut self) {
        let compared = self.sides[self.sides.len() - 1].0;
        for ((side, _), ratios) in self.sides.iter().zip(&mut self.ratios) {
            ratios.sort_unstable_by(f64::total_cmp);
            let (median, least, most) = (ratios[ratios.len() / 2], ratios[0], ratios[ratios.len() - 1]);
            let is_kept = if median >= BAR { "kept" } else { "MISSED" };
            println!(
                "{}: median {median:.3} ({least:.3} to {most:.3}); bar {BAR}: {is_kept} ({compared} / {side})",
                self.name
            );
        }
    }
}

fn told(side: &str, measured: &Measured, asked: &Asked) {
    let (Measured { others, noisy, nodes }, seconds) = (measured, asked.span.as_secs_f64());
    println!(
        "  {side}: others {:.1}/s ({} throttled, {} other); the noisy one asked {:.0}/s, was served {:.1}/s of {} ({} other); nodes \
         {:.2} cores",
        others.served as f64 / seconds,
        others.throttled,
        others.other,
        (noisy.served + noisy.throttled + noisy.other) as f64 / seconds,
        noisy.served as f64 / seconds,
        asked.quota,
        noisy.other,
        nodes / seconds,
    );
}

fn main() {
    let asked = Asked::read(std::env::args().skip(1));
    let nodes = start(&asked);
    let quota = f64::from(asked.quota);
    let noisy = Tenant::make(&nodes, "999999999999");
    let others: Vec<Tenant> = (1..=OTHERS).map(|number| Tenant::make(&nodes, &format!("{number:012}"))).collect();
    let elsewhere =
        Tenant { clients: vec![Client::login(stand_in(), ADMIN_ID, "none"); nodes.len()], layer: String::new() };
    let loud = || vec![Party::paced(&noisy, NOISY_CLIENTS, quota * NOISE)];
    let within = Party::paced(&noisy, NOISY_CLIENTS, quota * DECENT);
    let excess = Party::paced(&elsewhere, NOISY_CLIENTS, quota * (NOISE - DECENT));
    let paced: Vec<Party<'_>> = others.iter().map(|other| Party::paced(other, 1, quota * DECENT)).collect();
    // The nodes hear of each other, and buffers fill.
    measure(&nodes, &paced, &loud(), Duration::from_secs(5));
    let mut rows = [
        Row::new("paced", paced, vec![("alone", Vec::new()), ("beside 20 times its quota", loud())]),
        Row::new(
            "busy",
            others.iter().map(Party::busy).collect(),
            vec![
                ("beside a tenant within its quota", vec![within]),
                ("beside a tenant within its quota, the excess sent to a stand-in", vec![within, excess]),
                ("beside 20 times its quota", loud()),
            ],
        ),
    ];
    for round in 1..=asked.rounds {
        for row in &mut rows {
            row.round(round, &nodes, &asked);
        }
    }
    println!(
        "throttle.profile = {}, quota {quota} manifests/s, the noisy one asks {}/s by {NOISY_CLIENTS} clients; {OTHERS} others on {} nodes: \
         paced, one client each at {}/s; busy, {BUSY_CLIENTS} clients each, layers as fast as they come",
        asked.profile,
        quota * NOISE,
        nodes.len(),
        quota * DECENT,
    );
    for row in &mut rows {
        row.judge();
    }
}
