//! The program as somebody at a terminal has it: arguments and variables in, output and an exit code out.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use berth_testkit::{Output, Process, berth_binary, eventually};
use rustix::process::Signal;
use tempfile::TempDir;

/// A folder to run the program in. Nothing of the caller's `BERTH_*` reaches it.
pub struct Program {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Program {
    pub fn new() -> Self {
        Self { folder: TempDir::with_prefix("berth-").unwrap(), environment: Vec::new() }
    }

    /// The same folder, and one more variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth")));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"BERTH_")) {
            command.env_remove(name);
        }
        let variables = self.environment.iter().map(|(name, value)| (name, value));
        command.args(arguments).envs(variables).current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    /// Runs to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Nothing of the caller's own AWS configuration reaches it, and this folder is its home.
    pub fn without_credentials(self) -> Self {
        let home = self.path("").display().to_string();
        let unset =
            std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("AWS_") || name.starts_with("XDG_"));
        let program = unset.collect::<Vec<_>>().iter().fold(self, |program, name| program.env(name, ""));
        program.env("HOME", &home)
    }

    /// Runs to its end with a text on standard input, called by a name.
    pub fn run_as(&self, name: &str, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(arguments);
        command.arg0(name).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // It may end before it has read everything.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Starts it with its output in pipes.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs `berth serve` on a free port until it takes requests.
    pub fn serve(&self, arguments: &[&str]) -> Serving {
        let all = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        let (stdout, stderr) = (self.path("stdout"), self.path("stderr"));
        let mut command = self.command(&all);
        let file = |path| File::create(path).unwrap();
        let child = command.stdout(file(&stdout)).stderr(file(&stderr)).spawn().unwrap();
        let mut serving = Serving { child, stdout, stderr };
        eventually("a ready line", || {
            assert!(serving.child.try_wait().unwrap().is_none(), "ended: {}", serving.stderr());
            serving.stdout().contains('\n')
        });
        serving
    }
}

/// A server that takes requests. Dropping it kills it.
pub struct Serving {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Serving {
    pub fn stdout(&self) -> String {
        std::fs::read_to_string(&self.stdout).unwrap()
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }

    /// `host:port`.
    pub fn host(&self) -> String {
        let line = self.stdout();
        line.trim_end().strip_prefix("berth ready url=http://").unwrap().to_owned()
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Ends it by SIGTERM and gives what it left.
    pub fn stop(self) -> Output {
        self.stop_by(Signal::TERM)
    }

    /// Ends it by a signal and gives what it left.
    pub fn stop_by(mut self, signal: Signal) -> Output {
        self.process().signal(signal);
        let status = self.child.wait().unwrap();
        Output { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
