//! What clients push: few blobs and manifests, so that they meet.

use berth_oci::digest::{Algorithm, Digest};
use berth_oci::name::RepositoryName;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::chaos::Chaos;

/// Some bytes and their digest.
#[derive(Clone)]
pub struct Blob {
    pub bytes: Bytes,
    pub digest: Digest,
}

/// A manifest, with what must be in its repository before it.
#[derive(Clone)]
pub struct Manifest {
    pub bytes: Bytes,
    pub digest: Digest,
    pub blobs: Vec<Digest>,
    pub children: Vec<Digest>,
}

/// Everything that one run knows.
pub struct Pool {
    pub repositories: Vec<RepositoryName>,
    pub blobs: Vec<Blob>,
    pub manifests: Vec<Manifest>,
    pub tags: Vec<&'static str>,
}

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn digest(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

fn blob(bytes: Vec<u8>) -> Blob {
    Blob { digest: digest(&bytes), bytes: Bytes::from(bytes) }
}

fn describe(media_type: &str, of: &Digest, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": of.to_string(), "size": size })
}

fn image(blobs: &[&Blob], subject: Option<&Manifest>, padding: usize) -> Manifest {
    let one = |blob: &&Blob| describe("application/vnd.oci.image.layer.v1.tar", &blob.digest, blob.bytes.len());
    let mut value = json!({
        "schemaVersion": 2, "mediaType": IMAGE, "config": one(&blobs[0]),
        "layers": blobs[1..].iter().map(one).collect::<Vec<_>>(),
        "annotations": { "padding": "p".repeat(padding) },
    });
    if let Some(subject) = subject {
        value["subject"] = describe(IMAGE, &subject.digest, subject.bytes.len());
    }
    let bytes = Bytes::from(value.to_string());
    let blobs = blobs.iter().map(|blob| blob.digest.clone()).collect();
    Manifest { digest: digest(&bytes), bytes, blobs, children: Vec::new() }
}

fn index(children: &[&Manifest]) -> Manifest {
    let list: Vec<Value> = children.iter().map(|child| describe(IMAGE, &child.digest, child.bytes.len())).collect();
    let value = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": list });
    let bytes = Bytes::from(value.to_string());
    let children = children.iter().map(|child| child.digest.clone()).collect();
    Manifest { digest: digest(&bytes), bytes, blobs: Vec::new(), children }
}

impl Pool {
    /// Six blobs; three images that share them, one of them too large for a row; an index; a referrer.
    pub fn drawn(chaos: &Chaos) -> Self {
        let blobs: Vec<Blob> = (0..6).map(|_| blob(chaos.bytes(1 + chaos.below(300)))).collect();
        let any = || chaos.pick(&blobs);
        let one = image(&[any(), any()], None, 0);
        let two = image(&[any(), any(), any()], None, 1);
        let large = image(&[any(), any()], None, 66_000);
        let about = image(&[any()], Some(&one), 2);
        let both = index(&[&one, &two]);
        let repositories = ["a", "b"].map(|name| RepositoryName::parse(name).unwrap()).into();
        Self { repositories, blobs, manifests: vec![one, two, large, about, both], tags: vec!["t1", "t2"] }
    }

    pub fn blob(&self, digest: &Digest) -> &Blob {
        self.blobs.iter().find(|blob| blob.digest == *digest).unwrap()
    }

    pub fn manifest(&self, digest: &Digest) -> Option<&Manifest> {
        self.manifests.iter().find(|manifest| manifest.digest == *digest)
    }
}
