//! What is done, by chance: what mostly goes well, and enough that is refused.

use std::collections::VecDeque;

use berth_testkit::Random;

use crate::model::{MODES, Model, Named, Repository};
use crate::pool::{NAMES, TAGS};

/// How a blob is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `POST`, then `PUT` with all of it.
    Whole,
    /// One `POST`.
    Post,
    /// `PATCH` by `PATCH`.
    Chunks,
    /// `InitiateLayerUpload` and so on.
    Layer,
    /// `POST` and `PUT` under the digest of other bytes.
    Lie,
}

/// What a manifest is pushed as at the door of OCI.
#[derive(Clone, Copy, Debug)]
pub enum By {
    Tag(&'static str),
    /// With up to two tags as parameters.
    Digest(Option<&'static str>, Option<&'static str>),
    /// By the digest of another one.
    Lie,
}

/// One call, or the few that belong together; manifests and blobs by their place in the pool.
#[derive(Clone, Debug)]
pub enum Step {
    Create {
        name: &'static str,
        mode: usize,
    },
    DeleteRepository {
        name: &'static str,
        force: bool,
    },
    SetMutability {
        name: &'static str,
        mode: usize,
    },
    Upload {
        name: &'static str,
        blob: usize,
        way: Way,
    },
    Mount {
        name: &'static str,
        blob: usize,
        from: Option<&'static str>,
    },
    DeleteBlob {
        name: &'static str,
        blob: usize,
    },
    Push {
        name: &'static str,
        manifest: usize,
        by: By,
    },
    /// `digest`: whether the right one is given, or a wrong one.
    Put {
        name: &'static str,
        manifest: usize,
        tag: Option<&'static str>,
        digest: Option<bool>,
    },
    Untag {
        name: &'static str,
        tag: &'static str,
    },
    Delete {
        name: &'static str,
        manifest: usize,
    },
    BatchDelete {
        name: &'static str,
        images: Vec<Named>,
    },
    /// By the door of ECR, or that of OCI.
    Pull {
        name: &'static str,
        image: Named,
        by_ecr: bool,
    },
}

impl Step {
    /// What it is, without on what.
    pub fn kind(&self) -> String {
        let text = format!("{self:?}");
        text.split(' ').next().unwrap_or_default().to_owned()
    }

    /// The repository that it is about.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create { name, .. }
            | Self::DeleteRepository { name, .. }
            | Self::SetMutability { name, .. }
            | Self::Upload { name, .. }
            | Self::Mount { name, .. }
            | Self::DeleteBlob { name, .. }
            | Self::Push { name, .. }
            | Self::Put { name, .. }
            | Self::Untag { name, .. }
            | Self::Delete { name, .. }
            | Self::BatchDelete { name, .. }
            | Self::Pull { name, .. } => name,
        }
    }
}

/// Chooses steps.
pub struct Chooser {
    pub random: Random,
    /// What belongs to an image that is being pushed as a whole.
    planned: VecDeque<Step>,
}

impl Chooser {
    pub fn seeded(seed: u64) -> Self {
        Self { random: Random::seeded(seed), planned: VecDeque::new() }
    }

    fn chance(&mut self, of_hundred: usize) -> bool {
        self.random.below(100) < of_hundred
    }

    fn tag(&mut self) -> &'static str {
        TAGS[self.random.below(TAGS.len())]
    }

    fn maybe_tag(&mut self) -> Option<&'static str> {
        self.chance(60).then(|| self.tag())
    }

    /// The next step, for a registry that is as the model says.
    pub fn next(&mut self, model: &Model<'_>) -> Step {
        if let Some(step) = self.planned.pop_front() {
            return step;
        }
        let name = self.name(model);
        let there = model.repositories.get(name).cloned().unwrap_or_default();
        let any = self.random.below(model.pool.manifests.len());
        let manifest = self.mostly(there.held.iter().copied(), any);
        let any_blob = self.random.below(model.pool.blobs.len());
        let blob = self.mostly(there.blobs.iter().copied(), any_blob);
        let any_tag = self.tag();
        match self.random.below(100) {
            0..28 => {
                self.plan(model, name, any);
                self.planned.pop_front().unwrap()
            }
            28..31 => Step::Create { name, mode: self.random.below(MODES.len()) },
            31..34 => Step::DeleteRepository { name, force: self.chance(30) },
            34..38 => Step::SetMutability { name, mode: self.random.below(MODES.len()) },
            38..40 => self.upload(model, name, blob),
            40..44 => Step::Mount { name, blob: any_blob, from: self.chance(60).then(|| self.name(model)) },
            44..49 => Step::DeleteBlob { name, blob },
            49..65 => self.manifest(model, name, manifest),
            65..68 => self.manifest(model, name, any),
            68..74 => Step::Untag { name, tag: self.mostly(there.tags.keys().copied(), any_tag) },
            74..79 => Step::Delete { name, manifest },
            79..92 => Step::BatchDelete { name, images: self.batch(model, &there) },
            _ => Step::Pull { name, image: self.named(model, &there), by_ecr: self.chance(50) },
        }
    }

    /// One of those that are there, or now and then any.
    fn mostly<T: Copy>(&mut self, there: impl Iterator<Item = T>, any: T) -> T {
        let there: Vec<T> = there.collect();
        if there.is_empty() || self.chance(25) { any } else { *self.random.pick(&there) }
    }

    /// Mostly of a repository that is there, so that much comes together in it.
    fn name(&mut self, model: &Model<'_>) -> &'static str {
        let any = *self.random.pick(&NAMES);
        self.mostly(model.repositories.keys().copied(), any)
    }

    /// All that a manifest needs, then the manifest.
    fn plan(&mut self, model: &Model<'_>, name: &'static str, manifest: usize) {
        let repository = model.repositories.get(name).cloned().unwrap_or_default();
        if !model.repositories.contains_key(name) && self.planned.is_empty() && self.chance(70) {
            self.planned.push_back(Step::Create { name, mode: self.random.below(MODES.len()) });
        }
        let entry = &model.pool.manifests[manifest];
        for child in &entry.children {
            if !repository.held.contains(child) {
                self.plan(model, name, *child);
            }
        }
        for blob in &entry.blobs {
            if !repository.blobs.contains(blob) {
                let step = self.upload(model, name, *blob);
                self.planned.push_back(step);
            }
        }
        let step = self.manifest(model, name, manifest);
        self.planned.push_back(step);
    }

    fn upload(&mut self, model: &Model<'_>, name: &'static str, blob: usize) -> Step {
        let has_it = |(other, there): &(&&'static str, &Repository)| **other != name && there.blobs.contains(&blob);
        let source = model.repositories.iter().find(has_it).map(|(other, _)| *other);
        if source.is_some() && self.chance(40) {
            return Step::Mount { name, blob, from: source };
        }
        let ways = [Way::Whole, Way::Post, Way::Chunks, Way::Layer, Way::Layer, Way::Layer];
        let way = if self.chance(4) { Way::Lie } else { *self.random.pick(&ways) };
        Step::Upload { name, blob, way }
    }

    fn manifest(&mut self, model: &Model<'_>, name: &'static str, manifest: usize) -> Step {
        let is_by_digest = model.pool.manifests[manifest].is_by_digest();
        if self.chance(50) {
            let digest = (is_by_digest || self.chance(40)).then(|| self.chance(85));
            return Step::Put { name, manifest, tag: self.maybe_tag(), digest };
        }
        let by = match self.random.below(20) {
            0 => By::Lie,
            1..11 if !is_by_digest => By::Tag(self.tag()),
            _ => By::Digest(self.maybe_tag(), self.maybe_tag()),
        };
        Step::Push { name, manifest, by }
    }

    fn batch(&mut self, model: &Model<'_>, there: &Repository) -> Vec<Named> {
        (0..=self.random.below(3)).map(|_| self.named(model, there)).collect()
    }

    /// Mostly one that is there.
    fn named(&mut self, model: &Model<'_>, there: &Repository) -> Named {
        let tags: Vec<_> = there.tags.iter().collect();
        if !tags.is_empty() && self.chance(50) {
            let (tag, manifest) = *self.random.pick(&tags);
            return Named { manifest: self.chance(40).then_some(*manifest), tag: Some(*tag) };
        }
        let any = self.random.below(model.pool.manifests.len());
        let manifest = self.mostly(there.held.iter().copied(), any);
        Named { manifest: self.chance(85).then_some(manifest), tag: self.chance(20).then(|| self.tag()) }
    }
}
