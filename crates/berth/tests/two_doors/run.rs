//! One run: a server, a model, and what is done to both.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use berth_testkit::aws::{AwsClient, Keys};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Server, berth_binary};

use crate::model::{Model, Verdict};
use crate::pool::{NAMES, Pool, TAGS};
use crate::step::{Chooser, Step, Way};
use crate::{ecr, ecr_view, oci};

/// After so many steps all is looked at, not only what the last one was about.
const LOOK_ROUND: u64 = 15;
/// Items of a page.
const PAGES: [usize; 4] = [1, 2, 3, 1_000];

/// A server of its own, and both its doors.
pub struct Run<'a> {
    seed: u64,
    server: Server,
    oci: Client,
    ecr: AwsClient,
    nobody: Client,
    chooser: Chooser,
    model: Model<'a>,
    done: Vec<Step>,
    /// What each step came to: its kind, and `done` or why it was refused.
    pub outcomes: Vec<String>,
}

impl<'a> Run<'a> {
    pub fn new(seed: u64, pool: &'a Pool) -> Self {
        let server = Server::builder(berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth"))).start();
        let ecr = AwsClient::new(server.addr(), Keys::new(ADMIN_ID, ADMIN_SECRET));
        let (oci, nobody) = (server.client(), server.anonymous());
        let (chooser, model) = (Chooser::seeded(seed), Model::new(pool));
        Self { seed, server, oci, ecr, nobody, chooser, model, done: Vec::new(), outcomes: Vec::new() }
    }

    /// Does so many steps. Where one fails, tells what it was.
    pub fn go(&mut self, steps: u64) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            for number in 1..=steps {
                let step = self.chooser.next(&self.model);
                self.done.push(step.clone());
                let outcome = self.take(&step).map_or_else(|reasons| format!("{reasons:?}"), |()| "done".to_owned());
                self.outcomes.push(format!("{}: {outcome}", step.kind()));
                self.glance(step.name());
                if number % LOOK_ROUND == 0 || number == steps {
                    self.look();
                }
            }
            assert_eq!(self.server.berth(&["verify"]).code, Some(0), "what `berth verify` finds");
        }));
        if let Err(panic) = ended {
            let steps: Vec<String> = self.done.iter().map(|step| format!("  {step:?}")).collect();
            let steps = steps.join("\n");
            let held = &self.model.repositories;
            println!("failed: BERTH_TEST_SEED={} after these steps:\n{steps}\nthe model: {held:#?}", self.seed);
            resume_unwind(panic);
        }
    }
    fn take(&mut self, step: &Step) -> Verdict {
        let (oci, ecr, model) = (&self.oci, &self.ecr, &mut self.model);
        match step.clone() {
            Step::Create { name, mode } => ecr::create(ecr, model, name, mode),
            Step::DeleteRepository { name, force } => ecr::delete_repository(ecr, model, name, force),
            Step::SetMutability { name, mode } => ecr::set_mutability(ecr, model, name, mode),
            Step::Upload { name, blob, way: Way::Layer } => ecr::upload(ecr, model, name, blob),
            Step::Upload { name, blob, way } => oci::upload(oci, model, name, blob, way),
            Step::Mount { name, blob, from } => oci::mount(oci, model, name, blob, from),
            Step::DeleteBlob { name, blob } => oci::delete_blob(oci, model, name, blob),
            Step::Push { name, manifest, by } => oci::push(oci, model, name, manifest, by),
            Step::Put { name, manifest, tag, digest } => ecr::put(ecr, model, (name, manifest), tag, digest),
            Step::Untag { name, tag } => oci::untag(oci, model, name, tag),
            Step::Delete { name, manifest } => oci::delete(oci, model, name, manifest),
            Step::BatchDelete { name, images } => ecr::batch_delete(ecr, model, name, &images),
            Step::Pull { name, image, by_ecr: true } => ecr::pull(ecr, &self.nobody, model, name, image),
            Step::Pull { name, image, by_ecr: false } => oci::pull(oci, model, name, image),
        }
    }

    /// Looks by both doors at what a step may have changed, and at a little more.
    fn glance(&mut self, name: &str) {
        let (oci, ecr, random, model) = (&self.oci, &self.ecr, &mut self.chooser.random, &mut self.model);
        let page = *random.pick(&PAGES);
        oci::show_catalog(oci, model, page);
        ecr_view::show_repositories(ecr, model, page);
        oci::show_tags(oci, model, name, page);
        ecr_view::show_images(ecr, model, name, page);
        ecr_view::show_layers(ecr, model, name);
        oci::show_tag(oci, model, name, TAGS[random.below(TAGS.len())]);
        oci::show_by_digest(oci, model, name, random.below(model.pool.manifests.len()));
        oci::show_blob(oci, model, name, random.below(model.pool.blobs.len()));
        let subject = *random.pick(&model.pool.subjects());
        let kind = (random.below(2) == 0).then(|| *random.pick(&model.pool.kinds()));
        oci::show_referrers(oci, model, name, subject, kind);
        ecr_view::show_referrers(ecr, model, name, (subject, kind), page);
    }

    /// Looks by both doors at everything.
    fn look(&mut self) {
        let (oci, ecr, model, page) = (&self.oci, &self.ecr, &mut self.model, *self.chooser.random.pick(&PAGES));
        for name in NAMES {
            ecr_view::show_images(ecr, model, name, page);
            ecr_view::show_all_images(ecr, model, name);
            oci::show_tags(oci, model, name, page);
            ecr_view::show_layers(ecr, model, name);
            for tag in TAGS {
                oci::show_tag(oci, model, name, tag);
            }
            for manifest in 0..model.pool.manifests.len() {
                oci::show_by_digest(oci, model, name, manifest);
            }
            for blob in 0..model.pool.blobs.len() {
                oci::show_blob(oci, model, name, blob);
                ecr_view::show_download(ecr, &self.nobody, model, name, blob);
            }
            for subject in model.pool.subjects() {
                oci::show_referrers(oci, model, name, subject, None);
                ecr_view::show_referrers(ecr, model, name, (subject, None), page);
            }
        }
    }
}
