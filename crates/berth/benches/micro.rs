//! What parts of a request cost by themselves: `bench/micro`.
//!
//! Routing, authentication, the parsing of a manifest, and whole answers without a socket: a manifest by tag and a page of tags,
//! in a repository with few tags and in one with many. What a decision about a user with many policies costs, by itself and in an
//! answer.
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_aws::{AccessKeyId, AccountId, Region, SecretAccessKey};
use berth_domain::administrator::AccessKey;
use berth_domain::identity::Owner;
use berth_domain::identity::policies::NewPolicy;
use berth_domain::identity::principals::NewPrincipal;
use berth_domain::images::Push;
use berth_domain::seal::ServerKey;
use berth_domain::{Action, Domain, Parts, Settings};
use berth_http::auth;
use berth_http::front::Front;
use berth_http::server::{Handler as _, RequestBody};
use berth_oci::digest::{Algorithm, Digest};
use berth_oci::endpoint::Endpoint;
use berth_oci::manifest::Manifest;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_store::repositories::Registry;
use berth_store::{Database, SystemClock, SystemRandom};
use berth_store_blob::FilesystemStore;
use berth_store_sql::SqliteEngine;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion};
use http::{HeaderMap, HeaderValue, Request, Uri};
use serde_json::json;
use tokio::runtime::Runtime;

/// The id and secret below, as a client of Basic sends them.
const AUTHORIZATION: &str =
    "Basic QUtJQUJFTkNIQkVOQ0hCRU5DSDI6QmVuY2hTZWNyZXRCZW5jaFNlY3JldEJlbmNoU2VjcmV0QmVuY2hTZQ==";
const ID: &str = "AKIABENCHBENCHBENCH2";
const SECRET: &str = "BenchSecretBenchSecretBenchSecretBenchSe";
const TAGS_AT_ONCE: usize = 100;

type Done<T = ()> = Result<T, Box<dyn Error>>;

fn settings() -> Done<Settings> {
    let registry = Registry { account: AccountId::parse("000000000000")?, region: Region::parse("us-east-1")? };
    Ok(Settings { inline_blob_bytes: 16 * 1024, tags_per_image: 0, ..Settings::new(registry) })
}

async fn open(folder: &Path) -> Done<Domain> {
    let parts = Parts {
        database: Database::new(SqliteEngine::open(&folder.join("berth.db"))?),
        blobs: Arc::new(FilesystemStore::open(folder.join("blobs"))?),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        settings: settings()?,
        server_key: ServerKey::generate(&SystemRandom),
        node: "bench".to_owned(),
    };
    let domain = Domain::open(parts).await?;
    let key = AccessKey { id: AccessKeyId::parse(ID)?, secret: SecretAccessKey::parse(SECRET)? };
    domain.set_administrator_key(key).await?;
    Ok(domain)
}

fn manifest(layers: usize) -> Bytes {
    let descriptor = |media_type: &str, nth: usize| {
        let digest = Digest::of(Algorithm::Sha256, &nth.to_le_bytes());
        json!({ "mediaType": media_type, "digest": digest, "size": 8 })
    };
    let layers: Vec<_> =
        (1..=layers).map(|nth| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", nth)).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", 0), "layers": layers,
    });
    manifest.to_string().into()
}

/// An image of one layer under so many tags.
async fn fill(domain: &Domain, repository: &str, tags: usize) -> Done {
    let (admin, name) = (domain.administrator(), RepositoryName::parse(repository)?);
    for nth in 0..=1usize {
        let bytes = Bytes::copy_from_slice(&nth.to_le_bytes());
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        let id = domain.begin_upload(&admin, &name, Algorithm::Sha256).await?;
        domain.finish_upload(&admin, &name, &id, None, &mut Some(bytes), &digest).await?;
    }
    let bytes = manifest(1);
    let digest = Digest::of(Algorithm::Sha256, &bytes);
    let names = (0..tags).map(|nth| Tag::parse(&format!("t-{nth:06}"))).collect::<Result<Vec<Tag>, _>>()?;
    for tags in names.chunks(TAGS_AT_ONCE) {
        let reference = Reference::Digest(digest.clone());
        let push = Push { reference, tags: tags.to_vec(), content_type: None, bytes: bytes.clone() };
        domain.push_manifest(&admin, &name, push).await?;
    }
    Ok(())
}

fn routing(criterion: &mut Criterion) {
    let digest = Digest::of(Algorithm::Sha256, b"");
    let mut group = criterion.benchmark_group("routing");
    for (name, path) in [
        ("manifest by tag", "/v2/team/project/app/manifests/v1.2.3".to_owned()),
        ("blob", format!("/v2/team/project/app/blobs/{digest}")),
        ("misleading name", format!("/v2/a/blobs/b/manifests/c/manifests/{digest}")),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| Endpoint::parse(black_box(&path))));
    }
    group.finish();
}

fn manifests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parsing a manifest");
    for layers in [1, 10, 100] {
        let bytes = manifest(layers);
        group.bench_with_input(BenchmarkId::new("layers", layers), &bytes, |bencher, bytes| {
            bencher.iter(|| Manifest::parse(black_box(bytes), None));
        });
    }
    group.finish();
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([(http::header::AUTHORIZATION, HeaderValue::from_static(AUTHORIZATION))])
}

fn authentication(criterion: &mut Criterion) -> Done {
    let (runtime, folder) = (Runtime::new()?, tempfile::tempdir()?);
    let domain = runtime.block_on(open(folder.path()))?;
    let mut request = http::Request::new(());
    *request.headers_mut() = headers();
    let (parts, ()) = request.into_parts();
    runtime.block_on(auth::caller(&domain, &parts))?;
    criterion.bench_function("authentication, Basic", |bencher| {
        bencher.to_async(&runtime).iter(|| auth::caller(&domain, black_box(&parts)));
    });
    Ok(())
}

fn answers(criterion: &mut Criterion) -> Done {
    let (runtime, folder) = (Runtime::new()?, tempfile::tempdir()?);
    let domain = Arc::new(runtime.block_on(open(folder.path()))?);
    runtime.block_on(fill(&domain, "few", 1_000))?;
    runtime.block_on(fill(&domain, "many", 100_000))?;
    let front = Arc::new(Front::new(domain, None, Arc::new(AtomicBool::new(false))));
    let mut group = criterion.benchmark_group("answers without a socket");
    for (name, path) in [
        ("manifest by tag", "/v2/few/manifests/t-000007"),
        ("100 of 1,000 tags", "/v2/few/tags/list?n=100&last=t-000500"),
        ("100 of 100,000 tags", "/v2/many/tags/list?n=100&last=t-050000"),
    ] {
        let request = || {
            let mut request = Request::new(RequestBody::from_bytes(Bytes::new()));
            *request.uri_mut() = Uri::from_static(path);
            *request.headers_mut() = headers();
            request
        };
        assert_eq!(runtime.block_on(Arc::clone(&front).call(request())).status(), 200, "{path}");
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| Arc::clone(&front).call(request()));
        });
    }
    group.finish();
    Ok(())
}

/// A policy of twenty statements; only the last statement of the last of ten allows anything on the repositories here.
fn policy(nth: usize) -> String {
    let statement = |number: usize| {
        let resource = match (nth, number) {
            (9, 19) => "arn:aws:ecr:us-east-1:000000000000:repository/*".to_owned(),
            _ => format!("arn:aws:ecr:us-east-1:000000000000:repository/team-{nth}/project-{number}/*"),
        };
        json!({
            "Effect": "Allow", "Resource": resource,
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"],
            "Condition": { "StringNotEquals": { "aws:PrincipalTag/team": "nobody" } },
        })
    };
    let statements: Vec<_> = (0..20).map(statement).collect();
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// A user with ten policies of twenty statements; the access key as an `Authorization` header has it.
async fn user_of_many_statements(domain: &Domain) -> Done<HeaderValue> {
    let (admin, owner) = (domain.administrator(), Owner::user("many"));
    let new = NewPrincipal { owner: owner.clone(), path: "/".to_owned(), boundary: None, tags: Vec::new(), role: None };
    domain.create_principal(&admin, new).await?;
    for nth in 0..10 {
        let (name, path) = (format!("policy-{nth}"), "/".to_owned());
        let new = NewPolicy { name, path, description: None, document: policy(nth), tags: Vec::new() };
        let made = domain.create_policy(&admin, new).await?;
        domain.attach_policy(&admin, &owner, &made.arn).await?;
    }
    let (key, _) = domain.create_access_key(&admin, "many").await?;
    let credentials = STANDARD.encode(format!("{}:{}", key.id, key.secret.reveal()));
    Ok(HeaderValue::try_from(format!("Basic {credentials}"))?)
}

/// What authorisation costs: the decision by itself, and a whole answer to the administrator and to such a user.
fn decisions(criterion: &mut Criterion) -> Done {
    let (runtime, folder) = (Runtime::new()?, tempfile::tempdir()?);
    let domain = Arc::new(runtime.block_on(open(folder.path()))?);
    runtime.block_on(fill(&domain, "app", 10))?;
    let user = runtime.block_on(user_of_many_statements(&domain))?;
    let mut request = http::Request::new(());
    request.headers_mut().insert(http::header::AUTHORIZATION, user.clone());
    let (parts, ()) = request.into_parts();
    let (caller, name) = (runtime.block_on(auth::caller(&domain, &parts))?, RepositoryName::parse("app")?);
    runtime.block_on(domain.allow(&caller, Action::BatchGetImage, &name))?;
    criterion.bench_function("decision, 10 policies of 20 statements", |bencher| {
        bencher.to_async(&runtime).iter(|| domain.allow(&caller, Action::BatchGetImage, black_box(&name)));
    });
    let front = Arc::new(Front::new(domain, None, Arc::new(AtomicBool::new(false))));
    let mut group = criterion.benchmark_group("manifest without a socket");
    for (who, authorization) in [("administrator", HeaderValue::from_static(AUTHORIZATION)), ("such a user", user)] {
        let request = || {
            let mut request = Request::new(RequestBody::from_bytes(Bytes::new()));
            *request.uri_mut() = Uri::from_static("/v2/app/manifests/t-000007");
            request.headers_mut().insert(http::header::AUTHORIZATION, authorization.clone());
            request
        };
        assert_eq!(runtime.block_on(Arc::clone(&front).call(request())).status(), 200, "{who}");
        group.bench_function(who, |bencher| {
            bencher.to_async(&runtime).iter(|| Arc::clone(&front).call(request()));
        });
    }
    group.finish();
    Ok(())
}

fn main() -> Done {
    let mut criterion = Criterion::default().configure_from_args();
    routing(&mut criterion);
    manifests(&mut criterion);
    authentication(&mut criterion)?;
    answers(&mut criterion)?;
    decisions(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
