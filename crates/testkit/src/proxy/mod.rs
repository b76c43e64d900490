//! A network that fails: it stands between Berth and a server that Berth needs, and does what a test tells it to.
//!
//! Bytes pass unchanged, so signatures stay good. What goes wrong is a [`Fault`], which a test sets and changes while
//! connections are open. [`Proxy::tcp`] knows bytes, [`Proxy::http`] also requests and answers, [`Proxy::postgres`] also
//! when a change is committed. Chances are drawn from a seed.

mod http;
mod postgres;
mod wire;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::Random;
use wire::Wire;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Open connections are reset, new ones too as soon as they are made.
    Cut,
    /// Connections are made and stay open, and no byte comes through. What waits goes on when this ends.
    BlackHole,
    /// Every connection is reset behind so many bytes in one direction.
    CutAfter(Direction, u64),
    /// Each piece comes so much later.
    Delay(Duration),
    /// So many bytes in a second, each way on each connection.
    Throttle(u64),
    /// Of a hundred requests so many meet with one of these mishaps; for [`Proxy::http`].
    Mishaps(u64, Vec<Mishap>),
    /// Of a hundred commits so many lose their connection, before or after they reached the server; for
    /// [`Proxy::postgres`].
    LostCommits(u64, Stage),
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From Berth.
    ToServer,
    /// To Berth.
    ToClient,
}

/// When something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The server has heard nothing of it.
    Before,
    /// The server has done it, and its answer is lost.
    After,
}

/// What befalls one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mishap {
    /// It is answered with an error, though it may have been done.
    Error(Refusal, Stage),
    /// The connection is reset in the middle of its body.
    CutRequest,
    /// The connection is reset in the middle of the answer's body.
    CutAnswer,
    /// It is done, and the connection reset without an answer.
    LostAnswer,
    /// It is passed on so many milliseconds later.
    Stall(u64),
}

/// An error, as servers of S3 give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// 500 `InternalError`.
    Internal,
    /// 503 `SlowDown`.
    SlowDown,
    /// 429 `TooManyRequests`.
    TooMany,
}

impl Mishap {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let errors = [Refusal::Internal, Refusal::SlowDown, Refusal::TooMany];
        let errors = errors.map(|error| [Stage::Before, Stage::After].map(|stage| Self::Error(error, stage)));
        let mut all = errors.concat();
        all.extend([Self::CutRequest, Self::CutAnswer, Self::LostAnswer, Self::Stall(500)]);
        all
    }
}

/// What a proxy understands of the bytes.
#[derive(Clone, Copy)]
enum Language {
    Bytes,
    Http,
    Postgres,
}

/// What the connections of a proxy share.
struct State {
    target: SocketAddr,
    language: Language,
    fault: Mutex<Fault>,
    // Connections of an earlier count are reset.
    cuts: AtomicU64,
    is_over: AtomicBool,
    random: Mutex<Random>,
    befell: Mutex<BTreeMap<String, u64>>,
}

impl State {
    fn fault(&self) -> Fault {
        self.fault.lock().unwrap().clone()
    }

    /// Whether it happens, with so many chances in a hundred.
    fn happens(&self, percent: u64) -> bool {
        self.random.lock().unwrap().word() % 100 < percent
    }

    fn below(&self, bound: u64) -> u64 {
        self.random.lock().unwrap().word() % bound.max(1)
    }

    fn note(&self, what: String) {
        *self.befell.lock().unwrap().entry(what).or_default() += 1;
    }
}

/// A proxy on a port of its own. Dropping it resets its connections.
pub struct Proxy {
    state: Arc<State>,
    address: SocketAddr,
}

impl Proxy {
    /// Before a server that listens at a port of 127.0.0.1, whatever it speaks.
    pub fn tcp(port: u16, seed: u64) -> Self {
        Self::start(port, Language::Bytes, seed)
    }

    /// Before a server of HTTP/1.1.
    pub fn http(port: u16, seed: u64) -> Self {
        Self::start(port, Language::Http, seed)
    }

    /// Before a PostgreSQL that is spoken to without TLS.
    pub fn postgres(port: u16, seed: u64) -> Self {
        Self::start(port, Language::Postgres, seed)
    }

    fn start(port: u16, language: Language, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            target: ([127, 0, 0, 1], port).into(),
            language,
            fault: Mutex::new(Fault::None),
            cuts: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            random: Mutex::new(Random::seeded(seed)),
            befell: Mutex::default(),
        });
        let own = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &own));
        Self { state, address }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on this goes wrong and nothing else.
    pub fn set(&self, fault: Fault) {
        let is_cut = fault == Fault::Cut;
        *self.state.fault.lock().unwrap() = fault;
        if is_cut {
            self.state.cuts.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// What went wrong how often, by the faults' names.
    pub fn befell(&self) -> BTreeMap<String, u64> {
        self.state.befell.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        self.state.cuts.fetch_add(1, Ordering::SeqCst);
        // Wakes up who waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for client in listener.incoming() {
        if state.is_over.load(Ordering::SeqCst) {
            return;
        }
        let (Ok(client), state) = (client, Arc::clone(state)) else { continue };
        thread::spawn(move || serve(client, &state));
    }
}

fn serve(client: TcpStream, state: &Arc<State>) {
    let client = Wire::new(client, Direction::ToClient, state);
    if state.fault() == Fault::Cut {
        state.note("cut".to_owned());
        return client.reset();
    }
    let Ok(server) = TcpStream::connect(state.target) else { return client.reset() };
    let server = Wire::new(server, Direction::ToServer, state);
    let ended = match state.language {
        Language::Bytes => wire::pass(&client, &server),
        Language::Http => http::converse(&client, &server, state),
        Language::Postgres => postgres::converse(&client, &server, state),
    };
    if ended.is_err() {
        client.reset();
        server.reset();
    }
}

#[cfg(test)]
mod tests;
