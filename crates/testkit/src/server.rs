//! A `berth serve` process on a data folder of its own.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::postgres::Postgres;
use crate::seaweedfs::{BUCKET, Seaweed};
use crate::{Client, Process, copy_tree, secrets, within};

/// The administrator's access key id of every test server.
pub const ADMIN_ID: &str = "AKIATESTKITADMIN2345";
/// The administrator's secret of every test server: long and odd enough to be searched for in logs.
pub const ADMIN_SECRET: &str = "TestkitSecret/NeverInAnyLog+0123456789ab";

const START_PATIENCE: Duration = Duration::from_mins(1);
const STOP_PATIENCE: Duration = Duration::from_mins(1);
/// Lines of standard error kept.
const LOG_LINES: usize = 20_000;

/// The binary to test: the one that an environment variable names where it is set, else the one that cargo built for the
/// test (`env!("CARGO_BIN_EXE_berth")`).
pub fn berth_binary(variable: &str, built: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| built.into(), PathBuf::from)
}

/// What a command that ended left.
#[derive(Debug)]
pub struct Output {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// How a server is to be started.
#[derive(Clone, Debug)]
pub struct ServerBuilder {
    binary: PathBuf,
    wrapper: Vec<String>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    hidden: Vec<String>,
    listen: String,
}

impl ServerBuilder {
    /// Adds arguments after `berth serve`.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Keeps a variable of the caller's environment from the server.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.hidden.push(name.to_owned());
        self
    }

    /// Sets a setting by its dotted name, as `limits.layer_bytes`.
    #[must_use]
    pub fn setting(self, name: &str, value: &str) -> Self {
        let variable = format!("BERTH_{}", name.to_uppercase().replace('.', "__"));
        self.env(&variable, value)
    }

    /// Listens elsewhere than on a free port of `127.0.0.1`.
    #[must_use]
    pub fn listen(mut self, listen: &str) -> Self {
        listen.clone_into(&mut self.listen);
        self
    }

    /// Runs the server under another program, whose arguments come before the binary's path.
    #[must_use]
    pub fn under<A: Into<String>>(mut self, wrapper: impl IntoIterator<Item = A>) -> Self {
        self.wrapper = wrapper.into_iter().map(Into::into).collect();
        self
    }

    /// Starts on a fresh folder and waits until the server is ready.
    ///
    /// Where `BERTH_TEST_DATABASE` is `postgres`, the server gets a database of its own on the PostgreSQL server that this
    /// process's tests share; where `BERTH_TEST_STORE` is `s3`, a part of a bucket of its own.
    pub fn start(self) -> Server {
        let folder = TempDir::with_prefix("berth-").expect("a temporary folder");
        let data = folder.path().join("data");
        self.start_on(folder, data)
    }

    /// Like [`Self::start`], with a data folder that the caller chose, and takes away when it likes.
    pub fn start_at(self, data: &Path) -> Server {
        let folder = TempDir::with_prefix("berth-").expect("a temporary folder");
        self.start_on(folder, data.to_owned())
    }

    /// Like [`Self::start`], on a copy of a data folder.
    pub fn start_on_copy(self, of: &Path) -> Server {
        let folder = TempDir::with_prefix("berth-").expect("a temporary folder");
        let data = folder.path().join("data");
        copy_tree(of, &data);
        self.start_on(folder, data)
    }

    fn start_on(mut self, folder: TempDir, data: PathBuf) -> Server {
        let chosen = self.environment.iter().any(|(name, _)| name == "BERTH_DATABASE__URL");
        if !chosen && Postgres::is_wanted() {
            self = self.setting("database.url", &Postgres::shared().create_database());
        }
        let chosen = self.environment.iter().any(|(name, _)| name == "BERTH_S3__BUCKET");
        if !chosen && Seaweed::is_wanted() {
            self = self.on_bucket(Seaweed::shared(), &Seaweed::shared().fresh_prefix());
        }
        let running = Running::spawn(&self, &data);
        Server { builder: self, _folder: folder, data, running, ready_after: Vec::new() }.noting_start()
    }

    /// Keeps blobs in a bucket.
    #[must_use]
    pub fn on_bucket(mut self, server: &Seaweed, prefix: &str) -> Self {
        for (name, value) in Seaweed::environment() {
            self = self.env(name, value);
        }
        self.setting("s3.bucket", BUCKET).setting("s3.endpoint", &server.endpoint()).setting("s3.prefix", prefix)
    }

    /// Runs a command of the binary on a data folder, without a server.
    pub fn run(&self, data: &Path, arguments: &[&str]) -> Output {
        self.berth_command(data, arguments).output().expect("the binary runs").into()
    }

    fn berth_command(&self, data: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--data-dir").arg(data);
        self.dress(&mut command);
        command
    }

    /// `berth serve` on a data folder, not yet started.
    pub fn command(&self, data: &Path) -> Command {
        let mut words = self.wrapper.iter().map(OsStr::new).chain([self.binary.as_os_str()]);
        let mut command = Command::new(words.next().expect("at least the binary"));
        command
            .args(words)
            .arg("serve")
            .args(["--listen", &self.listen])
            .arg("--data-dir")
            .arg(data)
            .args(&self.arguments);
        self.dress(&mut command);
        command
    }

    /// Lets as many log-ins fail as a test likes, which are refused after a few by default.
    #[must_use]
    pub fn with_many_failed_logins(self) -> Self {
        self.setting("auth.failed_logins", "1000000").setting("auth.failed_logins_of_address", "1000000")
    }

    /// Nothing of the caller's `BERTH_*` reaches the server.
    fn dress(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"BERTH_")) {
            command.env_remove(name);
        }
        for name in &self.hidden {
            command.env_remove(name);
        }
        command.env("BERTH_ADMIN_ACCESS_KEY_ID", ADMIN_ID).env("BERTH_ADMIN_SECRET_ACCESS_KEY", ADMIN_SECRET);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    }
}

/// A server and its folder. Dropping it kills the one and removes the other.
#[derive(Debug)]
pub struct Server {
    builder: ServerBuilder,
    _folder: TempDir,
    data: PathBuf,
    running: Running,
    ready_after: Vec<Duration>,
}

impl Server {
    /// A server of this binary with default settings, a free port and the known administrator.
    pub fn builder(binary: impl Into<PathBuf>) -> ServerBuilder {
        ServerBuilder {
            binary: binary.into(),
            wrapper: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            hidden: Vec::new(),
            listen: "127.0.0.1:0".to_owned(),
        }
    }

    /// The url of the ready line.
    pub fn url(&self) -> &str {
        &self.running.url
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        let (_, authority) = self.url().split_once("://").expect("a server on TCP");
        authority.parse().expect("the ready line names an address")
    }

    /// The process id; of the wrapper where one was asked for.
    pub fn pid(&self) -> u32 {
        self.running.child.id()
    }

    /// The kernel's figures of the process.
    pub fn process(&self) -> Process {
        Process(self.pid())
    }

    /// `--data-dir`.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Where blobs and uploads lie as files.
    pub fn blobs(&self) -> PathBuf {
        self.data().join("blobs")
    }

    /// A caller who is the administrator.
    pub fn client(&self) -> Client {
        Client::login(self.addr(), ADMIN_ID, ADMIN_SECRET)
    }

    /// A caller who is nobody.
    pub fn anonymous(&self) -> Client {
        Client::anonymous(self.addr())
    }

    /// Standard error so far: its last lines.
    pub fn log(&self) -> String {
        let lines = self.running.log.lock().unwrap();
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// How long each start took until the ready line.
    pub fn ready_after(&self) -> &[Duration] {
        &self.ready_after
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.running.child.try_wait().unwrap().is_none()
    }

    /// Ends the process as a crash would.
    pub fn kill9(&mut self) {
        self.running.child.kill().unwrap();
        self.running.child.wait().unwrap();
        self.running.finish_log();
    }

    /// Ends the process by SIGTERM and gives its exit status.
    pub fn stop(&mut self) -> ExitStatus {
        self.process().signal(Signal::TERM);
        let mut status = None;
        let ended = within(STOP_PATIENCE, || {
            status = self.running.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended, "still running {STOP_PATIENCE:?} after SIGTERM:\n{}", self.log());
        self.running.finish_log();
        status.unwrap()
    }

    /// Other settings for the next [`Self::restart`] and for commands.
    pub fn reconfigure(&mut self, builder: ServerBuilder) {
        self.builder = builder;
    }

    /// Starts again on the same data, after [`Self::kill9`] or [`Self::stop`]. The port is another one.
    pub fn restart(&mut self) {
        self.try_restart().unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// Like [`Self::restart`] on data that may be damaged: what the server said where it did not start.
    pub fn try_restart(&mut self) -> Result<(), String> {
        assert!(!self.is_running(), "restart of a server that runs");
        self.running = Running::try_spawn(&self.builder, &self.data())?;
        self.ready_after.push(self.running.ready_after);
        Ok(())
    }

    /// Starts on the same data and is killed after so long, ready or not. [`Self::restart`] may follow.
    pub fn die_starting(&mut self, after: Duration) {
        assert!(!self.is_running(), "start of a server that runs");
        let mut command = self.builder.command(&self.data());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts another command of the binary on this data folder; what it says can be read from the child.
    pub fn spawn_berth(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(&self.builder.binary);
        command.args(arguments).arg("--data-dir").arg(self.data());
        self.builder.dress(&mut command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    }

    /// Runs another command of the binary on this data folder, beside the server.
    pub fn berth(&self, arguments: &[&str]) -> Output {
        self.berth_on(&self.data(), arguments)
    }

    /// Runs a command of the binary with this server's environment on another data folder.
    pub fn berth_on(&self, data: &Path, arguments: &[&str]) -> Output {
        self.builder.run(data, arguments)
    }

    /// The command that [`Self::berth_on`] runs, not yet started.
    pub fn berth_command(&self, data: &Path, arguments: &[&str]) -> Command {
        self.builder.berth_command(data, arguments)
    }

    fn noting_start(mut self) -> Self {
        self.ready_after.push(self.running.ready_after);
        self
    }
}

#[derive(Debug)]
struct Running {
    child: Child,
    url: String,
    log: Log,
    log_reader: Option<JoinHandle<()>>,
    ready_after: Duration,
}

type Log = Arc<Mutex<VecDeque<String>>>;

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            self.finish_log();
        }
    }
}

impl Running {
    fn spawn(builder: &ServerBuilder, data: &Path) -> Self {
        Self::try_spawn(builder, data).unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn try_spawn(builder: &ServerBuilder, data: &Path) -> Result<Self, String> {
        let began = Instant::now();
        let mut command = builder.command(data);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let (log, log_reader) = keep_lines(child.stderr.take().unwrap());
        let ready = first_line(child.stdout.take().unwrap());
        let line = ready.recv_timeout(START_PATIENCE).unwrap_or_default();
        let mut running =
            Self { child, url: String::new(), log, log_reader: Some(log_reader), ready_after: began.elapsed() };
        let Some(url) = line.trim_end().strip_prefix("berth ready url=") else {
            return Err(running.not_started(&line));
        };
        url.clone_into(&mut running.url);
        Ok(running)
    }

    /// After the process ended: the last words are in the log too, and none of them is a secret (A89).
    fn finish_log(&mut self) {
        let Some(reader) = self.log_reader.take() else { return };
        reader.join().unwrap();
        for line in &*self.log.lock().unwrap() {
            if let Some(secret) = secrets::found_in(line) {
                panic!("{secret}, which a secret holds, is in the log: {line}");
            }
        }
    }

    fn not_started(&mut self, line: &str) -> String {
        let _ = self.child.kill();
        let status = self.child.wait();
        self.finish_log();
        let log = self.log.lock().unwrap().iter().cloned().collect::<Vec<_>>().join("\n");
        format!("no ready line but {line:?}; {status:?}; standard error:\n{log}")
    }
}

/// Keeps the last lines, so that the pipe never fills up and stops the server.
fn keep_lines(stderr: ChildStderr) -> (Log, JoinHandle<()>) {
    let log = Log::default();
    let kept = Arc::clone(&log);
    let reader = std::thread::spawn(move || {
        let mut reader = BufReader::new(stderr);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(read) if read > 0) {
            let mut lines = kept.lock().unwrap();
            if lines.len() == LOG_LINES {
                lines.pop_front();
            }
            lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    });
    (log, reader)
}

/// The first line of standard output; what follows is read and dropped.
fn first_line(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let _ = reader.read_line(&mut line);
        let _ = sender.send(line);
        let _ = reader.read_to_end(&mut Vec::new());
    });
    receiver
}
