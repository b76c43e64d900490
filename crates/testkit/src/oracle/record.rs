//! A pusher's log on disk, and what it knows from it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Answer, Call, Event, Model, Sight, What};

/// A log that is being written, and the model of it so far.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    file: File,
    model: Model,
}

impl Record {
    /// Begins a log. Blobs that no manifest uses are promised for so long.
    pub fn create(path: &Path, promise: Duration) -> Self {
        let file = File::create_new(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut record = Self { path: path.to_owned(), file, model: Model::default() };
        record.note(What::Began(u64::try_from(promise.as_millis()).unwrap_or(u64::MAX)));
        record
    }

    /// Appends what happens now, then learns from it.
    pub fn note(&mut self, what: What) {
        let event = Event { at: now(), what };
        let mut line = serde_json::to_string(&event).unwrap();
        line.push('\n');
        self.file.write_all(line.as_bytes()).unwrap();
        self.model.apply(&event);
    }

    /// Fails where a sight contradicts what is known. Notes what it adds to that.
    pub fn saw(&mut self, sight: Sight) {
        if let Some(surprise) = self.model.surprise(&sight, now()) {
            panic!("{surprise}\nby the log {}", self.path.display());
        }
        if self.model.learns_from(&sight) {
            self.note(What::Seen(sight));
        }
    }

    /// What is known.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Where the log lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The calls that the log on disk holds, each with its answer where it had one: a pusher makes one after the other.
    pub fn calls(path: &Path) -> Vec<(Call, Option<Answer>)> {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut calls: Vec<(Call, Option<Answer>)> = Vec::new();
        for line in text.lines() {
            let event: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            match event.what {
                What::Intent(call) => calls.push((call, None)),
                What::Answer(answer) => calls.last_mut().expect("a call before its answer").1 = Some(answer),
                _ => {}
            }
        }
        calls
    }

    /// What the log on disk tells somebody who knows nothing else.
    pub fn replay(path: &Path) -> Model {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut model = Model::default();
        for line in text.lines() {
            let event: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            model.apply(&event);
        }
        model
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
