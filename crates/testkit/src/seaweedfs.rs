//! A SeaweedFS of a test's own, as the S3 server.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::keeper;
use crate::{Client, within};

/// The bucket that is there from the start.
pub const BUCKET: &str = "berth";

const ACCESS_KEY: &str = "AKIASEAWEEDSEAWEED22";
const SECRET_KEY: &str = "SeaweedSecretSeaweedSecretSeaweedSecret1";
const PATIENCE: Duration = Duration::from_mins(2);

/// The bit of a mode that says folder, as SeaweedFS tells modes.
const FOLDER: u64 = 1 << 31;

/// SeaweedFS listens for its own calls so far above each port.
const GRPC: u16 = 10_000;

/// A server. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Seaweed {
    folder: TempDir,
    port: u16,
    filer: u16,
    running: Option<Child>,
    prefixes: AtomicU32,
}

impl Seaweed {
    /// Starts a server on 127.0.0.1 and waits until its bucket is there.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Like [`Self::start`], but speaks TLS with the certificate and key of these files, PEM.
    pub fn start_with_tls(certificate: &Path, key: &Path) -> Self {
        Self::start_with(&[("s3.cert.file", certificate), ("s3.key.file", key)])
    }

    fn start_with(tls: &[(&str, &Path)]) -> Self {
        let folder = tempfile::Builder::new().prefix("berth-seaweed.").tempdir().unwrap();
        let [master, volume, filer, s3] = free_ports();
        let mut program = vec![weed().display().to_string(), "mini".to_owned()];
        program.push(format!("-dir={}", folder.path().join("data").display()));
        program.extend(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-admin.ui=false", "-webdav=false"].map(str::to_owned));
        program.extend(["-s3.port.iceberg=0", "-s3.port.lance=0"].map(str::to_owned));
        program.push(format!("-bucket={BUCKET}"));
        program.extend(tls.iter().map(|(name, file)| format!("-{name}={}", file.display())));
        for (name, port) in [("master", master), ("volume", volume), ("filer", filer), ("s3", s3)] {
            program.push(format!("-{name}.port={port}"));
        }
        fs::create_dir(folder.path().join("data")).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let credentials = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
        let running = Some(keeper::spawn(&program, &credentials, &log, Some(folder.path())));
        let server = Self { folder, port: s3, filer, running, prefixes: AtomicU32::new(0) };
        assert!(within(PATIENCE, || server.answers()), "SeaweedFS does not come up:\n{}", server.log());
        server
    }

    /// Whether the tests are to keep blobs in a bucket instead of files.
    pub fn is_wanted() -> bool {
        match std::env::var("BERTH_TEST_STORE") {
            Ok(store) if store == "s3" => true,
            Ok(store) if store != "files" => panic!("BERTH_TEST_STORE is files or s3, not {store}"),
            _ => false,
        }
    }

    /// The server that the tests of this process share; it ends with the process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Seaweed> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The address of S3.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port of S3, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its own file server, which asks for no credentials: the bucket is the folder `/buckets/BUCKET` there.
    pub fn file_server(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.filer).into()
    }

    /// A prefix of the bucket that nobody else uses.
    pub fn fresh_prefix(&self) -> String {
        format!("test-{}", self.prefixes.fetch_add(1, Ordering::Relaxed))
    }

    /// The credentials, as variables of the environment.
    pub fn environment() -> [(&'static str, &'static str); 2] {
        [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)]
    }

    /// The names of the objects below a prefix of the bucket, sorted, as the server itself knows them.
    pub fn objects(&self, prefix: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in self.entries(prefix) {
            let path = entry["FullPath"].as_str().unwrap();
            let name = path.strip_prefix(&format!("/buckets/{BUCKET}/")).unwrap();
            match entry["Mode"].as_u64() {
                Some(mode) if mode & FOLDER != 0 => found.extend(self.objects(name)),
                _ => found.push(name.to_owned()),
            }
        }
        found.sort();
        found
    }

    /// The names of the objects below a prefix that multipart uploads were begun for and that were neither completed nor
    /// given up.
    pub fn multiparts(&self, prefix: &str) -> Vec<String> {
        let name = |entry: &Value| STANDARD.decode(entry["Extended"]["key"].as_str()?).ok();
        let names =
            self.entries(".uploads").iter().filter_map(name).map(|name| String::from_utf8(name).unwrap()).collect();
        let mut names: Vec<String> = names;
        names.retain(|name| name.starts_with(&format!("{prefix}/")));
        names.sort();
        names
    }

    /// What a folder of the bucket holds, folders and files.
    fn entries(&self, folder: &str) -> Vec<Value> {
        let client = Client::anonymous(([127, 0, 0, 1], self.filer).into());
        let target = format!("/buckets/{BUCKET}/{folder}/?limit=1000000");
        let reply = client.request("GET", &target, &[("Accept", "application/json")], b"").expect_any(&[200, 404]);
        let is_there = reply.status == 200;
        let entries = if is_there { reply.json()["Entries"].as_array().cloned() } else { None };
        entries.unwrap_or_default()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Whether it knows the bucket: who asks without credentials is refused, or told that there is none. Who asks in the
    /// clear for what is served by TLS hears 400.
    fn answers(&self) -> bool {
        let client = Client::anonymous(([127, 0, 0, 1], self.port).into());
        let asked = client.try_request("GET", &format!("/{BUCKET}/?list-type=2"), &[], b"");
        asked.is_ok_and(|reply| reply.status == 403 || reply.status == 400)
    }
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.running.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

/// The program: in the folder of the tests' Python environment, or on the path.
fn weed() -> PathBuf {
    let cache = std::env::var_os("BERTH_TEST_CACHE").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/berth"));
    let folders = [cache, home].into_iter().flatten().map(|cache| cache.join("venv/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        folders.chain(std::env::split_paths(&path)).map(|folder| folder.join("weed")).find(|file| file.exists());
    found.expect("SeaweedFS is not installed: tests/install/20-python.sh installs it")
}

/// Ports that nothing listened on a moment ago. Two servers that start at once must not find the same ones.
fn free_ports() -> [u16; 4] {
    static STARTS: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let turn = STARTS.fetch_add(1, Ordering::Relaxed);
    let first = u16::try_from((std::process::id() * 16 + turn * 997) % 20_000).unwrap();
    let mut free = (0..20_000_u16)
        .map(|step| 20_000 + (first + step) % 20_000)
        .filter(|&port| is_free(port) && is_free(port + GRPC));
    [(); 4].map(|()| free.next().expect("free ports"))
}
