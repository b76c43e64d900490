//! A client that pushes, tags and deletes without end, and writes down what it does.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::operations::Operation;
use super::record::now;
use super::{Answer, Call, Model, Record, Settings, What, check};
use crate::{Client, Random, Reply, target_of};

const REPOSITORIES: usize = 2;

/// How long a pusher waits after it was told to go away, or was told nothing.
const PAUSE: Duration = Duration::from_millis(20);

/// What pushers did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls acknowledged.
    pub acknowledged: usize,
    /// Calls that were never answered.
    pub cut: usize,
    /// Calls answered by a failure of the server, or by 429.
    pub failed: usize,
    /// Manifests pushed over blobs of which an answer had just said that they are there.
    pub promises: usize,
}

/// Why an operation ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// There was no answer.
    Cut,
    /// The answer was no help.
    Failed,
}

/// A call's answer, or why there is none.
pub type Asked<T = Reply> = Result<T, Broken>;

/// One client with repositories of its own.
#[derive(Debug)]
pub struct Pusher {
    pub(super) random: Random,
    pub(super) settings: Settings,
    pub(super) repositories: Vec<String>,
    /// The bytes of open uploads, by their target.
    pub(super) bytes: BTreeMap<String, Vec<u8>>,
    record: Record,
    // Whether the machine has no power any more, so that nobody hears its answers.
    is_dark: Arc<AtomicBool>,
    /// What it did.
    pub figures: Figures,
}

impl Pusher {
    /// A pusher whose log lies in a folder, outside of what may fail. It hears no answer while `is_dark` says so.
    pub fn new(folder: &Path, number: u64, settings: &Settings, is_dark: &Arc<AtomicBool>) -> Self {
        let record = Record::create(&folder.join(format!("pusher{number}.jsonl")), settings.promise);
        Self {
            random: Random::seeded(settings.seed ^ (number + 1).wrapping_mul(0x1234_5678_9abc_def1)),
            settings: settings.clone(),
            repositories: (0..REPOSITORIES).map(|place| format!("oracle/pusher{number}/r{place}")).collect(),
            bytes: BTreeMap::new(),
            record,
            is_dark: Arc::clone(is_dark),
            figures: Figures::default(),
        }
    }

    /// Works until a call is not answered.
    pub fn work_until_gone(&mut self, client: &Client) {
        let clients = [client.clone()];
        while self.operate(&clients) != Err(Broken::Cut) {}
    }

    /// Works until it is told to stop, through failures and cuts. Each call goes to one of the clients.
    pub fn work_until(&mut self, stop: &AtomicBool, clients: &[Client]) {
        while !stop.load(Ordering::Relaxed) {
            if self.operate(clients).is_err() {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// No call is under way any more, as after a restart of the server.
    pub fn settled(&mut self) {
        self.record.note(What::Settled);
    }

    /// The same, and what the server had not synced may be lost.
    pub fn power_lost(&mut self) {
        self.record.note(What::PowerLost);
    }

    /// Compares everything uncertain and a tenth of the rest.
    pub fn check_sample(&mut self, client: &Client) {
        let random = &mut self.random;
        check::check(&mut self.record, client, &mut || random.below(10) == 0);
    }

    /// Ends the open uploads, then compares everything.
    pub fn check_all(&mut self, client: &Client) {
        check::check(&mut self.record, client, &mut || false);
        self.finish_uploads(client);
        check::check(&mut self.record, client, &mut || true);
    }

    /// How many blobs are still there that no manifest needs. Looking promises nothing.
    pub fn count_garbage(&mut self, client: &Client) -> usize {
        check::count_garbage(&mut self.record, client)
    }

    /// Where its log lies.
    pub fn log(&self) -> &Path {
        self.record.path()
    }

    /// What it knows.
    pub fn model(&self) -> &Model {
        self.record.model()
    }

    fn operate(&mut self, clients: &[Client]) -> Asked<()> {
        Operation::new(self, clients).run()
    }

    fn finish_uploads(&mut self, client: &Client) {
        let clients = [client.clone()];
        while let Some(upload) = self.model().uploads.keys().next().cloned() {
            Operation::new(self, &clients).finish_upload(&upload).expect("the server answers");
        }
    }

    /// Makes a call: intent, request, answer.
    pub(super) fn ask(&mut self, client: &Client, call: &Call, headers: &[(&str, &str)], body: &[u8]) -> Asked {
        self.record.note(What::Intent(call.clone()));
        let (method, target) = call.request();
        let reply = client.try_once(method, &target, headers, body);
        let answer = self.heard(&reply);
        if let Some(contradiction) = self.model().contradiction(&answer, now()) {
            panic!("{contradiction}\nby the log {}", self.record.path().display());
        }
        self.record.note(What::Answer(answer.clone()));
        self.outcome(reply, answer.is_unsure())
    }

    /// Asks for something that changes nothing and promises nothing.
    pub(super) fn look(&mut self, client: &Client, target: &str) -> Asked {
        let reply = client.try_once("GET", target, &[], &[]);
        let is_unsure = self.heard(&reply).is_unsure();
        self.outcome(reply, is_unsure)
    }

    /// What of an answer counts.
    fn heard(&self, reply: &io::Result<Reply>) -> Answer {
        if self.is_dark.load(Ordering::SeqCst) { Answer::default() } else { answer_of(reply) }
    }

    pub(super) fn record(&mut self) -> &mut Record {
        &mut self.record
    }

    fn outcome(&mut self, reply: io::Result<Reply>, is_unsure: bool) -> Asked {
        match reply {
            Err(_) => {
                self.figures.cut += 1;
                Err(Broken::Cut)
            }
            Ok(_) if is_unsure => {
                self.figures.failed += 1;
                Err(Broken::Failed)
            }
            Ok(reply) => {
                self.figures.acknowledged += 1;
                Ok(reply)
            }
        }
    }
}

fn answer_of(reply: &io::Result<Reply>) -> Answer {
    match reply {
        Err(error) => Answer { text: error.to_string(), ..Answer::default() },
        Ok(reply) => Answer {
            status: Some(reply.status),
            code: reply.error_code(),
            upload: (reply.status == 202 && reply.header("location").is_some()).then(|| target_of(reply)),
            text: if reply.status >= 400 { reply.text() } else { String::new() },
        },
    }
}
