//! What runs in the background of each node: collection of garbage, expiry of uploads, verification.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth_domain::Domain;
use berth_domain::garbage::{Collector, Garbage};
use berth_domain::verify::{Finding, Pace};

use crate::chaos::{Chaos, give_way};
use crate::world::World;

/// Between the beginnings of two rounds: a moment, so that one is nearly always due.
const ROUND: Duration = Duration::from_millis(1);

/// Rests between batches, and tells what went.
pub struct Resting(pub Arc<Chaos>);

#[async_trait]
impl Collector for Resting {
    fn garbage(&mut self, garbage: &Garbage) {
        self.0.note(|| format!("garbage: {garbage:?}"));
    }

    async fn rest(&mut self) {
        self.0.pause().await;
    }
}

#[async_trait]
impl Pace for Resting {
    async fn hashed(&mut self, _bytes: u64) {
        self.0.pause().await;
    }
}

/// Collects again and again until the run calms down: now as an operator by a walk of one's own, now as nodes do in the round
/// that they share.
pub async fn collect(world: Rc<World>, domain: Rc<Domain>) {
    while !world.chaos.is_calm() {
        if world.chaos.chance(1, 3) {
            let dry = world.chaos.chance(1, 4);
            let collected = domain.collect_garbage(dry, &mut Resting(Arc::clone(&world.chaos))).await;
            world.chaos.note(|| format!("{} collected: {collected:?}", world.now()));
            world.judge("collecting", &collected);
        } else {
            let stepped = domain.collect_step(ROUND, &mut Resting(Arc::clone(&world.chaos))).await;
            world.chaos.note(|| format!("{} stepped: {stepped:?}", world.now()));
            world.judge("stepping", &stepped);
        }
        rest(&world, 30).await;
    }
}

pub async fn expire(world: Rc<World>, domain: Rc<Domain>) {
    while !world.chaos.is_calm() {
        let expired = domain.expire_uploads().await;
        world.chaos.note(|| format!("{} expired: {expired:?}", world.now()));
        world.judge("expiring", &expired);
        rest(&world, 60).await;
    }
}

/// Verifies beside everything else: what was acknowledged is sound at any time.
pub async fn verify(world: Rc<World>, domain: Rc<Domain>) {
    while !world.chaos.is_calm() {
        rest(&world, 300).await;
        verify_once(&world, &domain).await;
    }
}

pub async fn verify_once(world: &World, domain: &Domain) {
    let verified = domain.verify(&mut Resting(Arc::clone(&world.chaos))).await;
    world.judge("verifying", &verified);
    let findings: Vec<Finding> = verified.map(|verified| verified.findings).unwrap_or_default();
    if !findings.is_empty() {
        world.violated(|| format!("verification found {findings:?}"));
    }
}

async fn rest(world: &World, about: usize) {
    let turns = world.chaos.below(about);
    for _ in 0..turns {
        if world.chaos.is_calm() {
            return;
        }
        give_way().await;
    }
}
