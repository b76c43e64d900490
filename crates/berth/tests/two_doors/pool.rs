//! What is pushed: some blobs, and manifests of every kind over them.

use std::collections::BTreeMap;

use berth_testkit::{MIB, Manifest, Random, media, sha256, sha512};
use serde_json::{Value, json};

/// Where a repository may be.
pub const NAMES: [&str; 3] = ["app", "team/web", "team/web/debug"];
/// What an image may be called.
pub const TAGS: [&str; 6] = ["a", "b", "latest", "v1", "v2", "v2-rc"];
/// The first part of the large layer at the door of ECR: the least that one may have that is not the last.
#[allow(clippy::cast_possible_truncation, reason = "five")]
pub const PART: usize = 5 * MIB as usize;
/// An artifact without configuration has this one (image specification, "Guidance for an empty descriptor").
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// A configuration or layer.
pub struct Blob {
    pub bytes: Vec<u8>,
    pub digest: String,
}

/// A manifest, and what a registry is to tell of it.
#[derive(Clone)]
pub struct Entry {
    pub manifest: Manifest,
    /// Configuration and layers, by their place in the pool.
    pub blobs: Vec<usize>,
    /// What an index lists.
    pub children: Vec<usize>,
    pub subject: Option<String>,
    pub artifact_type: Option<String>,
    pub annotations: BTreeMap<String, String>,
    /// Of an image the bytes of its blobs, of an index those of its largest image.
    pub size: usize,
}

impl Entry {
    /// Whether the digest must be given, because the registry would take another algorithm.
    pub fn is_by_digest(&self) -> bool {
        !self.manifest.digest.starts_with("sha256:")
    }
}

/// All that there is to push. The same each time.
pub struct Pool {
    pub blobs: Vec<Blob>,
    pub manifests: Vec<Entry>,
}

impl Pool {
    pub fn new() -> Self {
        let mut pool = Self { blobs: Vec::new(), manifests: Vec::new() };
        let large = Random::seeded(5).bytes(PART + 1_234);
        let contents: [&[u8]; 8] =
            [b"{\"one\":1}", b"{\"two\":22}", b"{}", b"a layer", b"another layer", b"a third", b"signed", &large];
        for bytes in contents {
            pool.blobs.push(Blob { bytes: bytes.to_vec(), digest: sha256(bytes) });
        }
        let first = pool.image(media::MANIFEST, (media::CONFIG, 0), &[3]);
        let second = pool.image(media::MANIFEST, (media::CONFIG, 0), &[3, 4]);
        let large = pool.image(media::MANIFEST, (media::CONFIG, 1), &[5, 7]);
        let docker = pool.image(media::DOCKER_MANIFEST, (DOCKER_CONFIG, 1), &[4]);
        let both = pool.index(media::INDEX, &[first, second], &json!({}));
        pool.index(media::DOCKER_LIST, &[docker], &json!({}));
        let nested = pool.index(media::INDEX, &[both, large], &json!({}));
        let signature = pool.artifact(first, json!({ "artifactType": "application/vnd.example.signature" }));
        pool.artifact(nested, json!({ "annotations": { "by": "alice", "why": "é \"🦀\"" } }));
        // About an artifact; one of before by its other digest; an index that is about an image and says what it is.
        pool.artifact(signature, json!({ "artifactType": "application/vnd.example.note" }));
        pool.again_by_sha512(second);
        let about = json!({ "subject": pool.manifests[second].manifest.descriptor(), "artifactType": "application/x" });
        pool.index(media::INDEX, &[first], &about);
        pool
    }

    /// Digests that something may be about.
    pub fn subjects(&self) -> Vec<&str> {
        self.manifests.iter().map(|entry| entry.manifest.digest.as_str()).collect()
    }

    /// All artifact types.
    pub fn kinds(&self) -> Vec<&str> {
        self.manifests.iter().filter_map(|entry| entry.artifact_type.as_deref()).collect()
    }

    fn again_by_sha512(&mut self, manifest: usize) {
        let again = &self.manifests[manifest];
        let digest = sha512(&again.manifest.bytes);
        let again = Entry { manifest: Manifest { digest, ..again.manifest.clone() }, ..again.clone() };
        self.manifests.push(again);
    }

    fn image(&mut self, media_type: &str, config: (&str, usize), layers: &[usize]) -> usize {
        self.add(media_type, config, layers, &json!({}))
    }

    fn artifact(&mut self, subject: usize, mut more: Value) -> usize {
        more["subject"] = self.manifests[subject].manifest.descriptor();
        self.add(media::MANIFEST, (EMPTY, 2), &[6], &more)
    }

    fn add(&mut self, media_type: &str, config: (&str, usize), layers: &[usize], more: &Value) -> usize {
        let layer = |blob: &usize| self.descriptor(media::LAYER, *blob);
        let document = json!({
            "schemaVersion": 2, "mediaType": media_type, "config": self.descriptor(config.0, config.1),
            "layers": layers.iter().map(layer).collect::<Vec<_>>(),
        });
        let blobs: Vec<usize> = [config.1].into_iter().chain(layers.iter().copied()).collect();
        let size = blobs.iter().map(|blob| self.blobs[*blob].bytes.len()).sum();
        self.keep(document, more, (blobs, Vec::new()), size, Some(config.0))
    }

    fn index(&mut self, media_type: &str, children: &[usize], more: &Value) -> usize {
        let listed: Vec<Value> = children.iter().map(|child| self.manifests[*child].manifest.descriptor()).collect();
        let document = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": listed });
        let size = children.iter().map(|child| self.manifests[*child].size).max().unwrap_or_default();
        self.keep(document, more, (Vec::new(), children.to_vec()), size, None)
    }

    fn keep(
        &mut self,
        mut document: Value,
        more: &Value,
        (blobs, children): (Vec<usize>, Vec<usize>),
        size: usize,
        config: Option<&str>,
    ) -> usize {
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        self.manifests.push(Entry {
            manifest: Manifest::of(document["mediaType"].as_str().unwrap(), &document),
            blobs,
            children,
            subject: text(&document["subject"]["digest"]),
            artifact_type: text(&document["artifactType"]).or(config.map(str::to_owned)),
            annotations: serde_json::from_value(document["annotations"].clone()).unwrap_or_default(),
            size,
        });
        self.manifests.len() - 1
    }

    fn descriptor(&self, media_type: &str, blob: usize) -> Value {
        let Blob { bytes, digest } = &self.blobs[blob];
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }
}
