//! Which answers and sights contradict what is known.

use super::{Answer, Call, Model, Repository, Sight, Upload};

const NOTHING: &Repository = &Repository {
    blobs: std::collections::BTreeMap::new(),
    manifests: std::collections::BTreeMap::new(),
    tags: std::collections::BTreeMap::new(),
};

/// What may be said about something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Sure,
    Never,
    Open,
}

impl Presence {
    fn of(is_there: bool, may_be_there: bool) -> Self {
        match (is_there, may_be_there) {
            (true, _) => Self::Sure,
            (_, false) => Self::Never,
            _ => Self::Open,
        }
    }

    fn allows(self, there: bool) -> bool {
        self == Self::Open || there == (self == Self::Sure)
    }
}

impl Model {
    /// Why the call that is under way may not be answered like this, given now.
    pub fn contradiction(&self, answer: &Answer, at: u64) -> Option<String> {
        let (_, call) = self.pending.as_ref()?;
        let allowed = answer.is_unsure() || self.allows(call, answer, at);
        (!allowed).then(|| format!("{call:?} was answered by {answer:?}, which contradicts {}", self.about(call)))
    }

    fn allows(&self, call: &Call, answer: &Answer, at: u64) -> bool {
        let status = answer.status.unwrap_or_default();
        match call {
            Call::PutBlob { .. } => status == 201,
            Call::Begin { .. } => status == 202,
            Call::GiveUp { .. } => status == 204,
            Call::Chunk { upload, .. } => self.allows_upload(upload, status, 202),
            Call::Finish { upload, .. } => {
                let is_torn = self.uploads.get(upload).is_some_and(|known| known.may_be_torn);
                self.allows_upload(upload, status, 201) || (is_torn && answer.is_of_wrong_bytes())
            }
            Call::Head { repository, digest } => Self::allows_presence(self.blob(repository, digest, at), status, 200),
            Call::Mount { from, digest, .. } => match status {
                201 => self.blob(from, digest, at).allows(true),
                202 => self.blob(from, digest, at).allows(false),
                _ => false,
            },
            Call::PutManifest { .. } => self.allows_push(call, answer, at),
            Call::DeleteTag { repository, tag } => Self::allows_presence(self.tag(repository, tag), status, 202),
            Call::DeleteManifest { repository, digest } => {
                let known = self.known(repository);
                let parents = (known.has_parent(digest), known.may_need(digest));
                Self::allows_deletion(self.manifest(repository, digest), parents, status)
            }
            Call::DeleteBlob { repository, digest } => {
                let known = self.known(repository);
                let users = (known.uses(digest), known.may_need(digest));
                Self::allows_deletion(self.blob(repository, digest, at), users, status)
            }
        }
    }

    fn allows_presence(presence: Presence, status: u16, yes: u16) -> bool {
        (status == yes || status == 404) && presence.allows(status == yes)
    }

    /// What is certainly needed by something cannot be deleted, and nothing is refused as needed that cannot be.
    fn allows_deletion(presence: Presence, (is_needed, may_be_needed): (bool, bool), status: u16) -> bool {
        match status {
            202 => presence.allows(true) && !is_needed,
            403 | 405 => may_be_needed,
            404 => presence.allows(false),
            _ => false,
        }
    }

    fn allows_upload(&self, upload: &str, status: u16, yes: u16) -> bool {
        let Some(known) = self.uploads.get(upload) else { return false };
        match status {
            404 => known.may_have_ended(),
            416 => known.is_uncertain(),
            _ => status == yes,
        }
    }

    /// A manifest is refused only for want of what need not be there.
    fn allows_push(&self, call: &Call, answer: &Answer, at: u64) -> bool {
        let Call::PutManifest { repository, blobs, children, .. } = call else { return false };
        let needs = blobs.iter().map(|digest| self.blob(repository, digest, at));
        let needs: Vec<Presence> = needs.chain(children.iter().map(|child| self.manifest(repository, child))).collect();
        match (answer.status, answer.code.as_deref()) {
            (Some(201), _) => needs.iter().all(|need| need.allows(true)),
            (Some(400 | 404), Some("MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN")) => {
                needs.iter().any(|need| need.allows(false))
            }
            _ => false,
        }
    }

    /// Why the registry may not look like this now.
    pub fn surprise(&self, sight: &Sight, at: u64) -> Option<String> {
        let allowed = match sight {
            Sight::Manifest { repository, digest, there } => self.manifest(repository, digest).allows(*there),
            Sight::Blob { repository, digest, there } => self.blob(repository, digest, at).allows(*there),
            Sight::Tag { repository, tag, names } => self.allows_tag(repository, tag, names.as_ref()),
            Sight::Tags { repository, tags } => self.allows_tags(repository, tags),
            Sight::Offset { upload, offset: None } => self.uploads.get(upload).is_none_or(Upload::may_have_ended),
            Sight::Offset { upload, offset: Some(offset) } => {
                self.uploads.get(upload).is_some_and(|known| (known.least..=known.most).contains(offset))
            }
        };
        (!allowed).then(|| format!("{sight:?} contradicts {}", self.about_sight(sight)))
    }

    /// Whether a sight makes anything more certain.
    pub fn learns_from(&self, sight: &Sight) -> bool {
        match sight {
            Sight::Manifest { repository, digest, there } => {
                self.known(repository).manifests.get(digest).is_some_and(|known| !known.there.is(there))
            }
            Sight::Blob { repository, digest, there } => {
                self.known(repository).blobs.get(digest).is_some_and(|known| !known.there.is(there))
            }
            Sight::Tag { repository, tag, names } => {
                self.known(repository).tags.get(tag).is_some_and(|known| !known.is(names))
            }
            Sight::Tags { .. } => false,
            Sight::Offset { upload, .. } => self.uploads.get(upload).is_some_and(Upload::is_uncertain),
        }
    }

    fn allows_tag(&self, repository: &str, tag: &str, names: Option<&String>) -> bool {
        let known = self.known(repository);
        let is_whole = names.is_none_or(|digest| self.manifest(repository, digest).allows(true));
        is_whole && known.tags.get(tag).map_or(names.is_none(), |possible| possible.may_be(&names.cloned()))
    }

    fn allows_tags(&self, repository: &str, listed: &[String]) -> bool {
        let is_listed = |tag: &String| listed.binary_search(tag).is_ok();
        let tags = &self.known(repository).tags;
        let as_known = tags.keys().all(|tag| self.tag(repository, tag).allows(is_listed(tag)));
        as_known && listed.iter().all(|tag| tags.contains_key(tag)) && listed.is_sorted()
    }

    fn known(&self, repository: &str) -> &Repository {
        self.repositories.get(repository).unwrap_or(NOTHING)
    }

    fn blob(&self, repository: &str, digest: &str, at: u64) -> Presence {
        let may_be = self.known(repository).blobs.get(digest).is_some_and(|blob| blob.there.may_be(&true));
        Presence::of(self.has_blob(repository, digest, at), may_be)
    }

    fn manifest(&self, repository: &str, digest: &str) -> Presence {
        let there = self.known(repository).manifests.get(digest).map(|manifest| &manifest.there);
        there.map_or(Presence::Never, |there| Presence::of(there.is(&true), there.may_be(&true)))
    }

    fn tag(&self, repository: &str, tag: &str) -> Presence {
        let names = self.known(repository).tags.get(tag);
        names.map_or(Presence::Never, |names| Presence::of(!names.may_be(&None), !names.is(&None)))
    }

    fn about(&self, call: &Call) -> String {
        match call {
            Call::Chunk { upload, .. } | Call::Finish { upload, .. } => format!("{:?}", self.uploads.get(upload)),
            Call::Head { repository, digest } | Call::DeleteBlob { repository, digest } => {
                format!("{:?}", self.known(repository).blobs.get(digest))
            }
            Call::Mount { from, digest, .. } => format!("{:?}", self.known(from).blobs.get(digest)),
            Call::DeleteTag { repository, tag } => format!("{:?}", self.known(repository).tags.get(tag)),
            Call::DeleteManifest { repository, digest } => {
                format!("{:?}", self.known(repository).manifests.get(digest))
            }
            Call::PutManifest { repository, blobs, .. } => {
                let known = self.known(repository);
                format!("{:?}", blobs.iter().map(|digest| known.blobs.get(digest)).collect::<Vec<_>>())
            }
            Call::PutBlob { .. } | Call::Begin { .. } | Call::GiveUp { .. } => "what such a call is for".to_owned(),
        }
    }

    fn about_sight(&self, sight: &Sight) -> String {
        match sight {
            Sight::Manifest { repository, digest, .. } => {
                format!("{:?}", self.known(repository).manifests.get(digest))
            }
            Sight::Blob { repository, digest, .. } => format!("{:?}", self.known(repository).blobs.get(digest)),
            Sight::Tag { repository, tag, .. } => format!("{:?}", self.known(repository).tags.get(tag)),
            Sight::Tags { repository, .. } => format!("{:?}", self.known(repository).tags),
            Sight::Offset { upload, .. } => format!("{:?}", self.uploads.get(upload)),
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
