//! The data folder, opened: database, blob store, server key, and the domain over them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use berth_domain::seal::ServerKey;
use berth_domain::{Domain, Parts, Settings as Rules};
use berth_store::repositories::Registry;
use berth_store::{Database, SystemClock, SystemRandom};
use berth_store_blob::FilesystemStore;
use berth_store_sql::SqliteEngine;

use crate::config::Settings;
use crate::failure::Failure;

const KEY_FILE: &str = "server.key";
const KEY_VARIABLE: &str = "BERTH_SERVER_KEY";
const KEY_FILE_VARIABLE: &str = "BERTH_SERVER_KEY_FILE";

/// Opens the data folder and makes what is missing of it.
pub async fn create(settings: &Settings) -> Result<Domain, Failure> {
    let folder = &settings.storage.data_dir;
    fs::create_dir_all(folder)
        .map_err(|error| Failure::doing(&format!("cannot make the data folder {}", folder.display()), error))?;
    open_parts(settings).await
}

/// Opens a data folder that is there.
pub async fn existing(settings: &Settings) -> Result<Domain, Failure> {
    let folder = &settings.storage.data_dir;
    if !folder.join("berth.db").exists() {
        let text = format!("there is no registry in {}: name its folder with --data-dir", folder.display());
        return Err(Failure::Usage(text));
    }
    open_parts(settings).await
}

async fn open_parts(settings: &Settings) -> Result<Domain, Failure> {
    let folder = &settings.storage.data_dir;
    let engine =
        SqliteEngine::open(&folder.join("berth.db")).map_err(|error| Failure::CouldNotRun(error.to_string()))?;
    let blobs = FilesystemStore::open(folder.join("blobs"))
        .map_err(|error| Failure::doing("the blob store cannot be opened", error))?;
    let parts = Parts {
        database: Database::new(engine),
        blobs: Arc::new(blobs),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        settings: rules(settings),
        server_key: server_key(folder)?,
    };
    Ok(Domain::open(parts).await?)
}

fn rules(settings: &Settings) -> Rules {
    let registry = &settings.registry;
    Rules {
        registry: Registry { account: registry.account.clone(), region: registry.region.clone() },
        create_on_push: registry.create_on_push,
        allow_sparse_indexes: registry.allow_sparse_indexes,
        anonymous_pull: settings.auth.anonymous_pull.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        read_only: settings.storage.read_only,
        free_space_minimum: settings.storage.free_space_minimum.0,
        layer_bytes: settings.limits.layer_bytes.0,
        repository_bytes: settings.limits.repository_bytes.0,
        account_bytes: settings.limits.account_bytes.0,
        open_uploads: settings.limits.open_uploads,
        gc_grace: settings.gc.grace,
        upload_ttl: settings.uploads.ttl,
    }
}

/// The server key: from the environment, or from its file, which is made at first start.
fn server_key(folder: &Path) -> Result<ServerKey, Failure> {
    if let Some(text) = variable(KEY_VARIABLE) {
        return ServerKey::parse(&text).ok_or_else(|| not_a_key(KEY_VARIABLE));
    }
    let named = variable(KEY_FILE_VARIABLE);
    let path = named.as_ref().map_or_else(|| folder.join(KEY_FILE), std::path::PathBuf::from);
    match fs::read_to_string(&path) {
        Ok(text) => ServerKey::parse(&text).ok_or_else(|| not_a_key(&path.display().to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => make_key(&path),
        Err(error) => Err(Failure::Usage(format!("the server key {} cannot be read: {error}", path.display()))),
    }
}

/// A variable of the environment that is set and not empty.
#[allow(clippy::disallowed_methods, reason = "secrets come by environment alone, never by the configuration")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn make_key(path: &Path) -> Result<ServerKey, Failure> {
    let failed = |error| Failure::doing(&format!("the server key {} cannot be written", path.display()), error);
    let key = ServerKey::generate(&SystemRandom);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(key.reveal().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    if let Some(folder) = path.parent() {
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    }
    Ok(key)
}

fn not_a_key(place: &str) -> Failure {
    Failure::Usage(format!("{place} holds no server key: it is 64 hexadecimal digits, or 32 bytes in base64"))
}
