//! When images were pulled last, written together.

use std::sync::Arc;
use std::time::Duration;

use berth_domain::Domain;

/// How often it is written.
const EVERY: Duration = Duration::from_secs(10);

/// Writes it for ever.
pub async fn run(domain: Arc<Domain>) {
    loop {
        tokio::time::sleep(EVERY).await;
        write(&domain).await;
    }
}

/// Writes it once.
pub async fn write(domain: &Domain) {
    if let Err(error) = domain.write_pull_times().await {
        tracing::warn!(%error, "when images were pulled last could not be written; trying again");
    }
}
