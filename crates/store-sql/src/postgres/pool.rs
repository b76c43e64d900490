//! The connections of one node.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use berth_store::StoreError;
use deadpool_postgres::{Manager, ManagerConfig, PoolError, RecyclingMethod, Runtime};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection::Connection;
use super::error::NoConnection;
use super::settings::PostgresSettings;

/// How long a function waits for a connection that others use.
const WAIT: Duration = Duration::from_secs(10);

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the network may be silent about bytes that were sent.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// How much longer than the server's own limit an answer is waited for.
const LATE: Duration = Duration::from_secs(5);

/// How long a transaction that writes may stand still: its node was stopped, and others wait for its rows.
const IDLE_WRITER: Duration = Duration::from_secs(30);

/// The connections of one node, opened when they are needed.
pub(super) struct Pool {
    connections: deadpool_postgres::Pool,
    patience: Duration,
    turns: AtomicU32,
}

impl Pool {
    pub(super) fn new(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let manager = Manager::from_config(
            connection_config(settings),
            MakeRustlsConnect::new(tls(settings)?),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(settings.connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(CONNECT))
            .recycle_timeout(Some(CONNECT))
            .build()
            .map_err(|error| StoreError::Open(error.to_string()))?;
        Ok(Self { connections, patience: settings.statement_timeout + LATE, turns: AtomicU32::new(0) })
    }

    /// A connection that nobody else uses until it is dropped.
    pub(super) async fn connection(&self) -> Result<Connection, NoConnection> {
        match self.connections.get().await {
            Ok(pooled) => Ok(Connection::new(pooled, self.patience)),
            Err(PoolError::Timeout(deadpool_postgres::TimeoutType::Wait)) => {
                Err(NoConnection::Busy(StoreError::Unavailable("all connections to it are busy".to_owned())))
            }
            Err(PoolError::Backend(error)) => Err(NoConnection::because(&error)),
            Err(error) => Err(NoConnection::Unreachable(StoreError::Unavailable(error.to_string()))),
        }
    }

    /// A number from 0 to 1, another one each time.
    pub(super) fn spread(&self) -> f64 {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id());
        // Multiples of the golden ratio fall far from each other.
        (f64::from(turn) * 0.618_033_988_749_895).fract()
    }
}

fn connection_config(settings: &PostgresSettings) -> Config {
    let mut config = settings.url.config.clone();
    let milliseconds = settings.statement_timeout.as_millis();
    let own = format!(
        "-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout={} -c timezone=UTC",
        IDLE_WRITER.as_millis()
    );
    let given = config.get_options().map(|given| format!("{given} ")).unwrap_or_default();
    config
        .options(format!("{given}{own}"))
        .application_name("berth")
        .connect_timeout(CONNECT)
        .tcp_user_timeout(UNACKNOWLEDGED)
        .keepalives(true)
        .keepalives_idle(UNACKNOWLEDGED)
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3);
    // Of several hosts the one that takes writes is the one to use.
    if config.get_hosts().len() > 1 {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    config
}

fn tls(settings: &PostgresSettings) -> Result<ClientConfig, StoreError> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| StoreError::Open(error.to_string()))?;
    Ok(builder.with_root_certificates(authorities(settings)?).with_no_client_auth())
}

fn authorities(settings: &PostgresSettings) -> Result<RootCertStore, StoreError> {
    let mut store = RootCertStore::empty();
    let Some(path) = &settings.tls_ca else {
        if settings.url.config.get_ssl_mode() != SslMode::Disable {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        return Ok(store);
    };
    let failed = |reason: String| StoreError::Open(format!("database.tls_ca {}: {reason}", path.display()));
    let text = fs::read(path).map_err(|error| failed(error.to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        store.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(failed("it holds no certificate in PEM".to_owned()));
    }
    Ok(store)
}
