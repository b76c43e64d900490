//! Where the tracer does not know the registers.

use std::path::Path;

use super::{Journal, Plan, Seen};

const WHY: &str = "system calls are traced on Linux with glibc on x86_64 alone";

/// See the other platforms.
#[derive(Debug)]
pub struct Tracer;

/// See the other platforms.
#[derive(Debug)]
pub struct Stopped;

impl Tracer {
    /// Fails.
    pub fn attach(_process: u32, _root: &Path, _plan: Plan) -> Self {
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
}

impl Stopped {
    /// Fails.
    pub fn spawn(_command: &std::process::Command) -> Self {
        panic!("{WHY}");
    }
}
