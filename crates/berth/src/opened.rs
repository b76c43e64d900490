//! The data folder, opened: database, blob store, server key, and the domain over them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_domain::seal::ServerKey;
use berth_domain::{Domain, Parts, Settings as Rules};
use berth_store::repositories::Registry;
use berth_store::{BlobKey, BlobStore, Database, StoreError, SystemClock, SystemRandom};
use berth_store_blob::{FilesystemStore, S3Settings, S3Store};
use berth_store_sql::{PostgresEngine, PostgresSettings, SqliteEngine};

use crate::config::Settings;
use crate::config::kinds::DatabaseUrl;
use crate::failure::Failure;

const DATABASE_FILE: &str = "berth.db";
const NODE_FILE: &str = "node.id";
const KEY_FILE: &str = "server.key";
const PASSWORD_VARIABLE: &str = "BERTH_DATABASE_PASSWORD";
const DATABASE_PATIENCE: Duration = Duration::from_mins(1);
const DATABASE_PAUSE: Duration = Duration::from_secs(2);
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
    if settings.database.url.is_none() && !folder.join(DATABASE_FILE).exists() {
        let text = format!("there is no registry in {}: name its folder with --data-dir", folder.display());
        return Err(Failure::Usage(text));
    }
    open_parts(settings).await
}

async fn open_parts(settings: &Settings) -> Result<Domain, Failure> {
    let folder = &settings.storage.data_dir;
    let parts = Parts {
        database: database(settings).await?,
        blobs: blobs(settings).await?,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        settings: rules(settings),
        server_key: server_key(folder)?,
        node: node(folder)?,
    };
    Ok(Domain::open(parts).await?)
}

/// The blob store that the settings choose. A bucket is tried out first.
async fn blobs(settings: &Settings) -> Result<Arc<dyn BlobStore>, Failure> {
    let chosen = &settings.s3;
    if chosen.bucket.is_empty() {
        let files = FilesystemStore::open(settings.storage.data_dir.join("blobs"));
        return Ok(Arc::new(files.map_err(|error| Failure::doing("the blob store cannot be opened", error))?));
    }
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let bucket = S3Settings {
        endpoint: chosen.endpoint.as_ref().map(|url| url.as_str().to_owned()),
        region: some(&chosen.region),
        prefix: chosen.prefix.clone(),
        virtual_hosted_style: chosen.virtual_hosted_style,
        tls_ca: chosen.tls_ca.clone(),
        redirect: chosen.redirect,
        buffer_budget: usize::try_from(chosen.buffer_budget.0).unwrap_or(usize::MAX),
        ..S3Settings::new(&chosen.bucket)
    };
    let failed = |error| {
        let told = format!("the bucket {} cannot be used: check s3.* and the credentials", chosen.bucket);
        Failure::doing(&told, error)
    };
    let store = S3Store::new(&bucket, Arc::new(SystemRandom)).map_err(failed)?;
    if !settings.storage.read_only {
        store.probe().await.map_err(failed)?;
    }
    Ok(Arc::new(store))
}

/// The database that the settings choose.
async fn database(settings: &Settings) -> Result<Database, Failure> {
    let chosen = &settings.database;
    let Some(url) = chosen.url.as_ref().and_then(DatabaseUrl::connection) else {
        let engine = SqliteEngine::open(&settings.storage.data_dir.join(DATABASE_FILE));
        return engine.map(Database::new).map_err(|error| Failure::CouldNotRun(error.to_string()));
    };
    let url = match secret(PASSWORD_VARIABLE)? {
        Some(password) => url.with_password(&password),
        None => url,
    };
    let connections = usize::try_from(chosen.pool).unwrap_or(usize::MAX);
    let (statement_timeout, tls_ca) = (chosen.statement_timeout, chosen.tls_ca.clone());
    postgres(&PostgresSettings { url, connections, statement_timeout, tls_ca }).await
}

/// PostgreSQL, which may still be starting: machines come up in any order.
async fn postgres(settings: &PostgresSettings) -> Result<Database, Failure> {
    let began = tokio::time::Instant::now();
    loop {
        match PostgresEngine::open(settings).await {
            Ok(engine) => return Ok(Database::new(engine)),
            Err(StoreError::Unavailable(reason)) if began.elapsed() < DATABASE_PATIENCE => {
                tracing::warn!(database = %settings.url, reason, "waiting for the database");
                tokio::time::sleep(DATABASE_PAUSE).await;
            }
            Err(error) => return Err(Failure::CouldNotRun(format!("{}: {error}", settings.url))),
        }
    }
}

/// A secret that a variable gives, or the file that the variable with `_FILE` behind its name names.
fn secret(name: &str) -> Result<Option<String>, Failure> {
    if let Some(text) = variable(name) {
        return Ok(Some(text));
    }
    let Some(path) = variable(&format!("{name}_FILE")) else { return Ok(None) };
    let text = fs::read_to_string(&path)
        .map_err(|error| Failure::Usage(format!("{path}, which {name}_FILE names, cannot be read: {error}")))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
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

/// The name of this node, which its data folder keeps.
fn node(folder: &Path) -> Result<String, Failure> {
    let path = folder.join(NODE_FILE);
    match fs::read_to_string(&path) {
        Ok(name) if !name.trim().is_empty() => Ok(name.trim().to_owned()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::doing(&format!("{} cannot be read", path.display()), error))
        }
        Ok(_) | Err(_) => {
            let name = BlobKey::fresh(&SystemRandom).as_str().to_owned();
            fs::write(&path, &name)
                .map_err(|error| Failure::doing(&format!("{} cannot be written", path.display()), error))?;
            Ok(name)
        }
    }
}

fn not_a_key(place: &str) -> Failure {
    Failure::Usage(format!("{place} holds no server key: it is 64 hexadecimal digits, or 32 bytes in base64"))
}
