//! The crowds, each in a process of its own that costs little.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, scope, sleep};
use std::time::Duration;

use berth_testkit::crowd::{Crowd, Manner};
use berth_testkit::pushers::{Layers, Pusher};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Image, MIB, Random, Server, sha256};

/// A crowd that arrives is work, as any other requests are. What is measured is what it costs while it is there.
const SETTLING: Duration = Duration::from_secs(3);
/// How often a slow client does something.
const TURN: Duration = Duration::from_secs(1);
const SLOW: usize = 2000;
const LARGE: u64 = 32 * MIB;
const REPOSITORY: &str = "crowd/read";

/// One kind of crowd.
#[derive(Debug)]
pub struct Kind {
    pub name: &'static str,
    pub about: &'static str,
    pub count: usize,
    be: fn(&'static Kind, SocketAddr),
}

const fn kind(name: &'static str, about: &'static str, count: usize, be: fn(&'static Kind, SocketAddr)) -> Kind {
    Kind { name, about, count, be }
}

pub const KINDS: &[Kind] = &[
    kind("nobody", "nobody: what the measurement differs by itself", 0, nobody),
    kind("idle", "idle connections", 10_000, idle),
    kind("heads", "clients whose header comes a byte a second", SLOW, slow_heads),
    kind("bodies", "uploads that come a byte a second", SLOW, slow_bodies),
    kind("readers", "pulls of 32 MiB that are read by 512 bytes a second", SLOW, slow_readers),
    kind("answers", "clients with 20 requests each for 60 KiB who do not read the answers", SLOW, unread_answers),
    kind("pushes", "pushes of 8 MiB at once", 1000, pushes),
];

impl Kind {
    pub fn find(name: &str) -> &'static Self {
        KINDS.iter().find(|kind| kind.name == name).unwrap_or_else(|| panic!("there is no crowd {name}"))
    }
}

fn large() -> Vec<u8> {
    Random::seeded(2).bytes(usize::try_from(LARGE).unwrap())
}

fn small() -> Vec<u8> {
    Random::seeded(3).bytes(60 * 1024)
}

/// Pushes what readers read.
pub fn prepare(server: &Server) {
    server.client().push_image(REPOSITORY, "latest", &Image::small("crowd"));
    server.client().push_blob(REPOSITORY, &large());
    server.client().push_blob(REPOSITORY, &small());
}

/// A crowd that is there.
pub struct Guests(Child);

impl Guests {
    /// Starts the crowd and waits until all of it is there.
    pub fn invite(kind: &Kind, server: &Server) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["be-crowd", kind.name, &server.addr().to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this program runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "there", "the crowd {} did not come", kind.name);
        sleep(SETTLING);
        Self(child)
    }

    /// Sends the crowd home, and waits until the server has noticed.
    pub fn leave(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
        sleep(TURN);
    }
}

/// Is a crowd until standard input ends.
pub fn be(kind: &'static Kind, address: SocketAddr) {
    // A crowd is not what is measured: who is measured goes first.
    let _ = Command::new("renice").args(["-n", "5", "-p", &std::process::id().to_string()]).output();
    (kind.be)(kind, address);
}

fn client(address: SocketAddr) -> Client {
    Client::login(address, ADMIN_ID, ADMIN_SECRET)
}

/// Says that everybody is there, and calls `turn` until the crowd is sent home.
fn stay(mut turn: impl FnMut()) {
    let is_over = AtomicBool::new(false);
    scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            is_over.store(true, Ordering::Relaxed);
        });
        println!("there");
        while !is_over.load(Ordering::Relaxed) {
            turn();
            sleep(TURN.min(Duration::from_millis(200)));
        }
    });
}

fn nobody(_: &'static Kind, _: SocketAddr) {
    stay(|| {});
}

/// Members who were cut are replaced, so that the crowd stays what it is.
fn stay_slow(kind: &Kind, address: SocketAddr, manner: Manner, opening: impl Fn(usize) -> Vec<u8>) {
    let mut crowd = Crowd::gather(address, kind.count, manner, &opening);
    let mut turns = 0_u64;
    stay(|| {
        turns += 1;
        if turns.is_multiple_of(5) {
            crowd.turn();
            crowd.replace_ended(address, &opening);
        }
    });
}

fn idle(kind: &'static Kind, address: SocketAddr) {
    let request = client(address).head("GET", "/v2/", &[]);
    // Every fifth never says a word.
    stay_slow(kind, address, Manner::Waits, |number| if number % 5 == 0 { Vec::new() } else { request.clone() });
}

fn slow_heads(kind: &'static Kind, address: SocketAddr) {
    let mut opening = client(address).head("GET", "/v2/", &[]);
    opening.truncate(opening.len() - 2);
    opening.extend_from_slice(b"X-Slow: ");
    stay_slow(kind, address, Manner::Drips, |_| opening.clone());
}

fn slow_bodies(kind: &'static Kind, address: SocketAddr) {
    let client = client(address);
    let length = (8 * MIB).to_string();
    stay_slow(kind, address, Manner::Drips, |_| {
        let session = client.start_upload("crowd/slow");
        client.head("PATCH", &session, &[("Content-Length", &length)])
    });
}

fn slow_readers(kind: &'static Kind, address: SocketAddr) {
    let request = client(address).head("GET", &format!("/v2/{REPOSITORY}/blobs/{}", sha256(&large())), &[]);
    stay_slow(kind, address, Manner::Sips(512), |_| request.clone());
}

fn unread_answers(kind: &'static Kind, address: SocketAddr) {
    let target = format!("/v2/{REPOSITORY}/blobs/{}", sha256(&small()));
    let requests = client(address).head("GET", &target, &[]).repeat(20);
    stay_slow(kind, address, Manner::Sips(16), |_| requests.clone());
}

/// A thousand clients, each of whom pushes one image after the other.
fn pushes(kind: &'static Kind, address: SocketAddr) {
    let (client, is_over) = (client(address), AtomicBool::new(false));
    // Another process pushed other layers.
    let layers = Layers::new(u64::from(std::process::id()), usize::try_from(8 * MIB).unwrap());
    scope(|scope| {
        for number in 0..kind.count {
            let (client, layers, is_over) = (client.clone(), &layers, &is_over);
            let push = move || {
                for round in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    Pusher::new(client.clone(), number + round * kind.count).push(layers);
                }
            };
            Builder::new().stack_size(256 * 1024).spawn_scoped(scope, push).expect("a thread");
        }
        stay(|| {});
        is_over.store(true, Ordering::Relaxed);
    });
}
