//! What a pusher does, one thing at a time.

use serde_json::{Value, json};

use super::check::held;
use super::pusher::{Asked, Pusher};
use super::{Call, Manifest, Model, Sight, Upload};
use crate::{Client, Image, index, media, sha256, target_of};

const TAGS: [&str; 8] = ["latest", "v1", "v1.1", "v1.2", "v2", "v2.0-beta", "stable", "next"];
/// Layers that every pusher pushes, so that repositories share bytes.
const SHARED_LAYERS: u64 = 5;
const MOST_OPEN_UPLOADS: usize = 4;
/// The shortest chunk. `Range: 0-0` stands for one byte and for none, so there is none of one byte.
const CHUNK: usize = 16;

/// One operation on one repository.
pub struct Operation<'run> {
    pusher: &'run mut Pusher,
    clients: &'run [Client],
    repository: String,
}

impl<'run> Operation<'run> {
    /// On a repository by chance.
    pub fn new(pusher: &'run mut Pusher, clients: &'run [Client]) -> Self {
        let place = pusher.random.below(pusher.repositories.len());
        let repository = pusher.repositories[place].clone();
        Self { pusher, clients, repository }
    }

    /// Does something.
    pub fn run(mut self) -> Asked<()> {
        match self.below(24) {
            0..7 => self.push_image(),
            7..9 => self.push_index(),
            9..12 => self.move_tag(),
            12..14 => self.delete_tag(),
            14..16 => self.delete_manifest(),
            16..17 => self.delete_blob(),
            17..20 => self.reuse_blobs(),
            _ => self.upload_a_part(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.pusher.random.below(bound)
    }

    fn model(&self) -> &Model {
        self.pusher.model()
    }

    fn ask(&mut self, call: &Call, headers: &[(&str, &str)], body: &[u8]) -> Asked {
        let client = self.pusher.random.pick(self.clients);
        self.pusher.ask(client, call, headers, body)
    }

    fn look(&mut self, target: &str) -> Asked {
        let client = self.pusher.random.pick(self.clients);
        self.pusher.look(client, target)
    }

    fn layer(&mut self) -> Vec<u8> {
        match self.below(12) {
            0 | 1 => {
                let shared = self.pusher.settings.seed ^ (self.pusher.random.word() % SHARED_LAYERS);
                crate::Random::seeded(shared).bytes(60_000)
            }
            2 => self.sized_layer(1_500_000),
            _ => self.sized_layer(40_000),
        }
    }

    fn sized_layer(&mut self, most: usize) -> Vec<u8> {
        let length = 1_000 + self.below(most);
        self.pusher.random.bytes(length)
    }

    fn push_image(&mut self) -> Asked<()> {
        let layers = (0..=self.below(2)).map(|_| self.layer()).collect();
        let image = Image::of(layers);
        for blob in image.blobs() {
            self.push_blob(blob)?;
        }
        let blobs = image.blobs().map(|blob| sha256(blob)).collect();
        self.dawdle();
        self.push_manifest(&image.manifest, blobs, Vec::new())
    }

    fn push_index(&mut self) -> Asked<()> {
        let (Some(first), Some(second)) = (self.present_manifest(), self.present_manifest()) else { return Ok(()) };
        let descriptor = |(digest, manifest): &(String, Manifest)| json!({"mediaType": manifest.media_type, "digest": digest, "size": manifest.length});
        let manifest = index(&[descriptor(&first), descriptor(&second)]);
        self.push_manifest(&manifest, Vec::new(), vec![first.0, second.0])
    }

    fn push_manifest(&mut self, manifest: &crate::Manifest, blobs: Vec<String>, children: Vec<String>) -> Asked<()> {
        let call = Call::PutManifest {
            repository: self.repository.clone(),
            tag: (*self.pusher.random.pick(&TAGS)).to_owned(),
            digest: manifest.digest.clone(),
            media_type: manifest.media_type.clone(),
            length: manifest.bytes.len(),
            blobs,
            children,
        };
        self.ask(&call, &[("Content-Type", &manifest.media_type)], &manifest.bytes)?;
        self.pusher.figures.promises += 1;
        Ok(())
    }

    /// Where collections are soon, a push that takes its time between its blobs and its manifest.
    fn dawdle(&mut self) {
        if !self.pusher.settings.pause.is_zero() && self.below(4) == 0 {
            let share = u32::try_from(self.below(100)).unwrap();
            std::thread::sleep(self.pusher.settings.pause * share / 100);
        }
    }

    fn push_blob(&mut self, bytes: &[u8]) -> Asked<()> {
        if self.below(3) == 0 && self.is_there(&sha256(bytes))? {
            return Ok(());
        }
        if self.below(2) == 0 {
            let (repository, digest) = (self.repository.clone(), sha256(bytes));
            self.ask(&Call::PutBlob { repository, digest, length: bytes.len() }, &[], bytes)?;
            return Ok(());
        }
        let upload = self.begin_upload(bytes.to_vec())?;
        for _ in 0..self.below(4) {
            self.send_chunk(&upload)?;
        }
        self.finish_upload(&upload)
    }

    fn is_there(&mut self, digest: &str) -> Asked<bool> {
        let call = Call::Head { repository: self.repository.clone(), digest: digest.to_owned() };
        Ok(self.ask(&call, &[], &[])?.status == 200)
    }

    /// An image over blobs that were pushed before, here or in another repository, if they are still there.
    fn reuse_blobs(&mut self) -> Asked<()> {
        let config = format!(r#"{{"architecture":"amd64","os":"linux","nonce":{}}}"#, self.pusher.random.word());
        self.push_blob(config.as_bytes())?;
        let mut layers = Vec::new();
        for _ in 0..=self.below(2) {
            let Some((repository, digest, length)) = self.known_blob() else { return Ok(()) };
            if self.has_or_mounts(&repository, &digest)? {
                layers.push((digest, length));
            }
        }
        self.dawdle();
        let manifest = image_over(config.as_bytes(), &layers);
        let blobs = layers.into_iter().map(|(digest, _)| digest).chain([sha256(config.as_bytes())]).collect();
        self.push_manifest(&manifest, blobs, Vec::new())
    }

    fn known_blob(&mut self) -> Option<(String, String, usize)> {
        let from = (*self.pusher.random.pick(&self.pusher.repositories)).clone();
        let known = self.model().repository(&from)?.blobs.iter().filter(|(_, blob)| blob.there.may_be(&true));
        let known: Vec<(String, usize)> = known.map(|(digest, blob)| (digest.clone(), blob.length)).collect();
        let (digest, length) = (!known.is_empty()).then(|| self.pusher.random.pick(&known).clone())?;
        Some((from, digest, length))
    }

    fn has_or_mounts(&mut self, from: &str, digest: &str) -> Asked<bool> {
        if from == self.repository {
            return self.is_there(digest);
        }
        let (from, digest) = (from.to_owned(), digest.to_owned());
        let reply = self.ask(&Call::Mount { repository: self.repository.clone(), from, digest }, &[], &[])?;
        if reply.status == 202 {
            self.ask(&Call::GiveUp { upload: target_of(&reply) }, &[], &[])?;
        }
        Ok(reply.status == 201)
    }

    fn present_manifest(&mut self) -> Option<(String, Manifest)> {
        let present = self.model().repository(&self.repository)?.present();
        let present: Vec<(String, Manifest)> = present.map(|(digest, known)| (digest.clone(), known.clone())).collect();
        (!present.is_empty()).then(|| self.pusher.random.pick(&present).clone())
    }

    /// Pulls a manifest and pushes it under another tag, as clients do who tag an image anew.
    fn move_tag(&mut self) -> Asked<()> {
        let Some((digest, known)) = self.present_manifest() else { return Ok(()) };
        let reply = self.look(&format!("/v2/{}/manifests/{digest}", self.repository))?.expect(200);
        let manifest = crate::Manifest::from_bytes(&known.media_type, reply.body);
        assert_eq!(manifest.digest, digest, "wrong bytes");
        self.push_manifest(&manifest, known.blobs, known.children)
    }

    fn delete_tag(&mut self) -> Asked<()> {
        let tag = (*self.pusher.random.pick(&TAGS)).to_owned();
        self.ask(&Call::DeleteTag { repository: self.repository.clone(), tag }, &[], &[]).map(drop)
    }

    fn delete_manifest(&mut self) -> Asked<()> {
        let Some((digest, _)) = self.present_manifest() else { return Ok(()) };
        self.ask(&Call::DeleteManifest { repository: self.repository.clone(), digest }, &[], &[]).map(drop)
    }

    fn delete_blob(&mut self) -> Asked<()> {
        let Some((repository, digest, _)) = self.known_blob() else { return Ok(()) };
        self.ask(&Call::DeleteBlob { repository, digest }, &[], &[]).map(drop)
    }

    /// Begins an upload, or carries one on by a chunk, or ends it.
    fn upload_a_part(&mut self) -> Asked<()> {
        if self.model().uploads.len() < MOST_OPEN_UPLOADS {
            let bytes = self.sized_layer(300_000);
            self.begin_upload(bytes)?;
        }
        let open: Vec<String> = self.model().uploads.keys().cloned().collect();
        let upload = self.pusher.random.pick(&open).clone();
        match self.model().uploads.get(&upload) {
            Some(known) if known.least == known.length => self.finish_upload(&upload),
            _ => self.send_chunk(&upload),
        }
    }

    fn begin_upload(&mut self, bytes: Vec<u8>) -> Asked<String> {
        let (repository, digest) = (self.repository.clone(), sha256(&bytes));
        let reply = self.ask(&Call::Begin { repository, digest, length: bytes.len() }, &[], &[])?;
        let upload = target_of(&reply);
        self.pusher.bytes.insert(upload.clone(), bytes);
        Ok(upload)
    }

    fn send_chunk(&mut self, upload: &str) -> Asked<()> {
        let Some(known) = self.certain(upload)? else { return Ok(()) };
        let (first, rest) = (known.least, known.length - known.least);
        if rest < 2 * CHUNK {
            return Ok(());
        }
        let end = first + CHUNK + self.below(rest - CHUNK);
        let range = format!("{first}-{}", end - 1);
        let body = self.pusher.bytes[upload][first..end].to_vec();
        self.ask(&Call::Chunk { upload: upload.to_owned(), first, end }, &[("Content-Range", &range)], &body)?;
        Ok(())
    }

    /// The final request, with what is not there yet.
    pub fn finish_upload(&mut self, upload: &str) -> Asked<()> {
        let Some(known) = self.certain(upload)? else { return Ok(()) };
        let (first, end) = (known.least, known.length);
        let body = self.pusher.bytes[upload][first..].to_vec();
        let range = format!("{first}-{}", end.saturating_sub(1));
        let headers: &[(&str, &str)] = if first == end { &[] } else { &[("Content-Range", &range)] };
        self.ask(&Call::Finish { upload: upload.to_owned(), digest: known.digest, first, end }, headers, &body)?;
        self.forget_bytes();
        Ok(())
    }

    /// An upload of which it is clear how far it is, after asking where it was not.
    fn certain(&mut self, upload: &str) -> Asked<Option<Upload>> {
        if self.model().uploads.get(upload).is_some_and(Upload::is_uncertain) {
            let reply = self.look(upload)?.expect_any(&[204, 404]);
            let offset = (reply.status == 204).then(|| held(&reply));
            self.pusher.record().saw(Sight::Offset { upload: upload.to_owned(), offset });
            self.forget_bytes();
        }
        Ok(self.model().uploads.get(upload).cloned())
    }

    fn forget_bytes(&mut self) {
        let mut bytes = std::mem::take(&mut self.pusher.bytes);
        bytes.retain(|upload, _| self.model().uploads.contains_key(upload));
        self.pusher.bytes = bytes;
    }
}

/// A manifest over blobs that are known by digest and length.
fn image_over(config: &[u8], layers: &[(String, usize)]) -> crate::Manifest {
    let layer = |(digest, size): &(String, usize)| json!({"mediaType": media::LAYER, "digest": digest, "size": size});
    let document: Value = json!({
        "schemaVersion": 2,
        "mediaType": media::MANIFEST,
        "config": {"mediaType": media::CONFIG, "digest": sha256(config), "size": config.len()},
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    });
    crate::Manifest::of(media::MANIFEST, &document)
}
