//! What is pushed before anything is damaged.

use berth_testkit::{Client, Image, Manifest, Random, sha256};
use serde_json::json;

/// Repositories and tags have names of which no single flip makes another one that is in use.
pub const HOME: &str = "flips/home";
pub const AWAY: &str = "elsewhere/mounted";

/// What Berth promises of something's bytes depends on what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Manifest,
    SmallBlob,
    LargeBlob,
}

/// One thing that the registry holds in both repositories.
#[derive(Clone, Debug)]
pub struct Held {
    pub kind: Kind,
    pub digest: String,
    pub bytes: Vec<u8>,
    /// Its tag in each of the repositories; manifests only.
    pub tags: Vec<(&'static str, String)>,
}

/// Everything that was pushed.
pub struct Stock {
    pub held: Vec<Held>,
    images: Vec<Image>,
}

/// A small layer, a large one, and a manifest: small, of some pages of the database, or too large for a row.
fn image(random: &mut Random, number: usize) -> Image {
    let (small, large) = (1 + random.below(64 * 1024), 64 * 1024 + 1 + random.below(300 * 1024));
    let mut image = Image::of(vec![random.bytes(small), random.bytes(large)]);
    let padding = [66_000, 20_000, 0][number % 3];
    if padding > 0 {
        let mut document = image.manifest.document();
        document["annotations"] = json!({"padding": "x".repeat(padding + random.below(10_000))});
        image.manifest = Manifest::of(&image.manifest.media_type, &document);
    }
    image
}

fn tag(repository: &str, digest: &str) -> String {
    sha256(format!("{repository} {digest}").as_bytes())[7..27].to_owned()
}

impl Stock {
    /// Images that a seed gives.
    pub fn of(seed: u64, count: usize) -> Self {
        let mut random = Random::seeded(seed);
        let images: Vec<Image> = (0..count).map(|number| image(&mut random, number)).collect();
        let held = images.iter().flat_map(held).collect();
        Self { held, images }
    }

    /// Pushes all of it to one repository, and mounts it in the other.
    pub fn push(&self, client: &Client) {
        for image in &self.images {
            client.push_image(HOME, &tag(HOME, &image.manifest.digest), image);
            for blob in image.blobs() {
                let target = format!("/v2/{AWAY}/blobs/uploads/?mount={}&from={HOME}", sha256(blob));
                client.request("POST", &target, &[], b"").expect(201);
            }
            client.push_manifest(AWAY, &tag(AWAY, &image.manifest.digest), &image.manifest).expect(201);
        }
    }

    /// Pushes one thing again, as anybody who still has it would.
    pub fn push_again(&self, client: &Client, held: &Held) {
        if held.kind != Kind::Manifest {
            client.push_blob(HOME, &held.bytes);
            return;
        }
        let image = self.images.iter().find(|image| image.manifest.digest == held.digest).unwrap();
        client.push_manifest(HOME, &held.digest, &image.manifest).expect(201);
    }

    pub fn find(&self, digest: &str) -> Option<&Held> {
        self.held.iter().find(|held| held.digest == digest)
    }
}

fn held(image: &Image) -> Vec<Held> {
    let of = |kind, bytes: &Vec<u8>| Held { kind, digest: sha256(bytes), bytes: bytes.clone(), tags: Vec::new() };
    let mut manifest = of(Kind::Manifest, &image.manifest.bytes);
    manifest.tags = [HOME, AWAY].map(|repository| (repository, tag(repository, &manifest.digest))).to_vec();
    let blobs = image.blobs().map(|blob| {
        let kind = if blob.len() <= 64 * 1024 { Kind::SmallBlob } else { Kind::LargeBlob };
        of(kind, blob)
    });
    std::iter::once(manifest).chain(blobs).collect()
}
