//! Tenants that keep to their quotas, alone and beside one that asks twenty times its own of two nodes on one database: what
//! they get done, as a ratio. `bench/tenant` builds and runs this.
//!
//! Every tenant has an account of its own, a pace, and connections to both nodes in turns. The noisy one is there and gone again in turn,
//! so that what else happens on the machine meets both sides alike. Node, clients and database share the machine.
// It measures, and stops where something is not as it should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]
// The ambient clock is what it measures with.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::cast_precision_loss)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use berth_testkit::aws::{AwsClient, Keys};
use berth_testkit::postgres::Postgres;
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Image, Server, berth_binary};

const SERVER_KEY: &str = "5e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e75e7fe5e7";
/// What the noisy tenant asks for, in quotas.
const NOISE: f64 = 20.0;
/// What the others ask for each, in quotas.
const DECENT: f64 = 0.8;
const OTHERS: usize = 3;
/// Clients of the noisy tenant.
const NOISY_CLIENTS: u32 = 10;
const HOST: &str = "{account}.{region}.example.org";
const TARGET: &str = "/v2/team/app/manifests/one";
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
struct Tenant(Vec<Client>);

impl Tenant {
    fn make(nodes: &[Server], account: &str) -> Self {
        let admin = AwsClient::new(nodes[0].addr(), Keys::new(ADMIN_ID, ADMIN_SECRET));
        let keys = Keys::of(&admin.iam("CreateAccount", &[("AccountId", account)]).expect(200));
        let host = HOST.replace("{account}", account).replace("{region}", "us-east-1");
        let client = |node: &Server| Client::login(node.addr(), &keys.id, &keys.secret).at_host(&host);
        let clients: Vec<Client> = nodes.iter().map(client).collect();
        clients[0].push_image("team/app", "one", &Image::of(vec![b"layer".to_vec()]));
        Self(clients)
    }

    /// Clients that share no connection with others.
    fn clients(&self) -> Vec<Client> {
        self.0.clone()
    }
}

/// Pulls by a pace, at one node after the other, until it is enough. What is late is made up for.
fn pull(clients: &[Client], per_second: f64, until: impl Fn() -> bool) -> Answers {
    let (began, mut answers) = (Instant::now(), Answers::default());
    for number in 0_u32.. {
        let due = began + Duration::from_secs_f64(f64::from(number) / per_second);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if until() {
            break;
        }
        answers.count(clients[number as usize % clients.len()].get(TARGET).status);
    }
    answers
}

fn sum(clients: Vec<std::thread::ScopedJoinHandle<'_, Answers>>) -> Answers {
    clients.into_iter().map(|client| client.join().unwrap()).fold(Answers::default(), Answers::add)
}

/// What the others get done in a span, and what the noisy one, where it is there.
fn measure(others: &[Tenant], noisy: Option<&Tenant>, span: Duration, quota: u32) -> (Answers, Answers) {
    let (end, is_over) = (Instant::now() + span, AtomicBool::new(false));
    let pace = f64::from(quota) * NOISE / f64::from(NOISY_CLIENTS);
    let decent_pace = f64::from(quota) * DECENT;
    let count = if noisy.is_some() { NOISY_CLIENTS } else { 0 };
    std::thread::scope(|scope| {
        let is_over = &is_over;
        let mut senders = Vec::new();
        for clients in (0..count).filter_map(|_| noisy.map(Tenant::clients)) {
            senders.push(scope.spawn(move || pull(&clients, pace, || is_over.load(Ordering::Relaxed))));
        }
        let mut decent = Vec::new();
        for clients in others.iter().map(Tenant::clients) {
            decent.push(scope.spawn(move || pull(&clients, decent_pace, || Instant::now() >= end)));
        }
        let decent = sum(decent);
        is_over.store(true, Ordering::Relaxed);
        (decent, sum(senders))
    })
}

fn start(asked: &Asked) -> Vec<Server> {
    let (url, binary) = (Postgres::shared().create_database(), berth_binary("BERTH_BIN", env!("CARGO_BIN_EXE_berth")));
    let node = |_| {
        let node = Server::builder(&binary).setting("database.url", &url).env("BERTH_SERVER_KEY", SERVER_KEY);
        let node = node.setting("registry.host", HOST).setting("throttle.profile", asked.profile);
        let rates = if asked.profile == "off" { String::new() } else { format!("BatchGetImage={}", asked.quota) };
        node.setting("throttle.rates", &rates).start()
    };
    (0..2).map(node).collect()
}

fn main() {
    let asked = Asked::read(std::env::args().skip(1));
    let nodes = start(&asked);
    let quota = asked.quota;
    let noisy = Tenant::make(&nodes, "999999999999");
    let others: Vec<Tenant> = (1..=OTHERS).map(|number| Tenant::make(&nodes, &format!("{number:012}"))).collect();
    // The nodes hear of each other, and buffers fill.
    measure(&others, Some(&noisy), Duration::from_secs(5), quota);
    let seconds = asked.span.as_secs_f64();
    let mut ratios: Vec<f64> = (1..=asked.rounds)
        .map(|round| {
            let (alone, _) = measure(&others, None, asked.span, quota);
            let (beside, loud) = measure(&others, Some(&noisy), asked.span, quota);
            let ratio = beside.served as f64 / alone.served as f64;
            println!(
                "round {round}: others {:.1}/s alone, {:.1}/s beside ({} throttled, {} other): {ratio:.3}; the noisy one asked {:.0}/s, \
                 was served {:.1}/s of {quota}",
                alone.served as f64 / seconds,
                beside.served as f64 / seconds,
                beside.throttled,
                beside.other,
                (loud.served + loud.throttled + loud.other) as f64 / seconds,
                loud.served as f64 / seconds,
            );
            ratio
        })
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    println!("median {median:.3}; bar {BAR}: {}", if median >= BAR { "kept" } else { "MISSED" });
}
