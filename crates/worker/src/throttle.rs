//! Nodes tell each other what they are asked for, so that together they keep to the quotas.

use std::sync::Arc;
use std::time::Duration;

use berth_domain::Domain;

/// How often they do.
const EVERY: Duration = Duration::from_secs(1);

/// Does it for ever. Where there are no quotas, there is nothing to do, and settings do not change while the server runs.
pub async fn run(domain: Arc<Domain>) {
    if domain.settings().throttle.is_off() {
        return;
    }
    let mut was_away = false;
    loop {
        let told = domain.share_quotas().await;
        if let Err(error) = &told
            && !was_away
        {
            tracing::warn!(%error, "nodes cannot tell each other what they are asked for; each goes on with its last share");
        }
        was_away = told.is_err();
        tokio::time::sleep(EVERY).await;
    }
}
