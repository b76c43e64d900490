//! What a pusher's repositories must hold: a fold over its events.

use std::collections::BTreeMap;

use super::{Answer, Call, Event, Possible, Sight, What};

/// What is known after some events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub(super) repositories: BTreeMap<String, Repository>,
    pub(super) uploads: BTreeMap<String, Upload>,
    pub(super) promise: u64,
    /// The call that was not answered yet, and when it was begun.
    pub(super) pending: Option<(u64, Call)>,
}

/// What one repository holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// By digest.
    pub blobs: BTreeMap<String, Blob>,
    /// By digest.
    pub manifests: BTreeMap<String, Manifest>,
    /// The digest that a tag names.
    pub tags: BTreeMap<String, Possible<Option<String>>>,
}

/// A blob that was pushed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Whether it is there.
    pub there: Possible<bool>,
    /// In bytes.
    pub length: usize,
    /// When the last answer that promises it was asked for.
    pub promised_at: u64,
}

/// A manifest that was pushed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Whether it is there.
    pub there: Possible<bool>,
    /// Its `Content-Type`.
    pub media_type: String,
    /// In bytes.
    pub length: usize,
    /// Blobs that it needs.
    pub blobs: Vec<String>,
    /// Manifests that it needs.
    pub children: Vec<String>,
}

/// An upload that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Where its blob will be.
    pub repository: String,
    /// Of the whole blob.
    pub digest: String,
    /// Of the whole blob.
    pub length: usize,
    /// It holds at least so many bytes: those acknowledged.
    pub least: usize,
    /// It holds at most so many bytes: those sent.
    pub most: usize,
    /// When the final request was sent first, if it was.
    pub finishing: Option<u64>,
    /// Whether the server may have ended it, because it failed.
    pub may_be_gone: bool,
    /// Whether something may still be under way to it.
    pub is_busy: bool,
    /// Whether the power was lost under it: a file that the disk had grown already may hold zeros where bytes were sent.
    pub may_be_torn: bool,
}

impl Model {
    /// Learns from the next event.
    pub fn apply(&mut self, event: &Event) {
        if !matches!(event.what, What::Answer(_)) {
            // The pusher's own end is like a cut.
            self.answered(&Answer::default());
        }
        match &event.what {
            What::Began(promise) => self.promise = *promise,
            What::Intent(call) => self.pending = Some((event.at, call.clone())),
            What::Answer(answer) => self.answered(answer),
            What::Seen(sight) => self.see(sight),
            What::Settled => self.settle(),
            What::PowerLost => {
                self.settle();
                self.uploads.values_mut().for_each(Upload::tear);
            }
        }
    }

    /// A repository, if anything was asked of it.
    pub fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.get(name)
    }

    /// Whether a blob must be there at this moment: a manifest that is there uses it, or a promise holds.
    pub fn has_blob(&self, repository: &str, digest: &str, at: u64) -> bool {
        let Some(repository) = self.repositories.get(repository) else { return false };
        let Some(blob) = repository.blobs.get(digest) else { return false };
        let holds = || at < blob.promised_at.saturating_add(self.promise);
        blob.there.is(&true) && (holds() || repository.uses(digest))
    }

    fn answered(&mut self, answer: &Answer) {
        let Some((at, call)) = self.pending.take() else { return };
        match answer.status {
            _ if answer.is_unsure() => self.unsure(at, &call, answer.status.is_some()),
            Some(200..300) => self.done(at, &call, answer),
            _ if answer.is_of_wrong_bytes() => self.torn(&call),
            _ => self.refused(&call, answer.status == Some(404)),
        }
    }

    fn done(&mut self, at: u64, call: &Call, answer: &Answer) {
        match call {
            Call::PutBlob { repository, digest, length } => self.store(repository, digest, *length, at),
            Call::Begin { repository, digest, length } => {
                let upload = Upload::of(repository, digest, *length);
                self.uploads.insert(answer.upload.clone().unwrap_or_default(), upload);
            }
            Call::Chunk { upload, end, .. } => self.upload(upload, |upload| (upload.least, upload.most) = (*end, *end)),
            Call::Finish { upload, .. } => self.finished(upload, at),
            Call::Head { repository, digest } => self.promised(repository, digest, at),
            Call::Mount { repository, digest, .. } if answer.status == Some(201) => {
                let length =
                    self.repositories.values().find_map(|known| known.blobs.get(digest)).map_or(0, |b| b.length);
                self.store(repository, digest, length, at);
            }
            Call::Mount { .. } | Call::GiveUp { .. } => {}
            Call::PutManifest { .. } => self.push(call, true),
            Call::DeleteTag { repository, tag } => self.repository_mut(repository).tag(tag).becomes(None),
            Call::DeleteManifest { repository, digest } => self.repository_mut(repository).delete(digest, at, true),
            Call::DeleteBlob { repository, digest } => {
                self.repository_mut(repository).blob(digest, |blob| blob.there.becomes(false));
            }
        }
    }

    fn unsure(&mut self, at: u64, call: &Call, has_failed: bool) {
        match call {
            Call::PutBlob { repository, digest, length } => self.may_store(repository, digest, *length, at),
            Call::Chunk { upload, end, .. } => self.upload(upload, |upload| {
                upload.may_hold(*end);
                upload.may_be_gone |= has_failed;
            }),
            Call::Finish { upload, end, .. } => {
                let Some(mut known) = self.uploads.remove(upload) else { return };
                known.may_hold(*end);
                known.may_be_gone |= has_failed;
                known.finishing.get_or_insert(at);
                self.may_store(&known.repository, &known.digest, known.length, at);
                self.uploads.insert(upload.clone(), known);
            }
            Call::Mount { repository, digest, .. } => {
                let length =
                    self.repositories.values().find_map(|known| known.blobs.get(digest)).map_or(0, |b| b.length);
                self.may_store(repository, digest, length, at);
            }
            // A HEAD that was cut promises nothing, and an upload of unknown address is of no use.
            Call::Begin { .. } | Call::GiveUp { .. } | Call::Head { .. } => {}
            Call::PutManifest { .. } => self.push(call, false),
            Call::DeleteTag { repository, tag } => self.repository_mut(repository).tag(tag).may_become(None),
            Call::DeleteManifest { repository, digest } => self.repository_mut(repository).delete(digest, at, false),
            Call::DeleteBlob { repository, digest } => {
                self.repository_mut(repository).blob(digest, |blob| blob.there.may_become(false));
            }
        }
    }

    /// Without effect. What the answer says to be absent is so.
    fn refused(&mut self, call: &Call, is_absent: bool) {
        match call {
            Call::Chunk { upload, .. } | Call::Finish { upload, .. } if is_absent => self.gone(upload),
            Call::DeleteTag { repository, tag } if is_absent => self.repository_mut(repository).tag(tag).becomes(None),
            Call::DeleteManifest { repository, digest } if is_absent => {
                self.repository_mut(repository).manifest(digest, |manifest| manifest.there.becomes(false));
            }
            Call::Head { repository, digest } | Call::DeleteBlob { repository, digest } if is_absent => {
                self.repository_mut(repository).blob(digest, |blob| blob.there.becomes(false));
            }
            _ => {}
        }
    }

    /// Nothing was stored, and the upload has ended.
    fn torn(&mut self, call: &Call) {
        if let Call::Finish { upload, .. } = call {
            self.uploads.remove(upload);
        }
    }

    fn see(&mut self, sight: &Sight) {
        match sight {
            Sight::Manifest { repository, digest, there } => {
                self.repository_mut(repository).manifest(digest, |manifest| manifest.there.becomes(*there));
            }
            Sight::Blob { repository, digest, there } => {
                self.repository_mut(repository).blob(digest, |blob| blob.there.becomes(*there));
            }
            Sight::Tag { repository, tag, names } => self.repository_mut(repository).tag(tag).becomes(names.clone()),
            Sight::Tags { .. } => {}
            Sight::Offset { upload, offset: None } => self.gone(upload),
            Sight::Offset { upload, offset: Some(offset) } => self.upload(upload, |upload| {
                upload.least = *offset;
                upload.may_be_torn &= *offset > 0;
                if !upload.is_busy {
                    (upload.most, upload.finishing, upload.may_be_gone) = (*offset, None, false);
                }
            }),
        }
    }

    fn settle(&mut self) {
        for repository in self.repositories.values_mut() {
            repository.blobs.values_mut().for_each(|blob| blob.there.settle());
            repository.manifests.values_mut().for_each(|manifest| manifest.there.settle());
            repository.tags.values_mut().for_each(Possible::settle);
        }
        self.uploads.values_mut().for_each(|upload| upload.is_busy = false);
    }

    fn repository_mut(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }

    fn upload(&mut self, upload: &str, change: impl FnOnce(&mut Upload)) {
        if let Some(known) = self.uploads.get_mut(upload) {
            change(known);
        }
    }

    fn finished(&mut self, upload: &str, at: u64) {
        if let Some(known) = self.uploads.remove(upload) {
            self.store(&known.repository, &known.digest, known.length, at);
        }
    }

    /// An upload that went although nothing failed was finished by the request of which nobody heard.
    fn gone(&mut self, upload: &str) {
        let Some(known) = self.uploads.remove(upload) else { return };
        if let (Some(at), false) = (known.finishing, known.may_be_gone) {
            self.store(&known.repository, &known.digest, known.length, at);
        }
    }

    fn store(&mut self, repository: &str, digest: &str, length: usize, at: u64) {
        let blob = self.repository_mut(repository).known_blob(digest, length);
        blob.there.becomes(true);
        blob.promised_at = blob.promised_at.max(at);
    }

    fn may_store(&mut self, repository: &str, digest: &str, length: usize, at: u64) {
        let blob = self.repository_mut(repository).known_blob(digest, length);
        if blob.there.is(&false) {
            blob.promised_at = at;
        }
        blob.there.may_become(true);
    }

    fn promised(&mut self, repository: &str, digest: &str, at: u64) {
        self.repository_mut(repository).blob(digest, |blob| {
            blob.there.becomes(true);
            blob.promised_at = blob.promised_at.max(at);
        });
    }

    fn push(&mut self, call: &Call, is_certain: bool) {
        let Call::PutManifest { repository, tag, digest, media_type, length, blobs, children } = call else { return };
        let repository = self.repository_mut(repository);
        let pushed = repository.manifests.entry(digest.clone()).or_insert_with(|| Manifest {
            there: Possible::new(false),
            media_type: media_type.clone(),
            length: *length,
            blobs: blobs.clone(),
            children: children.clone(),
        });
        if is_certain {
            pushed.there.becomes(true);
            repository.tag(tag).becomes(Some(digest.clone()));
            for digest in blobs {
                repository.blob(digest, |blob| blob.there.becomes(true));
            }
        } else {
            pushed.there.may_become(true);
            repository.tag(tag).may_become(Some(digest.clone()));
        }
    }
}

impl Repository {
    /// Whether a manifest that is certainly there needs this blob.
    pub fn uses(&self, digest: &str) -> bool {
        self.present().any(|(_, manifest)| manifest.blobs.iter().any(|blob| blob == digest))
    }

    /// Whether a manifest that is certainly there has this one as its child.
    pub fn has_parent(&self, digest: &str) -> bool {
        self.present().any(|(_, manifest)| manifest.children.iter().any(|child| child == digest))
    }

    /// Whether a manifest that may be there needs this blob or manifest.
    pub fn may_need(&self, digest: &str) -> bool {
        let needs =
            |manifest: &Manifest| manifest.blobs.iter().chain(&manifest.children).any(|needed| needed == digest);
        self.manifests.values().any(|manifest| manifest.there.may_be(&true) && needs(manifest))
    }

    /// Manifests that are certainly there.
    pub fn present(&self) -> impl Iterator<Item = (&String, &Manifest)> {
        self.manifests.iter().filter(|(_, manifest)| manifest.there.is(&true))
    }

    fn known_blob(&mut self, digest: &str, length: usize) -> &mut Blob {
        let fresh = || Blob { there: Possible::new(false), length, promised_at: 0 };
        self.blobs.entry(digest.to_owned()).or_insert_with(fresh)
    }

    fn blob(&mut self, digest: &str, change: impl FnOnce(&mut Blob)) {
        if let Some(known) = self.blobs.get_mut(digest) {
            change(known);
        }
    }

    fn manifest(&mut self, digest: &str, change: impl FnOnce(&mut Manifest)) {
        if let Some(known) = self.manifests.get_mut(digest) {
            change(known);
        }
    }

    fn tag(&mut self, tag: &str) -> &mut Possible<Option<String>> {
        self.tags.entry(tag.to_owned()).or_insert_with(|| Possible::new(None))
    }

    /// Takes a manifest and its tags; the promise of its blobs begins anew.
    fn delete(&mut self, digest: &str, at: u64, is_certain: bool) {
        let Some(manifest) = self.manifests.get_mut(digest) else { return };
        if manifest.there.is(&true) {
            for blob in &manifest.blobs {
                self.blobs.get_mut(blob).into_iter().for_each(|blob| blob.promised_at = blob.promised_at.max(at));
            }
        }
        let named = Some(digest.to_owned());
        if is_certain {
            manifest.there.becomes(false);
            self.tags.values_mut().for_each(|tag| tag.replace(&named, None));
        } else {
            manifest.there.may_become(false);
            self.tags.values_mut().filter(|tag| tag.may_be(&named)).for_each(|tag| tag.may_become(None));
        }
    }
}

impl Upload {
    fn of(repository: &str, digest: &str, length: usize) -> Self {
        Self {
            repository: repository.to_owned(),
            digest: digest.to_owned(),
            length,
            least: 0,
            most: 0,
            finishing: None,
            may_be_gone: false,
            is_busy: false,
            may_be_torn: false,
        }
    }

    fn tear(&mut self) {
        self.least = 0;
        self.may_be_torn |= self.most > 0;
    }

    fn may_hold(&mut self, end: usize) {
        self.most = self.most.max(end);
        self.is_busy = true;
    }

    /// Whether it need not be there any more.
    pub fn may_have_ended(&self) -> bool {
        self.may_be_gone || self.finishing.is_some()
    }

    /// Whether it must be asked how far it is.
    pub fn is_uncertain(&self) -> bool {
        self.is_busy || self.least != self.most || self.finishing.is_some() || self.may_be_gone
    }
}
