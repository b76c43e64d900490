//! What a call is to a test: its name, its class, and what may be done to it.

use std::fmt;

/// One call of a process, by a name that is the same in every run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Point {
    /// The system call.
    pub call: &'static str,
    /// The file below the root with keys left out, `socket`, or a path elsewhere.
    pub object: String,
    /// Which call of this name and object, from 1, over all threads.
    pub ordinal: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} #{}", self.call, self.object, self.ordinal)
    }
}

/// What a call does, as far as faults are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Makes a file or folder, or opens it so that it is made where it is missing.
    Create,
    /// Opens what must be there.
    Open,
    /// Writes to a file, or changes its length.
    Write,
    /// Makes what was written durable.
    Sync,
    /// Takes a name away, or gives another one.
    Remove,
    /// Reads a file.
    Read,
    /// Asks about a file, a folder or a file system.
    Look,
    /// Sends to a socket.
    Send,
    /// Receives from a socket.
    Receive,
    /// Makes a descriptor that is no file.
    Descriptor,
}

impl Class {
    /// Whether something outside the process differs after such a call.
    pub fn changes(self) -> bool {
        matches!(self, Self::Create | Self::Write | Self::Sync | Self::Remove | Self::Send)
    }
}

/// What is done to a call at its entry. It does not happen in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process ends as by `kill -9`.
    Kill,
    /// The call fails with this error.
    Fail(i32),
}

impl Fault {
    /// The disk cannot.
    pub const EIO: Self = Self::Fail(5);
    /// The process has too many descriptors.
    pub const EMFILE: Self = Self::Fail(24);
    /// The disk is full.
    pub const ENOSPC: Self = Self::Fail(28);
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Kill => formatter.write_str("kill"),
            Self::EIO => formatter.write_str("EIO"),
            Self::EMFILE => formatter.write_str("EMFILE"),
            Self::ENOSPC => formatter.write_str("ENOSPC"),
            Self::Fail(other) => write!(formatter, "errno {other}"),
        }
    }
}

/// A call that was made, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name.
    pub point: Point,
    /// What it does.
    pub class: Class,
    /// What was done to it.
    pub fault: Option<Fault>,
    /// Whether it came to its end and succeeded.
    pub succeeded: bool,
}

/// Decides at a call's entry what is done to it.
pub type Plan = Box<dyn FnMut(&Point, Class) -> Option<Fault> + Send>;

/// Only looks on.
pub fn never() -> Plan {
    Box::new(|_, _| None)
}
