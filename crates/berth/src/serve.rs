//! `berth serve`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use berth_aws::{AccessKeyId, SecretAccessKey};
use berth_domain::Domain;
use berth_domain::administrator::AccessKey;
use berth_http::aws::{AwsDoor, AwsOnly};
use berth_http::front::{Front, MetricsOnly, RenderMetrics};
use berth_http::server::{ContinueTrace, Server, ServerSettings, settle_figures};
use berth_worker::audit::Heads;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::audit_head::HeadFile;
use crate::config::Settings;
use crate::config::kinds::LogFormat;
use crate::failure::Failure;
use crate::listeners::{self, listen_address};
use crate::signals::Signals;
use crate::{audit, file_limit, logging, opened, output, telemetry};

const ID_VARIABLE: &str = "BERTH_ADMIN_ACCESS_KEY_ID";
const SECRET_VARIABLE: &str = "BERTH_ADMIN_SECRET_ACCESS_KEY";
/// Bounds of the latency histogram, in seconds.
const LATENCIES: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// How long background work may take to let go when the server ends.
const GOODBYE: Duration = Duration::from_secs(5);
/// How often what threads counted is brought together, and recorded durations are sorted into the histogram.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves until a signal says stop.
pub async fn run(settings: &Settings, access: logging::Access) -> Result<(), Failure> {
    let files = file_limit::raise();
    let signals = Signals::listen()?;
    let folder = &settings.storage.data_dir;
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::doing(&format!("cannot make the data folder {}", folder.display()), error))?;
    let _lock = opened::lock(&settings.storage.data_dir)?;
    let render = settings.metrics.enabled.then(record_metrics).transpose()?;
    let (endpoints, policies) = listeners::endpoints(settings)?;
    let domain = Arc::new(opened::serving(settings, endpoints).await?);
    give_back_claims(&domain).await;
    let made = administrator_key(&domain).await?;
    let draining = Arc::new(AtomicBool::new(false));
    let own_door = render.clone().filter(|_| settings.metrics.listen.is_none());
    let front = Arc::new(Front::new(Arc::clone(&domain), own_door, Arc::clone(&draining)));
    let started = |error: berth_http::server::ServerError| Failure::CouldNotRun(error.to_string());
    let further = listeners::further(settings, &domain, &front);
    let server = Server::bind_all(server_settings(settings, files, access.clone()), front, further).map_err(started)?;
    let figures = match (&settings.metrics.listen, render) {
        (Some(address), Some(render)) => {
            let listen = vec![listen_address(address)];
            let own = ServerSettings { listen, access_log: access.clone(), ..ServerSettings::default() };
            Some(Server::bind(own, Arc::new(MetricsOnly(render))).map_err(started)?)
        }
        _ => None,
    };
    let apis = match &settings.api.listen {
        Some(address) => {
            let listen = vec![listen_address(address)];
            let own = ServerSettings { listen, ..server_settings(settings, files, access.clone()) };
            Some(Server::bind(own, Arc::new(AwsOnly(AwsDoor::new(Arc::clone(&domain))))).map_err(started)?)
        }
        None => None,
    };
    let urls = server.urls();
    let url = urls.first().map_or("", String::as_str);
    if let Some(key) = made {
        show_key(&key, url, settings.log.format);
    }
    warn_of_open_doors(settings);
    let heads: Arc<dyn Heads> = Arc::new(HeadFile::of(folder));
    let (mut background, mut recording) = (background_work(settings, &domain), JoinSet::new());
    recording.spawn(berth_worker::key_usage::run(Arc::clone(&domain)));
    recording.spawn(berth_worker::pull_times::run(Arc::clone(&domain)));
    if settings.audit.enabled {
        recording.spawn(berth_worker::audit::run(Arc::clone(&domain), Arc::clone(&heads)));
    }
    background.spawn(listeners::watch(policies));
    for other in [figures, apis].into_iter().flatten() {
        tracing::info!(urls = other.urls().join(" "), "serving beside");
        background.spawn(async move { drop(other.run(std::future::pending()).await) });
    }
    output::result(&format!("berth ready url={url}"));
    tracing::info!(urls = urls.join(" "), "serving");
    server.run(signals.stop(draining)).await.map_err(started)?;
    end(background).await;
    if audit::target(settings).is_some() {
        berth_worker::audit_export::finish(&domain).await;
    }
    // What notes things goes on until what it has taken is written, too.
    berth_worker::key_usage::write(&domain).await;
    berth_worker::pull_times::write(&domain).await;
    if settings.audit.enabled {
        berth_worker::audit::finish(&domain, &heads).await;
    }
    end(recording).await;
    tracing::info!("stopped");
    Ok(())
}

/// Uploads that this node was writing to when it ended are free for every node again. Where that fails, they become so after a
/// minute.
async fn give_back_claims(domain: &Domain) {
    match domain.give_back_claims().await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "gave back the uploads that this node held before it ended"),
        Err(error) => {
            tracing::warn!(%error, "the uploads that this node held before it ended stay its own for a minute");
        }
    }
}

/// What happens without anybody asking for it, and may be cut off; it goes on for ever.
fn background_work(settings: &Settings, domain: &Arc<Domain>) -> JoinSet<()> {
    let mut work = JoinSet::new();
    work.spawn(berth_worker::expiry::run(Arc::clone(domain)));
    work.spawn(berth_worker::throttle::run(Arc::clone(domain)));
    work.spawn(berth_worker::memory::run());
    work.spawn(every(UPKEEP, settle_figures));
    if let Some(export) = audit::target(settings) {
        work.spawn(berth_worker::audit_export::run(Arc::clone(domain), export, settings.audit.export_interval));
    }
    if settings.scrub.enabled {
        let pace = berth_worker::scrub::Pace { rate: settings.scrub.rate.0, interval: settings.scrub.interval };
        work.spawn(berth_worker::scrub::run(Arc::clone(domain), pace));
    }
    if settings.gc.enabled && !settings.storage.read_only {
        work.spawn(berth_worker::gc::run(Arc::clone(domain), settings.gc.interval));
    }
    work
}

/// Ends background work before the runtime goes, which it may not see.
async fn end(mut work: JoinSet<()>) {
    if timeout(GOODBYE, work.shutdown()).await.is_err() {
        tracing::warn!("background work did not end in time");
    }
}

async fn every(span: Duration, work: impl Fn()) {
    let mut ticks = tokio::time::interval(span);
    loop {
        ticks.tick().await;
        work();
    }
}

fn record_metrics() -> Result<RenderMetrics, Failure> {
    let latency = Matcher::Full("berth_http_request_duration_seconds".to_owned());
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(latency, LATENCIES)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| Failure::doing("figures cannot be recorded", error))?;
    // What was measured is kept value by value until this sorts it into its buckets.
    let upkeep = handle.clone();
    tokio::spawn(every(UPKEEP, move || upkeep.run_upkeep()));
    Ok(Arc::new(move || {
        settle_figures();
        handle.run_upkeep();
        handle.render()
    }))
}

/// Sets the key that the environment gives, or makes one at first start, which is returned for showing it.
async fn administrator_key(domain: &Domain) -> Result<Option<AccessKey>, Failure> {
    match (opened::variable(ID_VARIABLE), opened::variable(SECRET_VARIABLE)) {
        (None, None) => Ok(domain.ensure_administrator_key().await?),
        (Some(id), Some(secret)) => {
            let wrong = |name, error| Failure::Usage(format!("{name}: {error}"));
            let id = AccessKeyId::parse(&id).map_err(|error| wrong(ID_VARIABLE, error))?;
            let secret = SecretAccessKey::parse(&secret).map_err(|error| wrong(SECRET_VARIABLE, error))?;
            domain.set_administrator_key(AccessKey { id, secret }).await?;
            Ok(None)
        }
        _ => Err(Failure::Usage(format!("set both {ID_VARIABLE} and {SECRET_VARIABLE}, or neither"))),
    }
}

/// Shows the key that was made, on standard error but past the log.
fn show_key(key: &AccessKey, url: &str, format: LogFormat) {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    let (id, secret) = (&key.id, key.secret.reveal());
    if format == LogFormat::Json {
        let message = "the administrator's access key was made; it is shown this once";
        let shown = json!({ "message": message, "access_key_id": id.as_str(), "secret_access_key": secret });
        return output::notice(&shown.to_string());
    }
    output::notice(&format!(
        "\n  The administrator's access key was made. It is shown this once:\n\n    \
         access key id      {id}\n    secret access key  {secret}\n\n  Log in with:\n\n    \
         docker login --username {id} {host}\n\n  `berth admin reset-key` makes a new one if it gets lost.\n"
    ));
}

/// What an operator may have overlooked.
fn warn_of_open_doors(settings: &Settings) {
    let server = &settings.server;
    let of_server = (&server.tls_cert, &server.trusted_proxies, &server.listen);
    let named = settings.listeners.iter().map(|own| (&own.tls_cert, &own.trusted_proxies, &own.listen));
    for (tls_cert, trusted_proxies, listen) in std::iter::once(of_server).chain(named) {
        let is_plain = tls_cert.is_none() && trusted_proxies.is_empty();
        if is_plain && let Some(address) = listen.iter().find(|address| !address.is_local()) {
            tracing::warn!(%address, "other machines reach this address without TLS: whoever listens sees credentials");
        }
    }
    if let Some(address) = settings.metrics.listen.as_ref().filter(|address| !address.is_local()) {
        tracing::warn!(%address, "other machines reach the figures without login");
    }
}

fn server_settings(settings: &Settings, files: Option<u64>, access_log: logging::Access) -> ServerSettings {
    let server = &settings.server;
    ServerSettings {
        listen: server.listen.iter().map(listen_address).collect(),
        tls: listeners::tls(server.tls_cert.as_ref(), server.tls_key.as_ref()),
        tls_versions: server.tls_versions.iter().copied().map(listeners::tls_version).collect(),
        client_certificates: listeners::clients(
            server.client_certificates,
            server.client_ca.as_ref(),
            &server.client_names,
        ),
        proxy_protocol: listeners::proxy_protocol(server.proxy_protocol),
        header_timeout: server.header_timeout,
        body_timeout: server.body_timeout,
        idle_timeout: server.idle_timeout,
        minimum_rate: server.minimum_rate.0,
        max_connections: usize::try_from(file_limit::connections(server.max_connections, files)).unwrap_or(usize::MAX),
        max_header_bytes: usize::try_from(server.max_header_bytes.0).unwrap_or(usize::MAX),
        shutdown_timeout: server.shutdown_timeout,
        trusted_proxies: listeners::networks(&server.trusted_proxies),
        public_url: server.public_url.as_ref().map(|url| url.as_str().to_owned()),
        access_log,
        continue_trace: settings.telemetry.otlp_endpoint.as_ref().map(|_| telemetry::continue_trace as ContinueTrace),
        ..ServerSettings::default()
    }
}
