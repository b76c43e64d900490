use std::sync::Arc;

use berth_domain::seal::ServerKey;
use berth_domain::{Parts as DomainParts, Settings};
use berth_store::{Database, SystemClock, SystemRandom};
use berth_store_blob::FilesystemStore;
use berth_store_sql::SqliteEngine;
use bytes::Bytes;
use http::header::HOST;

use super::*;
use crate::server::ConnectionInfo;

const OWN: &str = "000000000000";
const OTHER: &str = "111111111111";
const ECR: Option<&str> = Some("{account}.dkr.ecr.{region}.example.org");

struct Served {
    domain: Domain,
    _folder: tempfile::TempDir,
}

async fn served(template: Option<&str>) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry { account: AccountId::parse(OWN).unwrap(), region: Region::parse("us-east-1").unwrap() };
    let parts = DomainParts {
        database: Database::new(SqliteEngine::open(&folder.path().join("berth.db")).unwrap()),
        blobs: Arc::new(FilesystemStore::open(folder.path().join("blobs")).unwrap()),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        settings: Settings {
            regions: vec![Region::parse("eu-west-1").unwrap()],
            host: template.map(|text| HostTemplate::parse(text).unwrap()),
            ..Settings::new(registry)
        },
        server_key: ServerKey::generate(&SystemRandom),
        node: "test".to_owned(),
    };
    let domain = Domain::open(parts).await.unwrap();
    domain.ensure_administrator_key().await.unwrap();
    domain.create_account(&domain.administrator(), &AccountId::parse(OTHER).unwrap()).await.unwrap();
    Served { domain, _folder: folder }
}

fn parts(host: &str, base: Option<&str>) -> Parts {
    let (mut parts, ()) = http::Request::builder().uri("/").header(HOST, host).body(()).unwrap().into_parts();
    parts.extensions.insert(ConnectionInfo { peer: None, tls: false, encryption: None });
    let base_url = base.map(str::to_owned);
    let nothing = ClientOrigin { address: None, base_url: None, is_secure: false, encryption: None, is_proxied: false };
    parts.extensions.insert(ClientOrigin { base_url, ..nothing });
    parts
}

fn named(answer: Result<Cow<'_, Domain>, Error>) -> String {
    match answer {
        Ok(domain) => format!("{} {}", domain.settings().registry.account, domain.settings().registry.region),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_host_names_a_registry() {
    let known = |served: &Served| served.domain.operator_of(&AccountId::parse(OTHER).unwrap());
    for (template, host, expected) in [
        (None, "111111111111.dkr.ecr.eu-west-1.example.org", "000000000000 us-east-1"),
        (Some("r.example.org"), "r.example.org", "000000000000 us-east-1"),
        (ECR, "127.0.0.1:5000", "000000000000 us-east-1"),
        (ECR, "111111111111.dkr.ecr.eu-west-1.example.org", "111111111111 eu-west-1"),
        (ECR, "000000000000.DKR.ecr.EU-WEST-1.example.org:55", "000000000000 eu-west-1"),
        (ECR, "222222222222.dkr.ecr.eu-west-1.example.org", "there is no registry 222222222222 in eu-west-1 here"),
        (ECR, "111111111111.dkr.ecr.mars-1.example.org", "there is no registry 111111111111 in mars-1 here"),
        (Some("{account}.example.org"), "111111111111.example.org", "111111111111 us-east-1"),
        (Some("{region}.example.org"), "eu-west-1.example.org", "000000000000 eu-west-1"),
    ] {
        let served = served(template).await;
        let found = for_oci(&served.domain, &known(&served), &parts(host, None)).await;
        assert_eq!(named(found), expected, "{template:?} {host}");
    }
    // Somebody without credentials hears of no registry that it is not there.
    let served = served(ECR).await;
    let asked = parts("222222222222.dkr.ecr.eu-west-1.example.org", None);
    assert_eq!(named(for_oci(&served.domain, &Caller::anonymous(), &asked).await), "222222222222 eu-west-1");
}

#[tokio::test]
async fn a_call_is_about_the_registry_that_it_names_or_that_of_its_caller() {
    let account = Some("{account}.example.org");
    for (template, host, signed_region, id, expected) in [
        (None, "x", "us-east-1", None, "000000000000 us-east-1"),
        (None, "x", "us-east-1", Some(OTHER), "111111111111 us-east-1"),
        (Some("{region}.example.org"), "x", "eu-west-1", None, "000000000000 eu-west-1"),
        (account, "x", "us-east-1", None, "111111111111 us-east-1"),
        (account, "000000000000.example.org", "us-east-1", None, "111111111111 us-east-1"),
        (account, "x", "us-east-1", Some(OWN), "000000000000 us-east-1"),
        (ECR, "x", "eu-west-1", None, "111111111111 eu-west-1"),
        (ECR, "000000000000.dkr.ecr.eu-west-1.example.org", "us-east-1", None, "111111111111 eu-west-1"),
        (ECR, "api.ecr.eu-west-1.example.org", "us-east-1", None, "111111111111 us-east-1"),
        (ECR, "x", "mars-1", None, "there is no registry 111111111111 in mars-1 here"),
        (ECR, "x", "Mars", None, "there is no registry Mars here"),
        (ECR, "x", "us-east-1", Some("222222222222"), "there is no registry 222222222222 in us-east-1 here"),
        (ECR, "x", "us-east-1", Some("none"), "there is no registry none here"),
    ] {
        let served = served(template).await;
        let caller = served.domain.operator_of(&AccountId::parse(OTHER).unwrap());
        let (signed_region, request_id) = (signed_region.to_owned(), String::new());
        let (parts, body, body_sha256) = (parts(host, None), Bytes::new(), [0; 32]);
        let call = Call { parts, body, body_sha256, request_id, signed_region };
        assert_eq!(named(for_api(&served.domain, &caller, &call, id).await), expected, "{template:?} {host} {id:?}");
    }
}

#[tokio::test]
async fn a_registry_is_called_by_the_template_or_as_the_client_does() {
    let other = Registry { account: AccountId::parse(OTHER).unwrap(), region: Region::parse("eu-west-1").unwrap() };
    let public = Some("https://registry.example.org/path");
    for (template, host, base, expected_host, expected_base) in [
        (None, "a:5000", None, "a:5000", Some("http://a:5000")),
        (None, "a", public, "registry.example.org", Some("https://registry.example.org/path")),
        (None, "a/b", None, "localhost", None),
        (
            ECR,
            "a",
            None,
            "111111111111.dkr.ecr.eu-west-1.example.org",
            Some("http://111111111111.dkr.ecr.eu-west-1.example.org"),
        ),
        (
            Some("{account}.r.org:8443"),
            "a/b",
            public,
            "111111111111.r.org:8443",
            Some("https://111111111111.r.org:8443"),
        ),
        (Some("r.org"), "a", None, "r.org", Some("http://r.org")),
    ] {
        let served = served(template).await;
        let (domain, parts) = (served.domain.in_registry(&other).unwrap(), parts(host, base));
        assert_eq!(host_of(&domain, &parts), expected_host, "{template:?} {host}");
        assert_eq!(base_url(&domain, &parts).as_deref(), expected_base, "{template:?} {host}");
    }
}

#[tokio::test]
async fn links_go_to_the_host_that_the_client_used() {
    let public = Some("https://registry.example.org");
    let theirs = "111111111111.dkr.ecr.eu-west-1.example.org:8443";
    let with_scheme = |scheme: &str| Some(format!("{scheme}://{theirs}"));
    let served = served(ECR).await;
    for (host, base, links, requested) in [
        (theirs, None, None, with_scheme("http")),
        (theirs, public, with_scheme("https"), with_scheme("https")),
        ("a", public, None, public.map(str::to_owned)),
        ("a", None, None, Some("http://a".to_owned())),
    ] {
        let parts = parts(host, base);
        assert_eq!(base_of_links(&served.domain, &parts), links, "{host} {base:?}");
        assert_eq!(base_of_request(&served.domain, &parts), requested, "{host} {base:?}");
    }
}
