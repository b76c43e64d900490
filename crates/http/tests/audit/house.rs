//! All doors over a registry in a folder of its own, and the records that calls leave.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_aws::sigv4::{PathStyle, SignedRequest, Signing, sign};
use berth_aws::{AccountId, Region};
use berth_domain::administrator::AccessKey;
use berth_domain::seal::ServerKey;
use berth_domain::{Domain, Parts, Settings};
use berth_http::front::Front;
use berth_http::server::{Handler as _, RequestBody};
use berth_store::repositories::Registry;
use berth_store::{Clock, Database, SystemRandom, Timestamp};
use berth_store_blob::FilesystemStore;
use berth_store_sql::SqliteEngine;
use http::Request;
use http_body_util::BodyExt as _;
use ring::digest::{SHA256, digest};
use serde_json::Value;

pub const ACCOUNT: &str = "000000000000";

/// Every look at it is a millisecond later, so that records have an order.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

pub struct House {
    pub domain: Arc<Domain>,
    front: Arc<Front>,
    pub key: AccessKey,
    seen: Mutex<(u64, Option<u64>)>,
    _folder: tempfile::TempDir,
}

/// What came back, and the records that there are since the call before.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: String,
    pub records: Vec<Value>,
}

impl House {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let account = AccountId::parse(ACCOUNT).unwrap();
        let parts = Parts {
            database: Database::new(SqliteEngine::open(&folder.path().join("berth.db")).unwrap()),
            blobs: Arc::new(FilesystemStore::open(folder.path().join("blobs")).unwrap()),
            clock: Arc::new(Ticking(1_700_000_000_000.into())),
            random: Arc::new(SystemRandom),
            settings: Settings::new(Registry { account, region: Region::parse("us-east-1").unwrap() }),
            server_key: ServerKey::generate(&SystemRandom),
            node: "test".to_owned(),
        };
        let domain = Arc::new(Domain::open(parts).await.unwrap());
        let key = domain.reset_administrator_key().await.unwrap();
        let front = Front::new(Arc::clone(&domain), Some(Arc::new(|| "figures".to_owned())), Arc::default());
        Self { domain, front: Arc::new(front), key, seen: Mutex::new((0, None)), _folder: folder }
    }

    /// A signed call of a service.
    pub async fn signed(&self, service: &str, own: &[(&str, &str)], body: &str) -> Reply {
        let mut headers: Vec<(&str, &[u8])> = own.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        headers.push(("host", b"registry.example"));
        let unsigned = SignedRequest { method: "POST", path: "/", query: None, headers: &headers };
        let signing = Signing {
            access_key_id: self.key.id.as_str(),
            secret: self.key.secret.reveal(),
            session_token: None,
            region: "us-east-1",
            service,
            now: 1_700_000_000,
            payload_sha256: digest(&SHA256, body.as_bytes()).as_ref().try_into().unwrap(),
            path_style: PathStyle::Normalized,
            declare_payload: false,
        };
        let signed = sign(&unsigned, &signing).unwrap();
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in &signed {
            request = request.header(*name, value.as_bytes());
        }
        self.send(request, body.as_bytes()).await
    }

    /// A request with a name and a password.
    pub async fn basic(&self, method: &str, target: &str, login: Option<(&str, &str)>, body: &[u8]) -> Reply {
        let mut request = Request::builder().method(method).uri(target).header("host", "registry.example");
        if let Some((user, password)) = login {
            request =
                request.header("authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
        }
        self.send(request, body).await
    }

    pub fn login(&self) -> (&str, &str) {
        (self.key.id.as_str(), self.key.secret.reveal())
    }

    pub async fn send(&self, request: http::request::Builder, body: &[u8]) -> Reply {
        let request = request.body(RequestBody::from_bytes(body.to_vec())).unwrap();
        let (parts, body) = Arc::clone(&self.front).call(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Reply { status: parts.status.as_u16(), body, records: self.records().await }
    }

    async fn records(&self) -> Vec<Value> {
        self.domain.flush_audit().await.unwrap();
        while self.domain.chain_audit().await.unwrap().is_full {}
        let behind = *self.seen.lock().unwrap();
        let rows = self.domain.audit_rows_after(behind, 1000).await.unwrap();
        if let Some(last) = rows.last() {
            *self.seen.lock().unwrap() = (last.link, Some(last.place));
        }
        let lines = rows.iter().map(|row| self.domain.audit_lines(&row.row).unwrap().unwrap());
        lines
            .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
            .collect()
    }
}

impl Reply {
    /// The one record that the call left.
    pub fn record(&self) -> &Value {
        let [record] = self.records.as_slice() else { panic!("{self:#?}") };
        let is_error = self.status >= 400;
        assert_eq!(record.get("errorCode").is_some(), is_error, "{self:#?}");
        record
    }

    pub fn event(&self) -> (&str, &str) {
        let record = self.record();
        (record["eventSource"].as_str().unwrap(), record["eventName"].as_str().unwrap())
    }
}
