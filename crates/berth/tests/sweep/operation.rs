//! The operations that are swept, as a client that tries again.

use std::fmt;

use berth_testkit::{Client, Reply, path_and_query, sha256, target_of};

use crate::acknowledged::{Acknowledged, Fact, blob, manifest};
use crate::content::{KEPT, KEPT_IMAGE, LOOSE, NEW, NEW_IMAGE, OLD, OLD_IMAGE, TAG};
use crate::templates::{self, Template};

/// How often a step is tried.
const ATTEMPTS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Push,
    /// A blob whose commits fill the log of the database, which is moved to its file.
    Checkpoint,
    Pull,
    Delete,
    /// `berth gc` beside the server.
    Collect,
    /// `berth serve` on nothing.
    Start,
}

pub const ALL: [Operation; 6] =
    [Operation::Push, Operation::Checkpoint, Operation::Pull, Operation::Delete, Operation::Collect, Operation::Start];

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Push => "push",
            Self::Checkpoint => "checkpoint",
            Self::Pull => "pull",
            Self::Delete => "delete",
            Self::Collect => "gc",
            Self::Start => "start",
        })
    }
}

impl Operation {
    /// The data folder that its runs begin with.
    pub fn template(self) -> Option<Template> {
        match self {
            Self::Push | Self::Checkpoint | Self::Pull | Self::Delete => Some(templates::plain()),
            Self::Collect => Some(templates::garbage()),
            Self::Start => None,
        }
    }

    /// What is known of the registry before.
    pub fn known_before(self) -> Acknowledged {
        let mut known = Acknowledged::default();
        known.know_image(KEPT, TAG, &KEPT_IMAGE);
        known.know_image(OLD, TAG, &OLD_IMAGE);
        known.know(&blob(OLD, &sha256(LOOSE)), Fact::There, LOOSE);
        known
    }

    /// Does all of it by requests; whether every step came to its end at last.
    pub fn perform(self, client: &Client, log: &mut Acknowledged) -> bool {
        let mut caller = Caller { client, log };
        match self {
            Self::Push => caller.push(),
            Self::Checkpoint => caller.again(|caller| caller.push_at_once(&NEW_IMAGE.config)),
            Self::Pull => caller.pull(),
            Self::Delete => caller.delete(),
            Self::Collect | Self::Start => true,
        }
    }
}

struct Caller<'c> {
    client: &'c Client,
    log: &'c mut Acknowledged,
}

impl Caller<'_> {
    fn ask(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8], ok: &[u16]) -> Option<Reply> {
        match self.client.try_request(method, target, headers, body) {
            Ok(reply) if ok.contains(&reply.status) => Some(reply),
            Ok(reply) => {
                self.log.refused.push(reply.status);
                None
            }
            Err(_) => {
                self.log.unanswered += 1;
                None
            }
        }
    }

    fn again(&mut self, mut step: impl FnMut(&mut Self) -> Option<()>) -> bool {
        (0..ATTEMPTS).any(|_| step(self).is_some())
    }

    fn push(&mut self) -> bool {
        let image = &*NEW_IMAGE;
        self.again(|caller| caller.push_in_parts(&image.layers[0]))
            & self.again(|caller| caller.push_at_the_end(&image.layers[1]))
            & self.again(|caller| caller.push_at_once(&image.config))
            & self.again(Self::push_manifest)
    }

    fn push_in_parts(&mut self, bytes: &[u8]) -> Option<()> {
        let uploads = format!("/v2/{NEW}/blobs/uploads/");
        let mut location = target_of(&self.ask("POST", &uploads, &[], &[], &[202])?);
        self.log.upload = Some((location.clone(), 0));
        let parts = bytes.chunks(bytes.len() / 2);
        for (number, part) in parts.enumerate() {
            let begin = number * (bytes.len() / 2);
            let range = format!("{begin}-{}", begin + part.len() - 1);
            let sent = self.ask("PATCH", &location, &[("Content-Range", &range)], part, &[202]);
            let Some(sent) = sent else {
                self.log.upload = None;
                return None;
            };
            location = target_of(&sent);
            self.log.upload = Some((location.clone(), (begin + part.len()) as u64));
        }
        self.log.upload = None;
        self.finish(&location, bytes, &[])
    }

    fn push_at_the_end(&mut self, bytes: &[u8]) -> Option<()> {
        let uploads = format!("/v2/{NEW}/blobs/uploads/");
        let location = target_of(&self.ask("POST", &uploads, &[], &[], &[202])?);
        self.finish(&location, bytes, bytes)
    }

    fn finish(&mut self, location: &str, whole: &[u8], rest: &[u8]) -> Option<()> {
        let digest = sha256(whole);
        self.intend(&blob(NEW, &digest), whole);
        self.ask("PUT", &path_and_query(location, &format!("digest={digest}")), &[], rest, &[201])?;
        self.log.know(&blob(NEW, &digest), Fact::There, whole);
        Some(())
    }

    fn push_at_once(&mut self, bytes: &[u8]) -> Option<()> {
        let digest = sha256(bytes);
        self.intend(&blob(NEW, &digest), bytes);
        let target = path_and_query(&format!("/v2/{NEW}/blobs/uploads/"), &format!("digest={digest}"));
        self.ask("POST", &target, &[], bytes, &[201])?;
        self.log.know(&blob(NEW, &digest), Fact::There, bytes);
        Some(())
    }

    fn push_manifest(&mut self) -> Option<()> {
        let pushed = &NEW_IMAGE.manifest;
        let things = [manifest(NEW, TAG), manifest(NEW, &pushed.digest)];
        for thing in &things {
            self.intend(thing, &pushed.bytes);
        }
        self.ask("PUT", &things[0], &[("Content-Type", &pushed.media_type)], &pushed.bytes, &[201])?;
        for thing in &things {
            self.log.know(thing, Fact::There, &pushed.bytes);
        }
        Some(())
    }

    fn intend(&mut self, thing: &str, bytes: &[u8]) {
        self.log.intend(thing, bytes);
    }

    fn pull(&mut self) -> bool {
        let mut whole = self.get(&manifest(OLD, TAG), &OLD_IMAGE.manifest.bytes);
        for bytes in OLD_IMAGE.blobs() {
            whole &= self.get(&blob(OLD, &sha256(bytes)), bytes);
        }
        whole
    }

    fn get(&mut self, thing: &str, bytes: &[u8]) -> bool {
        self.again(|caller| {
            let reply = caller.ask("GET", thing, &[], &[], &[200])?;
            assert!(reply.body == bytes, "{thing} was served with wrong bytes");
            Some(())
        })
    }

    fn delete(&mut self) -> bool {
        let digest = &OLD_IMAGE.manifest.digest;
        let tag = [manifest(OLD, TAG)];
        let image = [manifest(OLD, digest), manifest(OLD, TAG)];
        let loose = [blob(OLD, &sha256(LOOSE))];
        self.again(|caller| caller.take(&tag))
            & self.again(|caller| caller.take(&image))
            & self.again(|caller| caller.take(&loose))
    }

    /// Deletes the first of these, with which the others go.
    fn take(&mut self, things: &[String]) -> Option<()> {
        for thing in things {
            self.log.deleted(thing, Fact::Either);
        }
        // One that was cut off may have been done.
        self.ask("DELETE", &things[0], &[], &[], &[202, 404])?;
        for thing in things {
            self.log.deleted(thing, Fact::Gone);
        }
        Some(())
    }
}
