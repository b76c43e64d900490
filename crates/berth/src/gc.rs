//! `berth gc`.

use async_trait::async_trait;
use berth_domain::garbage::{Collected, Collector, Garbage};
use serde_json::json;

use crate::config::Settings;
use crate::failure::Failure;
use crate::{opened, output};

/// Collects garbage once, or only tells what would go.
pub async fn run(settings: &Settings, dry_run: bool, as_json: bool) -> Result<(), Failure> {
    let domain = opened::existing(settings).await?;
    let mut told = Told { as_json, dry_run };
    let collected = domain.collect_garbage(dry_run, &mut told).await?;
    output::result(&if as_json { json!(collected).to_string() } else { sum(collected, dry_run) });
    Ok(())
}

fn sum(collected: Collected, dry_run: bool) -> String {
    let Collected { links, blobs, keys, bytes, multiparts } = collected;
    let went = if dry_run { "would go" } else { "went" };
    let parts = if multiparts > 0 { format!(", and {multiparts} abandoned multipart uploads") } else { String::new() };
    format!("{links} links, {blobs} blobs and {keys} keys without an owner {went}; {bytes} bytes{parts}")
}

/// A line for each piece of garbage, where it is only looked for.
struct Told {
    as_json: bool,
    dry_run: bool,
}

#[async_trait]
impl Collector for Told {
    fn garbage(&mut self, garbage: &Garbage) {
        if self.dry_run {
            output::result(&if self.as_json { json!(garbage).to_string() } else { why(garbage) });
        }
    }

    async fn rest(&mut self) {}
}

fn why(garbage: &Garbage) -> String {
    match garbage {
        Garbage::Link { repository, digest, size } => {
            format!("link {digest} in {repository}: no manifest there has used it for the grace time ({size} bytes)")
        }
        Garbage::Blob { digest, size } => format!("blob {digest}: no repository links it ({size} bytes)"),
        Garbage::Key { key, size } => format!("key {key}: a crash left it, no blob owns it ({size} bytes)"),
        Garbage::Multipart { key } => format!("multipart upload at {key}: a crash left it, no upload goes on with it"),
    }
}
