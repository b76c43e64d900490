//! A PostgreSQL server of a test's own, on a folder and a port that nobody else uses.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::keeper::{self, free_port};
use crate::within;

/// The user of Debian's package: PostgreSQL does not run as root.
const USER: &str = "postgres";

const PATIENCE: Duration = Duration::from_mins(1);

/// A server. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    extra: Vec<String>,
    running: Option<Child>,
    databases: AtomicU32,
    // Nobody restarts it, so its folder goes when it ends.
    is_shared: bool,
}

impl Postgres {
    /// Makes a server with PostgreSQL's own defaults, on 127.0.0.1.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Like [`Self::start`], with settings as `name=value`.
    pub fn start_with(settings: &[&str]) -> Self {
        Self::make(settings, false)
    }

    fn make(settings: &[&str], is_shared: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("berth-postgres.").tempdir().unwrap();
        let programs = programs();
        let extra = settings.iter().map(|&setting| setting.to_owned()).collect();
        let (port, databases) = (free_port(), AtomicU32::new(0));
        let mut server = Self { folder, programs, port, extra, running: None, databases, is_shared };
        server.initialise();
        server.restart();
        server
    }

    /// Whether the tests are to run on PostgreSQL instead of `SQLite`.
    pub fn is_wanted() -> bool {
        match std::env::var("BERTH_TEST_DATABASE") {
            Ok(engine) if engine == "postgres" => true,
            Ok(engine) if engine != "sqlite" => panic!("BERTH_TEST_DATABASE is sqlite or postgres, not {engine}"),
            _ => false,
        }
    }

    /// Makes a server that takes TLS too, with this certificate and key, PEM.
    pub fn start_with_tls(certificate: &str, key: &str) -> Self {
        let mut server = Self::start();
        server.stop();
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = server.data().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            give_away(&path);
        }
        server.extra.push("ssl=on".to_owned());
        server.restart();
        server
    }

    /// The server that the tests of this process share; it ends with the process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::make(&[], true))
    }

    /// Makes an empty database and gives the url that Berth connects to.
    pub fn create_database(&self) -> String {
        let name = format!("berth_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The url of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL in a database and gives the rows, a line each, columns between `|`.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database), "-c", sql]);
        let output = command.output().expect("psql runs");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).expect("the server runs");
        file.lines().next().unwrap().trim().parse().unwrap()
    }

    /// Ends it as a crash would.
    pub fn kill9(&mut self) {
        signal(self.pid(), "KILL");
        self.wait();
    }

    /// Ends it as an operator in a hurry would: sessions are cut off.
    pub fn stop(&mut self) {
        signal(self.pid(), "INT");
        self.wait();
    }

    /// Starts it on its data, at the port that it had.
    pub fn restart(&mut self) {
        assert!(self.running.is_none(), "restart of a server that runs");
        let port = format!("port={}", self.port);
        let sockets = format!("unix_socket_directories={}", self.folder.path().display());
        let mut arguments = vec!["-D".to_owned(), self.data().display().to_string()];
        for setting in [&port, &sockets, "listen_addresses=127.0.0.1", "max_connections=200"] {
            arguments.extend(["-c".to_owned(), setting.to_owned()]);
        }
        for setting in &self.extra {
            arguments.extend(["-c".to_owned(), setting.clone()]);
        }
        let log = fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        let program: Vec<String> = self.as_user("postgres").into_iter().chain(arguments).collect();
        self.running = Some(keeper::spawn(&program, &[], &log, self.is_shared.then(|| self.folder.path())));
        assert!(within(PATIENCE, || self.answers()), "PostgreSQL does not come up:\n{}", self.log());
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn answers(&self) -> bool {
        let mut command = Command::new(self.programs.join("pg_isready"));
        command.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        TcpStream::connect(("127.0.0.1", self.port)).is_ok() && command.status().is_ok_and(|status| status.success())
    }

    fn initialise(&self) {
        fs::create_dir(self.data()).unwrap();
        give_away(self.folder.path());
        give_away(&self.data());
        let command = self.as_user("initdb");
        let mut initialise = Command::new(&command[0]);
        initialise.args(&command[1..]).arg("-D").arg(self.data());
        initialise.args(["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]);
        let output = initialise.output().expect("initdb runs");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn as_user(&self, program: &str) -> Vec<String> {
        let program = self.programs.join(program).display().to_string();
        if !is_root() {
            return vec![program];
        }
        let (user, group) = (format!("--reuid={USER}"), format!("--regid={USER}"));
        vec!["setpriv".to_owned(), user, group, "--clear-groups".to_owned(), "--".to_owned(), program]
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn wait(&mut self) {
        if let Some(mut keeper) = self.running.take() {
            drop(keeper.stdin.take());
            keeper.wait().unwrap();
        }
        // Its processes end a moment after the first of them when that was killed.
        assert!(within(PATIENCE, || !self.has_processes()), "processes of PostgreSQL are still there");
    }

    fn has_processes(&self) -> bool {
        let folder = self.data();
        let theirs = |path: &Path| fs::read_link(path.join("cwd")).is_ok_and(|working| working == folder);
        fs::read_dir("/proc").unwrap().flatten().any(|entry| theirs(&entry.path()))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.running.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

/// The newest version's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.map(|entry| entry.path()).filter(|path| path.join("bin/initdb").exists()).max_by_key(number);
    newest.expect("PostgreSQL is not installed: apt-get install postgresql").join("bin")
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// Makes a path the server's own.
fn give_away(path: &Path) {
    if is_root() {
        let (user, group) = ids(USER);
        chown(path, Some(user), Some(group)).unwrap();
    }
}

fn ids(user: &str) -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user));
    let fields: Vec<_> = line.expect("Debian's package makes the user postgres").split(':').collect();
    (fields[2].parse().unwrap(), fields[3].parse().unwrap())
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(status.success(), "process {pid} is gone already");
}
