//! What must be true when nothing runs.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use berth_domain::Domain;
use berth_oci::digest::Digest;
use berth_oci::tag::Tag;

use crate::background::{Resting, verify_once};
use crate::clients::{Client, short};
use crate::engine::look;
use crate::world::{GRACE, NODES, UPLOAD_TTL, World, caller};

/// Checks everything, and after the grace time and one cycle everything again.
pub async fn check(world: &Rc<World>, nodes: &[Rc<Domain>]) {
    let node = world.chaos.below(NODES);
    let (domain, caller) = (Rc::clone(&nodes[node]), caller());
    let client = Client { world: Rc::clone(world), domain: Rc::clone(&domain), node, caller };
    everything_is_as_told(&client).await;
    if world.chaos.chance(1, 2) {
        return;
    }
    world.clock.advance(GRACE * 2 + UPLOAD_TTL * 2);
    world.judge("expiring", &domain.expire_uploads().await);
    world.judge("collecting", &domain.collect_garbage(false, &mut Resting(Arc::clone(&world.chaos))).await);
    nothing_is_left_over(world);
    everything_is_as_told(&client).await;
}

async fn everything_is_as_told(client: &Client) {
    let world = &client.world;
    verify_once(world, &client.domain).await;
    for repository in 0..world.pool.repositories.len() {
        for manifest in &world.pool.manifests {
            if client.pull_manifest(repository, manifest).await {
                client.pull_blobs(repository, manifest).await;
            }
        }
        for tag in &world.pool.tags {
            client.pull_by_tag(repository, tag).await;
            history_is_linear(client, repository, tag).await;
        }
        for blob in &world.pool.blobs {
            client.pull_blob(repository, &blob.digest).await;
        }
    }
}

/// Every move begins where the one before ended, and the last one where the tag is.
async fn history_is_linear(client: &Client, repository: usize, tag: &str) {
    let parsed = Tag::parse(tag).unwrap();
    let history = client.domain.tag_history(&client.caller, client.name(repository), &parsed, 1000).await;
    let mut at: Option<Digest> = None;
    for moved in history.unwrap_or_default() {
        if moved.previous != at || moved.digest == at {
            client.world.violated(|| format!("tag {tag} moved from {:?} when it was at {at:?}", moved.previous));
        }
        at = moved.digest;
    }
    let reference = crate::clients::reference(tag);
    let found = client.domain.resolve(&client.caller, client.name(repository), &reference).await;
    let found = found.ok().map(|found| found.digest);
    if found != at {
        client.world.violated(|| format!("tag {tag} is at {found:?}, its history ends at {at:?}"));
    }
}

/// No upload, no link that no manifest uses, no blob without a link or manifest, no key without a blob.
fn nothing_is_left_over(world: &World) {
    let idle = "SELECT 'upload ' || id FROM uploads UNION ALL SELECT 'link ' || l.digest FROM repository_blobs l \
                WHERE NOT EXISTS (SELECT 1 FROM manifest_references r WHERE r.repository_id = l.repository_id \
                AND r.digest = l.digest) UNION ALL SELECT 'blob ' || b.digest FROM blobs b WHERE NOT EXISTS \
                (SELECT 1 FROM repository_blobs l WHERE l.blob_id = b.id) \
                AND NOT EXISTS (SELECT 1 FROM manifests m WHERE m.blob_id = b.id)";
    for row in look(&world.database, idle, &[]) {
        world.violated(|| format!("garbage stays: {}", row.text(0).unwrap()));
    }
    let owned: BTreeSet<String> =
        look(&world.database, "SELECT storage_key FROM blobs WHERE storage_key IS NOT NULL", &[])
            .iter()
            .map(|row| row.text(0).unwrap().to_owned())
            .collect();
    let stored: BTreeSet<String> = world.store.keys().iter().map(|key| key.as_str().to_owned()).collect();
    if owned != stored {
        world.violated(|| format!("keys {:?}", owned.symmetric_difference(&stored).collect::<Vec<_>>()));
    }
    let names: Vec<String> = world.pool.blobs.iter().map(|blob| short(&blob.digest)).collect();
    world.chaos.note(|| format!("quiet: {} keys of {names:?}", stored.len()));
}
