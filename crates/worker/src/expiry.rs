//! Uploads whose lease has ended.

use std::sync::Arc;
use std::time::Duration;

use berth_domain::Domain;

/// How often uploads are looked at.
const EVERY: Duration = Duration::from_secs(30);

/// Takes away expired uploads for ever.
pub async fn run(domain: Arc<Domain>) {
    loop {
        match domain.expire_uploads().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "expired uploads were taken away"),
            Err(error) => tracing::error!(%error, "expired uploads could not be taken away; trying again"),
        }
        report(&domain).await;
        tokio::time::sleep(EVERY).await;
    }
}

#[allow(clippy::cast_precision_loss, reason = "figures of a gauge need no more than 53 bits")]
async fn report(domain: &Domain) {
    if let Ok((count, bytes)) = domain.blob_totals().await {
        metrics::gauge!("berth_blobs").set(count as f64);
        metrics::gauge!("berth_blob_bytes").set(bytes as f64);
    }
    if let Ok(count) = domain.repository_count().await {
        metrics::gauge!("berth_repositories").set(count as f64);
    }
    if let Ok(Some(free)) = domain.free_space().await {
        metrics::gauge!("berth_storage_free_bytes").set(free as f64);
    }
}
