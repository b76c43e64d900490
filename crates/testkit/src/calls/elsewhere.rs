//! Where the tracer does not know the registers.

use std::process::{Child, Command};

use super::{Journal, Plan, Seen};

const WHY: &str = "system calls are traced on Linux with glibc on x86_64 alone";

/// What watches one process.
#[derive(Debug)]
pub struct Tracer;

/// A process that stands before its program's first call.
#[derive(Debug)]
pub struct Stopped;

impl Tracer {
    /// Fails.
    pub fn attach(_process: u32, _journal: Journal, _plan: Plan) -> Self {
        panic!("{WHY}");
    }

    /// Fails.
    pub fn seen(&self) -> usize {
        panic!("{WHY}");
    }

    /// Fails.
    pub fn finish(self) -> (Vec<Seen>, Journal) {
        panic!("{WHY}");
    }

    /// Fails.
    pub fn finish_at_end(self) -> (Vec<Seen>, Journal) {
        panic!("{WHY}");
    }
}

impl Stopped {
    /// Fails.
    pub fn spawn(_command: &Command) -> Self {
        panic!("{WHY}");
    }

    /// Fails.
    pub fn trace(self, _journal: Journal, _plan: Plan) -> (Child, Tracer) {
        panic!("{WHY}");
    }
}
