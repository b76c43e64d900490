//! The door of IAM over a registry in a folder of its own, and the shortest way to call it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use berth_aws::iam::IAM;
use berth_aws::protocol::xml::{parse_fault, parse_result};
use berth_aws::protocol::{Form, Operation};
use berth_aws::{AccountId, Region};
use berth_domain::seal::ServerKey;
use berth_domain::settings::{Endpoint, EndpointPolicy};
use berth_domain::{Caller, Domain, Parts, Settings};
use berth_http::iam::answer;
use berth_http::iam::berth::BERTH;
use berth_store::repositories::Registry;
use berth_store::{Clock, Database, SystemRandom, Timestamp};
use berth_store_blob::FilesystemStore;
use berth_store_sql::SqliteEngine;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;

pub const ACCOUNT: &str = "000000000000";
pub const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
pub const READ_ONLY: &str = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
pub const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}"#;
/// What may be done by the listener `narrow`.
const ONLY_PULLS: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage","Resource":"*"}}"#;

/// A policy that allows an action on everything.
pub fn allow(action: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#)
}

struct StandingClock;

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

pub struct Door {
    pub domain: Domain,
    pub admin: Caller,
    answered: Mutex<BTreeSet<&'static str>>,
    _folder: tempfile::TempDir,
}

impl Door {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let account = AccountId::parse(ACCOUNT).unwrap();
        let mut settings = Settings::new(Registry { account, region: Region::parse("us-east-1").unwrap() });
        let policy = EndpointPolicy::parse("narrow", ONLY_PULLS).unwrap();
        let endpoint = Endpoint { id: Some("vpce-1".to_owned()), policy: Some(policy) };
        settings.endpoints = [("narrow".to_owned(), endpoint)].into();
        let parts = Parts {
            database: Database::new(SqliteEngine::open(&folder.path().join("berth.db")).unwrap()),
            blobs: Arc::new(FilesystemStore::open(folder.path().join("blobs")).unwrap()),
            clock: Arc::new(StandingClock),
            random: Arc::new(SystemRandom),
            settings,
            server_key: ServerKey::generate(&SystemRandom),
            node: "test".to_owned(),
        };
        let domain = Domain::open(parts).await.unwrap();
        let key = domain.reset_administrator_key().await.unwrap();
        let admin = domain.authenticate(key.id.as_str(), key.secret.reveal().as_bytes(), None).await.unwrap();
        Self { domain, admin, answered: Mutex::default(), _folder: folder }
    }

    /// The answer of an operation that the administrator asks for, as a tree.
    pub async fn ok(&self, action: &str, parameters: &[(&str, &str)]) -> Value {
        self.ok_as(&self.admin, action, parameters).await
    }

    pub async fn ok_as(&self, caller: &Caller, action: &str, parameters: &[(&str, &str)]) -> Value {
        let (status, xml) = answer(&self.domain, caller, &form(action, parameters), "the-id").await;
        assert_eq!(status, 200, "{action} {parameters:?}: {xml}");
        assert!(xml.contains("<RequestId>the-id</RequestId>"), "{xml}");
        let operation = operation(action);
        self.answered.lock().unwrap().insert(operation.name);
        parse_result(operation, xml.as_bytes()).unwrap()
    }

    /// The status and code of a refusal, and what it says.
    pub async fn no(&self, action: &str, parameters: &[(&str, &str)]) -> (u16, String, String) {
        self.no_as(&self.admin, action, parameters).await
    }

    pub async fn no_as(&self, caller: &Caller, action: &str, parameters: &[(&str, &str)]) -> (u16, String, String) {
        self.refused(caller, &form(action, parameters)).await
    }

    pub async fn refused(&self, caller: &Caller, form: &Form) -> (u16, String, String) {
        let (status, xml) = answer(&self.domain, caller, form, "the-id").await;
        let (fault, id) = parse_fault(xml.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}"));
        assert_eq!((fault.sender, id.as_deref()), (status.is_client_error(), Some("the-id")));
        (status.as_u16(), fault.code, fault.message)
    }

    /// A user with a key of its own and these rights, as a caller.
    pub async fn user(&self, name: &str, policy: Option<&str>) -> Caller {
        self.ok("CreateUser", &[("UserName", name)]).await;
        if let Some(arn) = policy {
            self.ok("AttachUserPolicy", &[("UserName", name), ("PolicyArn", arn)]).await;
        }
        let key = self.ok("CreateAccessKey", &[("UserName", name)]).await;
        self.login(&key).await
    }

    /// The caller whose key was answered.
    pub async fn login(&self, answer: &Value) -> Caller {
        let part = |name: &str| answer["AccessKey"][name].as_str().unwrap().to_owned();
        let secret = part("SecretAccessKey");
        self.domain.authenticate(&part("AccessKeyId"), secret.as_bytes(), None).await.unwrap()
    }

    /// Every page of a listing with `size` items a page: the items' texts at `member`, by page.
    pub async fn pages(&self, action: &str, parameters: &[(&str, &str)], list: &str, member: &str) -> Vec<Vec<String>> {
        let (mut pages, mut marker): (Vec<_>, Option<String>) = (Vec::new(), None);
        loop {
            let mut asked = parameters.to_vec();
            asked.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let answer = self.ok(action, &asked).await;
            pages.push(texts(&answer[list], member));
            let more = answer["IsTruncated"].as_bool().unwrap();
            marker = answer["Marker"].as_str().map(str::to_owned);
            assert_eq!(more, marker.is_some(), "{answer}");
            if !more {
                return pages;
            }
        }
    }

    /// The operations that were answered with a result.
    pub fn answered(&self) -> BTreeSet<&'static str> {
        self.answered.lock().unwrap().clone()
    }
}

/// The texts of a list: of its elements, or of a member of each.
pub fn texts(list: &Value, member: &str) -> Vec<String> {
    let text = |value: &Value| if member.is_empty() { value.clone() } else { value[member].clone() };
    list.as_array().unwrap().iter().map(|value| text(value).as_str().unwrap().to_owned()).collect()
}

/// What a document of an answer stands for.
pub fn decoded(document: &Value) -> String {
    let text = document.as_str().unwrap();
    assert!(!text.contains(['{', '"', ' ', '+']), "{text}");
    percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

fn operation(action: &str) -> &'static Operation {
    IAM.operation(action).or_else(|| BERTH.operation(action)).unwrap()
}

pub fn form(action: &str, parameters: &[(&str, &str)]) -> Form {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut pairs = vec![format!("Action={action}"), "Version=2010-05-08".to_owned()];
    pairs.extend(parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))));
    Form::parse(pairs.join("&").as_bytes()).unwrap()
}
