//! The thread that stops a process at its calls.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::journal::Change;
use super::table::{Known, O_TRUNC, Object, known};
use super::thread::{Registers, gathered, is_at_entry, low_half, memory, named, object_path, position};
use super::{Class, Fault, Journal, Plan, Point, Seen};
use crate::within;

/// What wakes the tracing thread so that it looks whether it is to end. The process never sees it.
const WAKE: Signal = Signal::SIGWINCH;
/// A thread has begun another one.
const CLONED: i32 = nix::libc::PTRACE_EVENT_CLONE;

/// Watches one process, from a thread of its own.
#[derive(Debug)]
pub struct Tracer {
    process: Pid,
    ending: Arc<AtomicBool>,
    seen: Arc<AtomicUsize>,
    thread: JoinHandle<(Vec<Seen>, Journal)>,
}

impl Tracer {
    /// Attaches to all threads of a running process. Paths in the names of its calls are below the root of the journal, which
    /// goes on. Until [`Self::finish`], nobody else may wait for the process: its stops would be taken for its end.
    pub fn attach(process: u32, journal: Journal, plan: Plan) -> Self {
        let process = Pid::from_raw(i32::try_from(process).unwrap());
        let (ending, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (ready, attached) = mpsc::channel();
        let tracing = Tracing {
            process,
            plan,
            ending: Arc::clone(&ending),
            count: Arc::clone(&seen),
            threads: BTreeSet::new(),
            calls: HashMap::new(),
            ordinals: HashMap::new(),
            seen: Vec::new(),
            journal,
        };
        let thread = std::thread::spawn(move || tracing.run(&ready));
        attached.recv().expect("the tracing thread attaches");
        Self { process, ending, seen, thread }
    }

    /// How many calls were seen so far.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::Acquire)
    }

    /// Lets the process run on alone, or takes note of its end, and tells what was seen.
    pub fn finish(self) -> (Vec<Seen>, Journal) {
        self.ending.store(true, Ordering::Release);
        // A process that ended needs no waking.
        let _ = kill(self.process, WAKE);
        self.thread.join().expect("the tracing thread ends well")
    }

    /// Waits until the process ended by itself, and tells what was seen.
    pub fn finish_at_end(self) -> (Vec<Seen>, Journal) {
        self.thread.join().expect("the tracing thread ends well")
    }
}

/// A process that stands before its program's first call.
#[derive(Debug)]
pub struct Stopped(pub Child);

impl Stopped {
    /// Starts a command through a shell that stops before it becomes the command.
    pub fn spawn(command: &Command) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "kill -STOP $$; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        let stands = || fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "));
        assert!(within(std::time::Duration::from_secs(30), stands), "the shell stops itself");
        Self(child)
    }

    /// Attaches, then lets it go.
    pub fn trace(self, journal: Journal, plan: Plan) -> (Child, Tracer) {
        let tracer = Tracer::attach(self.0.id(), journal, plan);
        kill(tracer.process, Signal::SIGCONT).unwrap();
        (self.0, tracer)
    }
}

/// A call between its entry and its exit.
struct Call {
    known: Known,
    path: Option<PathBuf>,
    change: Option<Change>,
    fails_with: Option<i32>,
    // Its place among the calls that were seen.
    place: usize,
}

struct Tracing {
    process: Pid,
    plan: Plan,
    ending: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    threads: BTreeSet<Pid>,
    calls: HashMap<Pid, Call>,
    ordinals: HashMap<(&'static str, String), usize>,
    seen: Vec<Seen>,
    journal: Journal,
}

impl Tracing {
    fn run(mut self, ready: &mpsc::Sender<()>) -> (Vec<Seen>, Journal) {
        self.seize_all();
        ready.send(()).unwrap();
        while !self.ending.load(Ordering::Acquire) {
            let Some((thread, status)) = self.next_stop() else { return (self.seen, self.journal) };
            let signal = self.handle(thread, status);
            // A thread that a signal ended meanwhile cannot go on.
            let _ = ptrace::syscall(thread, signal);
        }
        self.leave();
        (self.seen, self.journal)
    }

    /// Attaches to the threads that there are; those which they begin come by themselves. Each is stopped once, because calls
    /// are reported from a stop on.
    fn seize_all(&mut self) {
        let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
        let folder = format!("/proc/{}/task", self.process);
        loop {
            let names = fs::read_dir(&folder).expect("the process runs").flatten();
            let there = names.map(|name| Pid::from_raw(name.file_name().to_str().unwrap().parse().unwrap()));
            let new: Vec<Pid> = there.filter(|thread| !self.threads.contains(thread)).collect();
            if new.is_empty() {
                return;
            }
            for thread in new {
                // A thread that a seized one began is seized already.
                if ptrace::seize(thread, options).is_ok() {
                    ptrace::interrupt(thread).expect("a seized thread stops");
                }
                self.threads.insert(thread);
            }
        }
    }

    /// The next thread that stopped; none when the process has ended. Its end itself is left to whoever started it.
    fn next_stop(&mut self) -> Option<(Pid, WaitStatus)> {
        let mine = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        let any = mine | WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT;
        loop {
            let told = waitid(Id::All, any).ok()?;
            let thread = told.pid()?;
            let ended = matches!(told, WaitStatus::Exited(..) | WaitStatus::Signaled(..));
            if ended && thread == self.process {
                return None;
            }
            let status = waitpid(thread, Some(mine)).ok()?;
            if !ended {
                self.threads.insert(thread);
                return Some((thread, status));
            }
            self.threads.remove(&thread);
        }
    }

    /// Looks at a stop; the signal that the thread is to get.
    fn handle(&mut self, thread: Pid, status: WaitStatus) -> Option<Signal> {
        match status {
            WaitStatus::PtraceSyscall(_) => {
                // Both fail only where the thread was killed at its stop.
                let _ = match is_at_entry(thread) {
                    Ok(true) => self.enter(thread),
                    Ok(false) => self.leave_call(thread),
                    Err(error) => Err(error),
                };
                None
            }
            // The new thread is attached from now on, though its first stop may come later.
            WaitStatus::PtraceEvent(_, _, CLONED) => {
                let new = ptrace::getevent(thread).ok().and_then(|new| i32::try_from(new).ok());
                self.threads.extend(new.map(Pid::from_raw));
                None
            }
            WaitStatus::Stopped(_, signal) if signal != WAKE => Some(signal),
            _ => None,
        }
    }

    fn enter(&mut self, thread: Pid) -> nix::Result<()> {
        let registers = Registers::of(thread)?;
        let arguments = registers.arguments();
        let Some(mut known) = known(registers.number(), &arguments) else { return Ok(()) };
        let path = object_path(thread, known.object, &arguments);
        let object = named(self.journal.root(), path.as_deref());
        if object == "socket" {
            known.class = of_socket(known.class);
        }
        let fault = self.decide(known, object);
        let mut call = Call { known, path, change: None, fails_with: None, place: self.seen.len() - 1 };
        match fault {
            Some(Fault::Kill) => {
                let _ = kill(self.process, Signal::SIGKILL);
                return Ok(());
            }
            Some(Fault::Fail(errno)) => {
                registers.skip_call(thread)?;
                call.fails_with = Some(errno);
            }
            None => call.change = change(thread, &call, &arguments),
        }
        self.calls.insert(thread, call);
        Ok(())
    }

    fn decide(&mut self, known: Known, object: String) -> Option<Fault> {
        let ordinal = self.ordinals.entry((known.name, object.clone())).or_default();
        *ordinal += 1;
        let point = Point { call: known.name, object, ordinal: *ordinal };
        let fault = (self.plan)(&point, known.class);
        self.seen.push(Seen { point, class: known.class, fault, succeeded: false });
        self.count.store(self.seen.len(), Ordering::Release);
        fault
    }

    fn leave_call(&mut self, thread: Pid) -> nix::Result<()> {
        let Some(call) = self.calls.remove(&thread) else { return Ok(()) };
        let registers = Registers::of(thread)?;
        if let Some(errno) = call.fails_with {
            registers.fail_with(thread, errno)?;
        }
        let succeeded = call.fails_with.is_none() && registers.result() >= 0;
        self.seen[call.place].succeeded = succeeded;
        if let (Class::Sync, Some(path)) = (call.known.class, call.path) {
            self.journal.note(Change::Synced(path, succeeded));
        } else if let Some(change) = call.change.filter(|_| succeeded) {
            self.journal.note(shortened(change, registers.result()));
        }
        Ok(())
    }

    /// Stops every thread once more and lets it run on alone.
    fn leave(&mut self) {
        for thread in &self.threads {
            // A thread that has just ended is met below.
            let _ = ptrace::interrupt(*thread);
        }
        while !self.threads.is_empty() {
            let Some((thread, status)) = self.next_stop() else { return };
            let signal = self.handle(thread, status);
            if self.calls.get(&thread).is_some_and(|call| call.fails_with.is_some()) {
                let _ = ptrace::syscall(thread, signal);
                continue;
            }
            let _ = ptrace::detach(thread, signal);
            self.threads.remove(&thread);
        }
    }
}

fn of_socket(class: Class) -> Class {
    match class {
        Class::Write => Class::Send,
        Class::Read => Class::Receive,
        other => other,
    }
}

/// What a call that is about to be made will change, if it succeeds.
fn change(thread: Pid, call: &Call, arguments: &[u64; 6]) -> Option<Change> {
    let path = call.path.clone()?;
    let length = |register: u64| usize::try_from(register).unwrap();
    let here = || position(thread, low_half(arguments[0]));
    Some(match call.known.name {
        "write" => Change::Wrote(path, here()?, memory(thread, arguments[1], length(arguments[2]))),
        "writev" => Change::Wrote(path, here()?, gathered(thread, arguments[1], arguments[2])),
        "pwrite64" => Change::Wrote(path, arguments[3], memory(thread, arguments[1], length(arguments[2]))),
        "pwritev" => Change::Wrote(path, arguments[3], gathered(thread, arguments[1], arguments[2])),
        "ftruncate" => Change::Cut(path, arguments[1]),
        "openat" if arguments[2] & O_TRUNC != 0 && path.exists() => Change::Cut(path, 0),
        "open" | "openat" if call.known.class == Class::Create => Change::Made(path),
        "unlink" | "unlinkat" => Change::Removed(path),
        "rename" => Change::Renamed(path, object_path(thread, Object::Path(1), arguments)?),
        _ => return None,
    })
}

/// A write may take less than it was given.
fn shortened(change: Change, result: i64) -> Change {
    match change {
        Change::Wrote(path, offset, mut bytes) => {
            bytes.truncate(usize::try_from(result).unwrap_or(0));
            Change::Wrote(path, offset, bytes)
        }
        other => other,
    }
}
