//! The data folder, opened: database, blob store, server key, and the domain over them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_domain::audit::AuditSettings;
use berth_domain::failed_logins::Allowance;
use berth_domain::seal::ServerKey;
use berth_domain::settings::{Endpoint, Federation};
use berth_domain::throttle::Rules as Quotas;
use berth_domain::{Domain, Parts, Settings as Rules};
use berth_store::repositories::Registry;
use berth_store::{BlobKey, Database, StoreError, SystemClock, SystemRandom};
use berth_store_sql::{PostgresEngine, PostgresSettings, SqliteEngine};
use berth_transfer::outbound::{self, AddressRules, Outbound};

use rustix::fs::{FlockOperation, flock};

use crate::config::Settings;
use crate::config::kinds::{Challenge, DatabaseUrl, Network};
use crate::failure::Failure;
use crate::stores;

const DATABASE_FILE: &str = "berth.db";
/// What a pull reads whole and checks before it sends any of it.
const MOST_INLINE: u64 = 64 * 1024;
const NODE_FILE: &str = "node.id";
const KEY_FILE: &str = "server.key";
const PASSWORD_VARIABLE: &str = "BERTH_DATABASE_PASSWORD";
const DATABASE_PATIENCE: Duration = Duration::from_mins(1);
const DATABASE_PAUSE: Duration = Duration::from_secs(2);
const KEY_VARIABLE: &str = "BERTH_SERVER_KEY";
const KEY_FILE_VARIABLE: &str = "BERTH_SERVER_KEY_FILE";

/// Opens the data folder and makes what is missing of it.
pub async fn create(settings: &Settings) -> Result<Domain, Failure> {
    make_folder(&settings.storage.data_dir)?;
    open_parts(settings).await
}

/// The same for serving by listeners of which the domain has to know something.
pub async fn serving(settings: &Settings, endpoints: BTreeMap<String, Endpoint>) -> Result<Domain, Failure> {
    make_folder(&settings.storage.data_dir)?;
    let mut parts = parts(settings).await?;
    parts.settings.endpoints = endpoints;
    open(parts, settings).await
}

/// Opens a data folder that is there.
pub async fn existing(settings: &Settings) -> Result<Domain, Failure> {
    existing_with(settings, BTreeMap::new()).await
}

/// The same with private endpoints that the domain is asked about.
pub async fn existing_with(settings: &Settings, endpoints: BTreeMap<String, Endpoint>) -> Result<Domain, Failure> {
    let folder = &settings.storage.data_dir;
    if settings.database.url.is_none() && !folder.join(DATABASE_FILE).exists() {
        let text = format!("there is no registry in {}: name its folder with --data-dir", folder.display());
        return Err(Failure::Usage(text));
    }
    let mut parts = parts(settings).await?;
    parts.settings.endpoints = endpoints;
    open(parts, settings).await
}

/// What a registry is made of, before it is one; nobody else may use the data folder meanwhile.
pub async fn parts_for_restore(settings: &Settings) -> Result<(Parts, fs::File), Failure> {
    let folder = &settings.storage.data_dir;
    make_folder(folder)?;
    let lock = lock(folder)?;
    Ok((parts(settings).await?, lock))
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)
        .map_err(|error| Failure::doing(&format!("cannot make the data folder {}", folder.display()), error))
}

async fn open_parts(settings: &Settings) -> Result<Domain, Failure> {
    open(parts(settings).await?, settings).await
}

async fn open(parts: Parts, settings: &Settings) -> Result<Domain, Failure> {
    let domain = Domain::open(parts).await?;
    domain.reach_by(Arc::new(outbound(settings)?));
    Ok(domain)
}

/// Who asks servers at addresses that people give.
fn outbound(settings: &Settings) -> Result<Outbound, Failure> {
    let chosen = &settings.outbound;
    let network = |network: &Network| outbound::Network { address: network.address, prefix: network.prefix };
    let rules = AddressRules::new(chosen.allowed_networks.iter().map(network).collect());
    Outbound::new(rules, chosen.tls_ca.as_deref())
        .map_err(|error| Failure::Usage(format!("outbound.tls_ca cannot be used: {error}")))
}

async fn parts(settings: &Settings) -> Result<Parts, Failure> {
    let folder = &settings.storage.data_dir;
    Ok(Parts {
        database: database(settings).await?,
        blobs: stores::open(settings).await?,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        settings: rules(settings),
        server_key: server_key(folder)?,
        node: node(folder)?,
    })
}

/// One process per data folder.
pub fn lock(folder: &Path) -> Result<fs::File, Failure> {
    let path = folder.join("berth.lock");
    let failed = |error: std::io::Error| Failure::doing(&format!("{} cannot be opened", path.display()), error);
    let mut file =
        fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        let text =
            format!("{} is in use by process {}: stop it, or use another --data-dir", folder.display(), holder.trim());
        return Err(Failure::CouldNotRun(text));
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
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
pub fn secret(name: &str) -> Result<Option<String>, Failure> {
    if let Some(text) = variable(name) {
        return Ok(Some(text));
    }
    let Some(path) = variable(&format!("{name}_FILE")) else { return Ok(None) };
    let text = fs::read_to_string(&path)
        .map_err(|error| Failure::Usage(format!("{path}, which {name}_FILE names, cannot be read: {error}")))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Where SAML assertions are sent to: as it was said, and to this server by its own name.
fn saml_recipients(settings: &Settings) -> Vec<String> {
    let own = settings.server.public_url.as_ref().map(|url| format!("{}/saml", url.as_str().trim_end_matches('/')));
    settings.federation.saml_recipients.iter().cloned().chain(own).collect()
}

fn rules(settings: &Settings) -> Rules {
    let registry = &settings.registry;
    Rules {
        registry: Registry { account: registry.account.clone(), region: registry.region.clone() },
        regions: registry.regions.clone(),
        host: registry.host.clone(),
        create_on_push: settings.repositories.create_on_push,
        allow_sparse_indexes: registry.allow_sparse_indexes,
        anonymous_pull: settings.auth.anonymous_pull.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        hands_out_tokens: match settings.auth.challenge {
            Challenge::Auto => !settings.auth.anonymous_pull.is_empty(),
            Challenge::Basic => false,
            Challenge::Bearer => true,
        },
        clock_skew: settings.auth.clock_skew,
        throttle: Quotas { profile: settings.throttle.profile, rates: settings.throttle.rates.clone() },
        failed_logins: Allowance {
            of_pair: settings.auth.failed_logins,
            of_address: settings.auth.failed_logins_of_address,
        },
        saml_audiences: settings.federation.saml_audiences.clone(),
        saml_recipients: saml_recipients(settings),
        read_only: settings.storage.read_only,
        free_space_minimum: settings.storage.free_space_minimum.0,
        inline_blob_bytes: settings.storage.inline_blobs.0.min(MOST_INLINE),
        layer_bytes: settings.limits.layer_bytes.0,
        repository_bytes: settings.limits.repository_bytes.0,
        account_bytes: settings.limits.account_bytes.0,
        open_uploads: settings.limits.open_uploads,
        repositories_limit: settings.limits.repositories,
        creation_templates: settings.limits.creation_templates,
        pull_through_rules: settings.limits.pull_through_rules,
        pull_time_exclusions: settings.limits.pull_time_exclusions,
        images_per_repository: settings.limits.images_per_repository,
        tags_per_image: settings.limits.tags_per_image,
        upload_parts: settings.limits.upload_parts,
        gc_grace: settings.gc.grace,
        upload_ttl: settings.uploads.ttl,
        endpoints: BTreeMap::new(),
        audit: audit(settings),
        federation: federation(settings),
    }
}

fn federation(settings: &Settings) -> Federation {
    let federation = &settings.federation;
    Federation {
        stale_keys: federation.stale_keys,
        key_files: federation.key_files.iter().map(|file| (file.issuer.clone(), file.path.clone())).collect(),
    }
}

fn audit(settings: &Settings) -> AuditSettings {
    let audit = &settings.audit;
    AuditSettings {
        enabled: audit.enabled,
        reads_per_million: audit.reads.0,
        retention: audit.retention,
        reads_retention: audit.reads_retention,
        exported: audit.export_dir.is_some(),
    }
}

/// Whether there is a server key, so that none would have to be made.
pub fn has_server_key(settings: &Settings) -> bool {
    let given = variable(KEY_VARIABLE).or_else(|| variable(KEY_FILE_VARIABLE)).is_some();
    given || settings.storage.data_dir.join(KEY_FILE).exists()
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

/// The file has its name when it is whole: a start that is cut off leaves no key rather than half of one.
fn make_key(path: &Path) -> Result<ServerKey, Failure> {
    let failed = |error| Failure::doing(&format!("the server key {} cannot be written", path.display()), error);
    let key = ServerKey::generate(&SystemRandom);
    let part = path.with_extension("key.new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(failed)?;
    file.write_all(key.reveal().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&part, path).map_err(failed)?;
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
