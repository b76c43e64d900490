//! What a client was told, and whether it is so.

use std::collections::BTreeMap;

use berth_testkit::{Client, Image};

/// Something that can be asked for: a path of the registry.
pub type Thing = String;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    There,
    Gone,
    /// Asked for and not answered: whole or absent.
    Either,
}

/// The small log of one client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    things: BTreeMap<Thing, (Fact, Vec<u8>)>,
    /// An upload that is open, and how much of it was acknowledged.
    pub upload: Option<(String, u64)>,
    /// Statuses of requests that were refused.
    pub refused: Vec<u16>,
    /// Requests that got no answer, or half of one.
    pub unanswered: usize,
}

pub fn blob(repository: &str, digest: &str) -> Thing {
    format!("/v2/{repository}/blobs/{digest}")
}

pub fn manifest(repository: &str, reference: &str) -> Thing {
    format!("/v2/{repository}/manifests/{reference}")
}

impl Acknowledged {
    pub fn intend(&mut self, thing: &str, bytes: &[u8]) {
        self.things.insert(thing.to_owned(), (Fact::Either, bytes.to_vec()));
    }

    pub fn know(&mut self, thing: &str, fact: Fact, bytes: &[u8]) {
        self.things.insert(thing.to_owned(), (fact, bytes.to_vec()));
    }

    /// A deletion is on its way; or it was done.
    pub fn deleted(&mut self, thing: &str, fact: Fact) {
        if let Some((known, _)) = self.things.get_mut(thing) {
            *known = fact;
        }
    }

    pub fn know_image(&mut self, repository: &str, tag: &str, image: &Image) {
        for bytes in image.blobs() {
            self.know(&blob(repository, &berth_testkit::sha256(bytes)), Fact::There, bytes);
        }
        for reference in [tag, &image.manifest.digest] {
            self.know(&manifest(repository, reference), Fact::There, &image.manifest.bytes);
        }
    }

    /// Everything is as it was acknowledged.
    pub fn check(&self, client: &Client, when: &str) {
        for (thing, (fact, bytes)) in &self.things {
            let reply = client.get(thing);
            let is_so = match reply.status {
                200 => *fact != Fact::Gone,
                404 => *fact != Fact::There,
                _ => false,
            };
            assert!(is_so, "{when}: {thing} was acknowledged as {fact:?}: {} {}", reply.status, reply.text());
            assert!(reply.status == 404 || reply.body == *bytes, "{when}: {thing} has wrong bytes");
        }
    }

    /// An upload that is open is where it was, or further.
    pub fn check_upload(&self, client: &Client) {
        let Some((location, acknowledged)) = &self.upload else { return };
        let offset = client.upload_offset(location);
        assert!(offset >= *acknowledged, "{acknowledged} bytes of an upload were acknowledged, {offset} are there");
    }
}
