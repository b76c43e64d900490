//! The door of ECR over a registry in a folder of its own, and the shortest way to call it.

use std::sync::Arc;

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
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use ring::digest::{SHA256, digest};
use serde_json::Value;

pub const ACCOUNT: &str = "000000000000";
pub const PREFIX: &str = "AmazonEC2ContainerRegistry_V20150921";
/// When it always is, in milliseconds. The fraction of a second shows whether answers have it.
pub const NOW: i64 = 1_700_000_000_250;

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW)
    }
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    /// The name of an exception; empty where it is none.
    pub fn exception(&self) -> &str {
        self.body["__type"].as_str().unwrap_or_default()
    }
}

pub struct Door {
    front: Arc<Front>,
    key: AccessKey,
    _folder: tempfile::TempDir,
}

impl Door {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let account = AccountId::parse(ACCOUNT).unwrap();
        let parts = Parts {
            database: Database::new(SqliteEngine::open(&folder.path().join("berth.db")).unwrap()),
            blobs: Arc::new(FilesystemStore::open(folder.path().join("blobs")).unwrap()),
            clock: Arc::new(StandingClock),
            random: Arc::new(SystemRandom),
            settings: Settings::new(Registry { account, region: Region::parse("us-east-1").unwrap() }),
            server_key: ServerKey::generate(&SystemRandom),
            node: "test".to_owned(),
        };
        let domain = Domain::open(parts).await.unwrap();
        let key = domain.reset_administrator_key().await.unwrap();
        let front = Arc::new(Front::new(Arc::new(domain), None, Arc::default()));
        Self { front, key, _folder: folder }
    }

    /// Calls an operation as the administrator.
    pub async fn call(&self, operation: &str, input: &Value) -> Reply {
        self.send(&format!("{PREFIX}.{operation}"), "application/x-amz-json-1.1", &input.to_string()).await
    }

    /// The answer of an operation that must be done.
    pub async fn done(&self, operation: &str, input: &Value) -> Value {
        let reply = self.call(operation, input).await;
        assert_eq!(reply.status, 200, "{operation}: {}", reply.body);
        reply.body
    }

    /// Sends what the administrator signed.
    pub async fn send(&self, target: &str, content_type: &str, body: &str) -> Reply {
        self.send_to("ecr", target, content_type, body).await
    }

    /// Sends what the administrator signed for a service.
    pub async fn send_to(&self, service: &str, target: &str, content_type: &str, body: &str) -> Reply {
        let own: [(&str, &[u8]); 3] = [
            ("content-type", content_type.as_bytes()),
            ("host", b"registry.example"),
            ("x-amz-target", target.as_bytes()),
        ];
        let unsigned = SignedRequest { method: "POST", path: "/", query: None, headers: &own };
        let signing = Signing {
            access_key_id: self.key.id.as_str(),
            secret: self.key.secret.reveal(),
            session_token: None,
            region: "us-east-1",
            service,
            now: NOW / 1000,
            payload_sha256: digest(&SHA256, body.as_bytes()).as_ref().try_into().unwrap(),
            path_style: PathStyle::Normalized,
            declare_payload: false,
        };
        let signed = sign(&unsigned, &signing).unwrap();
        let mut request = Request::post("/");
        for (name, value) in own {
            request = request.header(name, value);
        }
        for (name, value) in &signed {
            request = request.header(*name, value.as_bytes());
        }
        self.answer(request.body(RequestBody::from_bytes(body.to_owned())).unwrap()).await
    }

    /// The answer to any request.
    pub async fn answer(&self, request: Request<RequestBody>) -> Reply {
        let (parts, body) = Arc::clone(&self.front).call(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"));
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}
