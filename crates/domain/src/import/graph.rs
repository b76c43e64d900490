//! One repository: from its tags and manifests to everything that hangs on them, what is below first.

use std::collections::HashMap;

use berth_oci::digest::Digest;
use berth_oci::manifest::{Descriptor, Manifest};
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_transfer::{Entry, Root, SourceManifest};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::outcome::reason;
use super::{ImportError, LeftOut, Run, unless_stopped};
use crate::error::Error;
use crate::images::Push;

/// Indexes of indexes deeper than this are left out: nobody has them, and each level is held in memory.
const DEEPEST: usize = 16;

/// A repository under way.
pub(super) struct Walk<'w, 'i> {
    pub(super) run: &'w mut Run<'i>,
    pub(super) source_name: &'w RepositoryName,
    pub(super) target: &'w RepositoryName,
    /// The manifests that had their turn, and whether they are in the repository now.
    seen: HashMap<Digest, bool>,
}

/// What is to be done next.
enum Step {
    /// Look at a manifest, which the source may have given already.
    Enter { digest: Digest, read: Option<SourceManifest>, hint: Option<String> },
    /// Everything that it lists had its turn.
    Leave(Box<Loaded>),
}

/// A manifest that was read.
pub(super) struct Loaded {
    pub(super) digest: Digest,
    pub(super) manifest: Manifest,
    content_type: Option<String>,
    bytes: Bytes,
    is_here: bool,
}

impl<'w, 'i> Walk<'w, 'i> {
    pub(super) fn new(run: &'w mut Run<'i>, source_name: &'w RepositoryName, target: &'w RepositoryName) -> Self {
        Self { run, source_name, target, seen: HashMap::new() }
    }

    /// Goes through everything that the source lists.
    pub(super) async fn roots(&mut self) -> Result<(), ImportError> {
        let (source, name) = (self.run.source, self.source_name);
        let mut roots = source.roots(name);
        while let Some(entry) = unless_stopped(&self.run.stop, roots.next()).await? {
            match entry {
                Ok(Entry::Is(Root::Digest(digest))) => {
                    self.graph(Step::Enter { digest, read: None, hint: None }).await?;
                }
                Ok(Entry::Is(Root::Tag(tag, digest))) => self.tag(&tag, digest).await?,
                Ok(Entry::Unusable { name, reason }) => self.leave_out_name(name, reason),
                Err(error) if error.is_fatal() => return Err(error.into()),
                Err(error) => {
                    let (repository, reason) = (self.source_name.to_string(), error.to_string());
                    self.run.leave_out(LeftOut { repository, digest: None, tag: None, reason });
                }
            }
        }
        Ok(())
    }

    fn leave_out_name(&mut self, name: String, reason: String) {
        let repository = self.source_name.to_string();
        self.run.leave_out(LeftOut { repository, digest: None, tag: Some(name), reason });
    }

    /// Brings what a tag points to, then points the tag to it.
    async fn tag(&mut self, tag: &Tag, digest: Option<Digest>) -> Result<(), ImportError> {
        let found = match digest {
            Some(digest) => Ok((digest, None)),
            None => self.find(tag).await?,
        };
        match found {
            Ok((digest, read)) => {
                if self.graph(Step::Enter { digest: digest.clone(), read, hint: None }).await? {
                    self.point(tag, digest).await?;
                }
            }
            Err(reason) => self.run.leave_out(LeftOut::tag(self.source_name.as_str(), tag, reason)),
        }
        Ok(())
    }

    /// The digest of a tag, and the manifest where the source tells the one only with the other.
    async fn find(&self, tag: &Tag) -> Result<Result<(Digest, Option<SourceManifest>), String>, ImportError> {
        let (run, name) = (&self.run, self.source_name);
        match run.ask(run.source.resolve(name, tag)).await? {
            Ok(Some(digest)) => return Ok(Ok((digest, None))),
            Ok(None) => {}
            Err(reason) => return Ok(Err(reason)),
        }
        let read = run.ask(run.source.manifest(name, &Reference::Tag(tag.clone()))).await?;
        Ok(read.map(|manifest| (manifest.digest.clone(), Some(manifest))))
    }

    async fn point(&mut self, tag: &Tag, digest: Digest) -> Result<(), ImportError> {
        let (domain, caller) = (self.run.domain, self.run.caller);
        match domain.resolve(caller, self.target, &Reference::Tag(tag.clone())).await {
            Ok(found) if found.digest == digest => return Ok(()),
            Ok(_) | Err(Error::ManifestUnknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let (found, bytes) = domain.read_manifest(caller, self.target, &Reference::Digest(digest.clone())).await?;
        let content_type = Some(found.media_type.to_string());
        let push = Push { reference: Reference::Digest(digest), tags: vec![tag.clone()], content_type, bytes };
        match domain.push_manifest(caller, self.target, push).await {
            Ok(_) => self.run.imported.tags += 1,
            Err(error) => {
                self.run.leave_out(LeftOut::tag(self.source_name.as_str(), tag, reason(error)?));
            }
        }
        Ok(())
    }

    /// Brings a manifest with everything below it and everything about it; says whether it is in the repository now.
    async fn graph(&mut self, root: Step) -> Result<bool, ImportError> {
        let Step::Enter { digest: first, .. } = &root else { return Ok(false) };
        let first = first.clone();
        let mut steps = vec![root];
        while let Some(step) = steps.pop() {
            match step {
                Step::Enter { digest, .. } if self.seen.contains_key(&digest) => {}
                Step::Enter { digest, read, hint } => self.enter(digest, read, hint, &mut steps).await?,
                Step::Leave(loaded) => self.leave(*loaded).await?,
            }
        }
        Ok(self.seen.get(&first).copied().unwrap_or(false))
    }

    async fn enter(
        &mut self,
        digest: Digest,
        read: Option<SourceManifest>,
        hint: Option<String>,
        steps: &mut Vec<Step>,
    ) -> Result<(), ImportError> {
        let depth = steps.iter().filter(|step| matches!(step, Step::Leave(_))).count();
        let loaded = if depth > DEEPEST {
            Err(format!("it is nested more than {DEEPEST} indexes deep"))
        } else {
            self.load(&digest, read, hint).await?
        };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(reason) => {
                self.settle(digest, Err(reason));
                return Ok(());
            }
        };
        let about = self.run.ask(self.run.source.referrers(self.source_name, &digest)).await?;
        let about = about.unwrap_or_else(|reason| {
            let reason = format!("what the source says about it cannot be listed: {reason}");
            let repository = self.source_name.to_string();
            self.run.leave_out(LeftOut { repository, digest: Some(digest.clone()), tag: None, reason });
            Vec::new()
        });
        let children: Vec<Step> = loaded.manifest.child_references().map(of_child).collect();
        steps.extend(about.into_iter().map(|digest| Step::Enter { digest, read: None, hint: None }));
        steps.push(Step::Leave(Box::new(loaded)));
        steps.extend(children.into_iter().rev());
        Ok(())
    }

    /// A manifest from our own repository where it is there, else from the source.
    async fn load(
        &self,
        digest: &Digest,
        read: Option<SourceManifest>,
        hint: Option<String>,
    ) -> Result<Result<Loaded, String>, ImportError> {
        let (run, reference) = (&self.run, Reference::Digest(digest.clone()));
        let (content_type, bytes, is_here) = match run.domain.read_manifest(run.caller, self.target, &reference).await {
            Ok((found, bytes)) => (Some(found.media_type.to_string()), bytes, true),
            Err(Error::ManifestUnknown(_) | Error::RepositoryUnknown(_) | Error::Damaged(_)) => {
                let read = match read {
                    Some(read) => Ok(read),
                    None => run.ask(run.source.manifest(self.source_name, &reference)).await?,
                };
                match read {
                    Ok(read) => (read.media_type.or(hint), read.bytes, false),
                    Err(reason) => return Ok(Err(reason)),
                }
            }
            Err(error) => return Err(error.into()),
        };
        Ok(match Manifest::parse(&bytes, content_type.as_deref()) {
            Ok(manifest) => Ok(Loaded { digest: digest.clone(), manifest, content_type, bytes, is_here }),
            Err(error) => Err(error.to_string()),
        })
    }

    /// Brings the blobs of a manifest, then itself.
    async fn leave(&mut self, loaded: Loaded) -> Result<(), ImportError> {
        let digest = loaded.digest.clone();
        if loaded.is_here {
            self.run.imported.images_there += 1;
            self.settle(digest, Ok(()));
            return Ok(());
        }
        let brought = match self.missing_child(&loaded.manifest) {
            Some(child) => Err(format!("it lists {child}, which was left out")),
            None => match self.layers(&loaded).await? {
                Ok(()) => self.store(loaded).await?,
                left_out => left_out,
            },
        };
        self.settle(digest, brought);
        Ok(())
    }

    fn missing_child(&self, manifest: &Manifest) -> Option<Digest> {
        if self.run.domain.settings.allow_sparse_indexes {
            return None;
        }
        let mut children = manifest.child_references().map(|child| &child.digest);
        children.find(|child| self.seen.get(child) == Some(&false)).cloned()
    }

    async fn store(&mut self, loaded: Loaded) -> Result<Result<(), String>, ImportError> {
        let Loaded { digest, content_type, bytes, .. } = loaded;
        let push = Push { reference: Reference::Digest(digest), tags: Vec::new(), content_type, bytes };
        match self.run.domain.push_manifest(self.run.caller, self.target, push).await {
            Ok(_) => {
                self.run.imported.images += 1;
                Ok(Ok(()))
            }
            Err(error) => reason(error).map(Err),
        }
    }

    /// A manifest had its turn.
    fn settle(&mut self, digest: Digest, brought: Result<(), String>) {
        let is_in = brought.is_ok();
        match brought {
            Ok(()) => self.run.progress.image(),
            Err(reason) => {
                let (repository, digest) = (self.source_name.to_string(), Some(digest.clone()));
                self.run.leave_out(LeftOut { repository, digest, tag: None, reason });
            }
        }
        self.seen.insert(digest, is_in);
    }
}

fn of_child(child: &Descriptor) -> Step {
    Step::Enter { digest: child.digest.clone(), read: None, hint: Some(child.media_type.to_string()) }
}
