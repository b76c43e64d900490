//! The registry under test, and the shortest way to put something into it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use berth_aws::sigv4::{Demands, PathStyle, Presented, SignedRequest, Signing, sign};
use berth_aws::{AccountId, Region};
use berth_domain::administrator::AccessKey;
use berth_domain::identity::Owner;
use berth_domain::identity::principals::NewPrincipal;
use berth_domain::images::{ImageId, Push, Pushed, PutImage};
use berth_domain::seal::ServerKey;
use berth_domain::sts::TemporaryCredentials;
use berth_domain::{Body, Caller, Domain, Error, Parts, Settings};
use berth_oci::digest::{Algorithm, Digest};
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_store::repositories::Registry;
use berth_store::{Clock, Database, Row, SystemRandom, Timestamp, Transaction, parameters};
use berth_store_blob::FilesystemStore;
use berth_store_sql::postgres::PostgresUrl;
use berth_store_sql::{PostgresEngine, PostgresSettings, SqliteEngine};
use berth_testkit::postgres::Postgres;
use bytes::Bytes;
use serde_json::{Value, json};

pub const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A clock that stands still until a test moves it.
pub struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl TestClock {
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn set_back(&self, span: Duration) {
        self.0.fetch_sub(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// A registry in a folder of its own.
pub struct TestRegistry {
    pub domain: Domain,
    pub clock: Arc<TestClock>,
    pub admin: Caller,
    key: ServerKey,
    settings: Settings,
    folder: tempfile::TempDir,
    url: Option<String>,
}

/// A folder and database that a registry can be opened in.
pub struct Elsewhere {
    pub folder: tempfile::TempDir,
    pub url: Option<String>,
}

pub fn settings() -> Settings {
    let account = AccountId::parse("000000000000").unwrap();
    let registry = Registry { account, region: Region::parse("us-east-1").unwrap() };
    Settings { layer_bytes: 1 << 30, open_uploads: 100, upload_ttl: Duration::from_hours(1), ..Settings::new(registry) }
}

pub fn name(text: &str) -> RepositoryName {
    RepositoryName::parse(text).unwrap()
}

pub fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

pub fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    hex::decode(digest(bytes).to_string().strip_prefix("sha256:").unwrap()).unwrap().try_into().unwrap()
}

/// An image by its tag.
pub fn tagged(tag: &str) -> ImageId {
    ImageId { digest: None, tag: Some(Tag::parse(tag).unwrap()) }
}

/// An image by its digest.
pub fn with_digest(manifest: &[u8]) -> ImageId {
    ImageId { digest: Some(digest(manifest)), tag: None }
}

/// An image by both.
pub fn both(manifest: &[u8], tag: &str) -> ImageId {
    ImageId { digest: Some(digest(manifest)), ..tagged(tag) }
}

/// A body of these bytes.
pub fn body(bytes: &[u8]) -> impl Body + use<> {
    Some(Bytes::copy_from_slice(bytes))
}

/// The descriptor of content of any kind.
pub fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes).to_string(), "size": bytes.len() })
}

/// An image manifest over a config and layers.
pub fn image(config: &[u8], layers: &[&[u8]]) -> Vec<u8> {
    let layers: Vec<Value> =
        layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer)).collect();
    let config = descriptor("application/vnd.oci.image.config.v1+json", config);
    json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers }).to_string().into_bytes()
}

/// An index over manifests.
pub fn index(children: &[&[u8]]) -> Vec<u8> {
    let children: Vec<Value> = children.iter().map(|child| descriptor(IMAGE, child)).collect();
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children }).to_string().into_bytes()
}

/// A manifest that is about another one.
pub fn about(subject: &[u8], artifact_type: &str, note: &str) -> Vec<u8> {
    let empty = descriptor("application/vnd.oci.empty.v1+json", b"{}");
    json!({
        "schemaVersion": 2, "mediaType": IMAGE, "artifactType": artifact_type, "config": empty, "layers": [empty],
        "subject": descriptor(IMAGE, subject), "annotations": { "note": note },
    })
    .to_string()
    .into_bytes()
}

impl TestRegistry {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_700_000_000_000)));
        let key = ServerKey::generate(&SystemRandom);
        let url = Postgres::is_wanted().then(|| Postgres::shared().create_database());
        let domain = open(folder.path(), url.as_deref(), &settings, &clock, &key).await;
        domain.ensure_administrator_key().await.unwrap();
        let admin = domain.administrator();
        Self { domain, clock, admin, key, settings, folder, url }
    }

    /// Somebody with an access key of the registry's account, who has this inline policy, if any.
    pub async fn user(&self, name: &str, policy: Option<&str>) -> Caller {
        let (domain, owner) = (&self.domain, Owner::user(name));
        let new =
            NewPrincipal { owner: owner.clone(), path: "/".to_owned(), boundary: None, tags: Vec::new(), role: None };
        domain.create_principal(&self.admin, new).await.unwrap();
        if let Some(policy) = policy {
            domain.put_inline_policy(&self.admin, &owner, "own", policy).await.unwrap();
        }
        self.again(name).await
    }

    /// A new key of a user.
    pub async fn key_of(&self, name: &str) -> AccessKey {
        self.domain.create_access_key(&self.admin, name).await.unwrap().0
    }

    /// A user as it is judged now. Each needs a key, so twice at most.
    pub async fn again(&self, name: &str) -> Caller {
        let keys = self.domain.list_access_keys(&self.admin, name).await.unwrap();
        if let [_, newest] = keys.as_slice() {
            self.domain.delete_access_key(&self.admin, name, newest.id.as_str()).await.unwrap();
        }
        let key = self.key_of(name).await;
        self.domain.authenticate(key.id.as_str(), key.secret.reveal().as_bytes(), None).await.unwrap()
    }

    /// Whom temporary credentials stand for: a signature made with them is checked.
    pub async fn session_caller(&self, credentials: &TemporaryCredentials) -> Result<Caller, Error> {
        let (host, token) = (("host", b"registry".as_slice()), credentials.session_token.reveal());
        let unsigned = SignedRequest { method: "POST", path: "/", query: None, headers: &[host] };
        let now = self.domain.now().as_millis() / 1000;
        let payload_sha256 = sha256(b"");
        let signing = Signing {
            access_key_id: credentials.id.as_str(),
            secret: credentials.secret.reveal(),
            session_token: Some(token),
            region: "us-east-1",
            service: "ecr",
            now,
            payload_sha256,
            path_style: PathStyle::Normalized,
            declare_payload: false,
        };
        let signed = sign(&unsigned, &signing).unwrap();
        let mut headers: Vec<(&str, &[u8])> = vec![host];
        headers.extend(signed.iter().map(|(name, value)| (*name, value.as_bytes())));
        let request = SignedRequest { headers: &headers, ..unsigned };
        let demands = Demands {
            now,
            skew: 900,
            regions: &["us-east-1"],
            services: &["ecr"],
            payload_sha256,
            path_style: PathStyle::Normalized,
        };
        let shown = Presented::require(&request)?;
        self.domain.authenticate_signed(&request, &shown, &demands, None).await
    }

    /// The principals of keys whose secret is sealed for nothing but the key's id.
    pub async fn keys_sealed_for_their_id(&self) -> Vec<String> {
        let sql = "SELECT access_key_id, principal, secret_sealed FROM access_keys";
        let rows = self.database().await.read(move |txn| txn.query(sql, &[])).await.unwrap();
        let opens = |row: &&Row| self.key.open(row.text(0).unwrap(), row.bytes(2).unwrap()).is_some();
        rows.iter().filter(opens).map(|row| row.text(1).unwrap().to_owned()).collect()
    }

    /// Another node on the same database.
    pub async fn second_node(&self) -> Domain {
        open(self.folder.path(), self.url.as_deref(), &self.settings, &self.clock, &self.key).await
    }

    /// Another node on the same database, with a name of its own.
    pub async fn node(&self, name: &str) -> Domain {
        let parts = parts(self.folder.path(), self.url.as_deref(), &self.settings, &self.clock, &self.key).await;
        Domain::open(Parts { node: name.to_owned(), ..parts }).await.unwrap()
    }

    /// The same registry after its process ended and began again, perhaps with other settings.
    pub async fn restarted(self, change: impl FnOnce(&mut Settings)) -> Self {
        let Self { domain, clock, admin, key, mut settings, folder, url } = self;
        drop(domain);
        change(&mut settings);
        let domain = open(folder.path(), url.as_deref(), &settings, &clock, &key).await;
        Self { domain, clock, admin, key, settings, folder, url }
    }

    /// What a registry is made of, in a folder and database of its own that nobody opened yet; and their names.
    pub async fn parts_elsewhere(&self) -> (Parts, Elsewhere) {
        let folder = tempfile::tempdir().unwrap();
        let url = self.url.as_ref().map(|_| Postgres::shared().create_database());
        let parts = parts(folder.path(), url.as_deref(), &self.settings, &self.clock, &self.key).await;
        (parts, Elsewhere { folder, url })
    }

    /// The registry that was made of such parts.
    pub async fn opened(&self, elsewhere: Elsewhere) -> Self {
        let Elsewhere { folder, url } = elsewhere;
        let (clock, key, settings) = (Arc::clone(&self.clock), self.key.clone(), self.settings.clone());
        let domain = open(folder.path(), url.as_deref(), &settings, &clock, &key).await;
        Self { admin: domain.administrator(), domain, clock, key, settings, folder, url }
    }

    /// A second connection to the database, for a look at its rows.
    pub async fn database(&self) -> Database {
        database(self.folder.path(), self.url.as_deref()).await
    }

    /// Sets which tags of a repository may move.
    pub async fn set_mutability(&self, repository: &str, mode: &'static str, filters: &'static str) {
        let repository = repository.to_owned();
        let sql = "UPDATE repositories SET tag_mutability = ?2, mutability_filters = ?3 WHERE name = ?1";
        let write = move |txn: &mut dyn Transaction| txn.execute(sql, parameters![&repository, mode, filters]);
        self.database().await.write(write).await.unwrap();
    }

    /// Puts an image by the rules of ECR.
    pub async fn put(&self, repository: &str, manifest: &[u8], tag: Option<&str>) -> Result<Pushed, Error> {
        let manifest = Bytes::copy_from_slice(manifest);
        let put = PutImage { manifest, media_type: None, digest: None, tag: tag.map(|tag| Tag::parse(tag).unwrap()) };
        self.domain.put_image(&self.admin, &name(repository), put).await
    }

    pub async fn try_blob(&self, repository: &str, bytes: &[u8]) -> Result<Digest, Error> {
        let (repository, digest) = (name(repository), digest(bytes));
        let id = self.domain.begin_upload(&self.admin, &repository, Algorithm::Sha256).await?;
        self.domain.finish_upload(&self.admin, &repository, &id, None, &mut body(bytes), &digest).await?;
        Ok(digest)
    }

    pub async fn blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        self.try_blob(repository, bytes).await.unwrap()
    }

    pub async fn push(&self, repository: &str, at: &str, manifest: &[u8], tags: &[&str]) -> Result<Pushed, Error> {
        let tags = tags.iter().map(|tag| Tag::parse(tag).unwrap()).collect();
        let bytes = Bytes::copy_from_slice(manifest);
        let push = Push { reference: reference(at), tags, content_type: None, bytes };
        self.domain.push_manifest(&self.admin, &name(repository), push).await
    }

    /// An image with its content, under a tag; returns its manifest.
    pub async fn image(&self, repository: &str, tag: &str, config: &[u8], layers: &[&[u8]]) -> Vec<u8> {
        for bytes in layers.iter().chain([&config]) {
            self.blob(repository, bytes).await;
        }
        let manifest = image(config, layers);
        self.push(repository, tag, &manifest, &[]).await.unwrap();
        manifest
    }

    pub async fn tags(&self, repository: &str) -> Vec<String> {
        let page = self.domain.list_tags(&self.admin, &name(repository), "", 1000).await.unwrap();
        page.items.iter().map(|tag| tag.as_str().to_owned()).collect()
    }

    /// How many files the blob store holds, finished or not.
    pub fn files(&self) -> usize {
        count_files(&self.folder.path().join("blobs"))
    }

    pub fn blobs_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("blobs")
    }
}

pub fn count_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { count_files(&path) } else { 1 }).sum()
}

async fn database(folder: &Path, url: Option<&str>) -> Database {
    let Some(url) = url else { return Database::new(SqliteEngine::open(&folder.join("berth.db")).unwrap()) };
    let settings = PostgresSettings {
        url: PostgresUrl::parse(url).unwrap(),
        connections: 8,
        statement_timeout: Duration::from_secs(30),
        tls_ca: None,
    };
    Database::new(PostgresEngine::open(&settings).await.unwrap())
}

async fn open(
    folder: &Path,
    url: Option<&str>,
    settings: &Settings,
    clock: &Arc<TestClock>,
    key: &ServerKey,
) -> Domain {
    Domain::open(parts(folder, url, settings, clock, key).await).await.unwrap()
}

async fn parts(
    folder: &Path,
    url: Option<&str>,
    settings: &Settings,
    clock: &Arc<TestClock>,
    key: &ServerKey,
) -> Parts {
    Parts {
        database: database(folder, url).await,
        blobs: Arc::new(FilesystemStore::open(folder.join("blobs")).unwrap()),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::new(SystemRandom),
        settings: settings.clone(),
        server_key: key.clone(),
        node: "test".to_owned(),
    }
}
