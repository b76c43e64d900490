//! Folders to import from, and a registry to import into.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_store::repositories::Registry as Owner;
use berth_store::{Database, SystemClock, SystemRandom};
use berth_store_blob::FilesystemStore;
use berth_store_sql::SqliteEngine;
use berth_testkit::{Image, Manifest, sha256};
use berth_transfer::Source;
use bytes::Bytes;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::watch;

use super::super::{ImportError, Imported, LeftOut, Options, Progress};
use crate::blobs::Content;
use crate::caller::Caller;
use crate::seal::ServerKey;
use crate::settings::Settings;
use crate::verify::Pace;
use crate::{Domain, Parts};

/// A registry on a folder of its own.
pub struct Registry {
    pub domain: Domain,
    pub stop: watch::Sender<bool>,
    database: Database,
    _folder: TempDir,
}

struct Silent;

impl Progress for Silent {
    fn repository(&self, _: &RepositoryName) {}
    fn read(&self, _: u64) {}
    fn image(&self) {}
    fn left_out(&self, _: &LeftOut) {}
}

#[async_trait::async_trait]
impl Pace for Silent {
    async fn hashed(&mut self, _: u64) {}
}

fn settings() -> Settings {
    Settings::new(Owner {
        account: berth_aws::AccountId::parse("000000000000").unwrap(),
        region: berth_aws::Region::parse("us-east-1").unwrap(),
    })
}

impl Registry {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings();
        change(&mut settings);
        let database = Database::new(SqliteEngine::open(&folder.path().join("berth.db")).unwrap());
        let parts = Parts {
            database: database.clone(),
            blobs: Arc::new(FilesystemStore::open(folder.path().join("blobs")).unwrap()),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            settings,
            server_key: ServerKey::generate(&SystemRandom),
            node: "test".to_owned(),
        };
        let domain = Domain::open(parts).await.unwrap();
        Self { domain, stop: watch::channel(false).0, database, _folder: folder }
    }

    /// An import that comes to its end.
    pub async fn import(&self, source: &dyn Source, options: &Options) -> Imported {
        let (imported, outcome) = self.try_import(source, options).await;
        outcome.unwrap();
        imported
    }

    pub async fn try_import(&self, source: &dyn Source, options: &Options) -> (Imported, Result<(), ImportError>) {
        self.import_as(&self.domain.administrator(), source, options).await
    }

    pub async fn import_as(
        &self,
        caller: &Caller,
        source: &dyn Source,
        options: &Options,
    ) -> (Imported, Result<(), ImportError>) {
        self.domain.import(caller, source, options, &Silent, self.stop.subscribe()).await
    }

    pub async fn manifest(&self, repository: &str, digest: &str) -> Option<Bytes> {
        let (name, reference) = (RepositoryName::parse(repository).unwrap(), Reference::parse(digest).unwrap());
        let found = self.domain.get_manifest(&self.domain.administrator(), &name, &reference).await;
        found.ok().map(|(_, bytes)| bytes)
    }

    pub async fn digest_of(&self, repository: &str, tag: &str) -> Option<String> {
        let (name, tag) = (RepositoryName::parse(repository).unwrap(), Tag::parse(tag).unwrap());
        let found = self.domain.resolve(&self.domain.administrator(), &name, &Reference::Tag(tag)).await;
        found.ok().map(|found| found.digest.to_string())
    }

    pub async fn blob(&self, repository: &str, digest: &str) -> Option<Vec<u8>> {
        use futures_util::TryStreamExt as _;
        let (name, digest) = (RepositoryName::parse(repository).unwrap(), Digest::parse(digest).unwrap());
        let blob = self.domain.get_blob(&self.domain.administrator(), &name, &digest).await.ok()?;
        match self.domain.read_blob(&blob, 0, blob.size()).await.ok()? {
            Content::Bytes(bytes) => Some(bytes.to_vec()),
            Content::Stored(read) => {
                let chunks: Vec<Bytes> = berth_store::blob_store::chunks(read).try_collect().await.ok()?;
                Some(chunks.concat())
            }
        }
    }

    pub async fn referrers(&self, repository: &str, subject: &str) -> Vec<String> {
        let (name, subject) = (RepositoryName::parse(repository).unwrap(), Digest::parse(subject).unwrap());
        let page = self.domain.referrers(&self.domain.administrator(), &name, &subject, None, "").await.unwrap();
        page.items.iter().map(|referrer| referrer.digest.to_string()).collect()
    }

    /// What a verification finds wrong, and files that nothing owns.
    pub async fn findings(&self) -> usize {
        let verified = self.domain.verify(&mut Silent).await.unwrap();
        verified.findings.len() + usize::try_from(verified.unowned_keys).unwrap()
    }

    pub async fn open_uploads(&self) -> u64 {
        let account = self.domain.settings().registry.account.clone();
        let count = self.database.read(move |txn| berth_store::uploads::count(txn, &account, 1000)).await;
        count.unwrap()
    }
}

/// An OCI image layout.
pub struct Layout(TempDir);

impl Layout {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        std::fs::create_dir_all(folder.path().join("blobs/sha256")).unwrap();
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn blob_path(&self, digest: &str) -> PathBuf {
        self.path().join("blobs").join(digest.replace(':', "/"))
    }

    pub fn add_blob(&self, bytes: &[u8]) {
        self.overwrite(&sha256(bytes), bytes);
    }

    pub fn overwrite(&self, digest: &str, bytes: &[u8]) {
        std::fs::write(self.blob_path(digest), bytes).unwrap();
    }

    pub fn remove_blob(&self, digest: &str) {
        std::fs::remove_file(self.blob_path(digest)).unwrap();
    }

    pub fn add_manifest(&self, manifest: &Manifest) {
        self.add_blob(&manifest.bytes);
    }

    pub fn add_image(&self, image: &Image) {
        image.blobs().for_each(|blob| self.add_blob(blob));
        self.add_manifest(&image.manifest);
    }

    /// Writes the index of these manifests and their tags.
    pub fn list(&self, manifests: &[(&Manifest, Option<&str>)]) {
        let described = manifests.iter().map(|(manifest, tag)| {
            let mut descriptor = manifest.descriptor();
            if let Some(tag) = tag {
                descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
            }
            descriptor
        });
        let index = json!({"schemaVersion": 2, "manifests": described.collect::<Vec<_>>()});
        std::fs::write(self.path().join("index.json"), index.to_string()).unwrap();
    }
}

/// A storage folder of CNCF Distribution.
pub struct Distribution(TempDir);

impl Distribution {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn inner(&self) -> PathBuf {
        self.path().join("docker/registry/v2")
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.inner().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn add_data(&self, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        let hex = &digest["sha256:".len()..];
        self.write(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]), bytes);
        digest
    }

    pub fn add_manifest(&self, repository: &str, manifest: &Manifest) -> String {
        let digest = self.add_data(&manifest.bytes);
        self.link_revision(repository, &digest, &digest);
        digest
    }

    pub fn add_image(&self, repository: &str, image: &Image, tags: &[&str]) {
        for blob in image.blobs() {
            let digest = self.add_data(blob);
            self.write(&layer_link(repository, &digest), digest.as_bytes());
        }
        let digest = self.add_manifest(repository, &image.manifest);
        for tag in tags {
            self.write_tag(repository, tag, digest.as_bytes());
        }
    }

    /// The link of a revision, which may lead elsewhere.
    pub fn link_revision(&self, repository: &str, digest: &str, to: &str) {
        let hex = digest.replace(':', "/");
        self.write(&format!("repositories/{repository}/_manifests/revisions/{hex}/link"), to.as_bytes());
    }

    /// What the deletion of a manifest leaves.
    pub fn delete_revision(&self, repository: &str, digest: &str) {
        let hex = digest.replace(':', "/");
        let link = self.inner().join(format!("repositories/{repository}/_manifests/revisions/{hex}/link"));
        std::fs::remove_file(link).unwrap();
    }

    pub fn write_tag(&self, repository: &str, tag: &str, link: &[u8]) {
        self.write(&format!("repositories/{repository}/_manifests/tags/{tag}/current/link"), link);
    }

    pub fn unlink_layer(&self, repository: &str, digest: &str) {
        std::fs::remove_file(self.inner().join(layer_link(repository, digest))).unwrap();
    }
}

fn layer_link(repository: &str, digest: &str) -> String {
    format!("repositories/{repository}/_layers/{}/link", digest.replace(':', "/"))
}
