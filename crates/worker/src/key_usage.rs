//! When access keys were used last, written together.

use std::sync::Arc;
use std::time::Duration;

use berth_domain::Domain;

/// How often it is written.
const EVERY: Duration = Duration::from_mins(1);

/// Writes it for ever.
pub async fn run(domain: Arc<Domain>) {
    loop {
        tokio::time::sleep(EVERY).await;
        write(&domain).await;
    }
}

/// Writes it once.
pub async fn write(domain: &Domain) {
    if let Err(error) = domain.write_key_usage().await {
        tracing::warn!(%error, "when access keys were used last could not be written");
    }
}
