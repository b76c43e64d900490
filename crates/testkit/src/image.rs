//! Images, indexes and referrers as bytes with their digests.

use serde_json::{Value, json};

use crate::sha256;

/// Media types of the image specification 1.1.
pub mod media {
    /// An image manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An image index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An image's configuration.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A layer as a plain tar file.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// A layer whose bytes need not be in the registry.
    pub const FOREIGN_LAYER: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    /// Docker's image manifest, version 2 schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
}

/// A manifest's bytes, and what they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What `Content-Type` says.
    pub media_type: String,
    /// The bytes pushed.
    pub bytes: Vec<u8>,
    /// `sha256:` of the bytes.
    pub digest: String,
}

impl Manifest {
    /// The document as compact JSON.
    pub fn of(media_type: &str, document: &Value) -> Self {
        Self::from_bytes(media_type, document.to_string().into_bytes())
    }

    /// Bytes that may be anything.
    pub fn from_bytes(media_type: &str, bytes: Vec<u8>) -> Self {
        Self { media_type: media_type.to_owned(), digest: sha256(&bytes), bytes }
    }

    /// How an index or a `subject` refers to it.
    pub fn descriptor(&self) -> Value {
        descriptor(&self.media_type, &self.bytes)
    }

    /// The document back.
    pub fn document(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }
}

/// A configuration, layers and the manifest that names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The configuration's bytes.
    pub config: Vec<u8>,
    /// The layers' bytes. Not real tar files: a registry does not look inside.
    pub layers: Vec<Vec<u8>>,
    /// The manifest over them.
    pub manifest: Manifest,
}

impl Image {
    /// An image of these layers.
    pub fn of(layers: Vec<Vec<u8>>) -> Self {
        let ids: Vec<String> = layers.iter().map(|layer| sha256(layer)).collect();
        let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}});
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media::MANIFEST,
            "config": descriptor(media::CONFIG, &config),
            "layers": layers.iter().map(|layer| descriptor(media::LAYER, layer)).collect::<Vec<_>>(),
        });
        Self { config, layers, manifest: Manifest::of(media::MANIFEST, &manifest) }
    }

    /// A tiny image that differs from those of other names.
    pub fn small(name: &str) -> Self {
        Self::of(vec![format!("layer of {name}").into_bytes()])
    }

    /// Configuration and layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Vec<u8>> {
        std::iter::once(&self.config).chain(&self.layers)
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": sha256(bytes), "size": bytes.len()})
}

/// An index of these children.
pub fn index(children: &[Value]) -> Manifest {
    Manifest::of(media::INDEX, &json!({"schemaVersion": 2, "mediaType": media::INDEX, "manifests": children}))
}

/// An index without children, told apart by an annotation: the smallest manifest, which needs no blob.
pub fn empty_index(name: &str) -> Manifest {
    let annotations = json!({"name": name});
    Manifest::of(
        media::INDEX,
        &json!({"schemaVersion": 2, "mediaType": media::INDEX, "manifests": [], "annotations": annotations}),
    )
}

/// An index without children that says something about a subject.
pub fn referrer(subject: &Value, artifact_type: &str, annotations: &Value) -> Manifest {
    let document = json!({
        "schemaVersion": 2, "mediaType": media::INDEX, "manifests": [],
        "artifactType": artifact_type, "subject": subject, "annotations": annotations,
    });
    Manifest::of(media::INDEX, &document)
}

/// A valid manifest of exactly this many bytes.
pub fn padded_manifest(length: usize) -> Manifest {
    let start =
        format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[],"annotations":{{"padding":""#, media::INDEX);
    let end = r#""}}"#;
    let padding = "x".repeat(length - start.len() - end.len());
    Manifest::from_bytes(media::INDEX, format!("{start}{padding}{end}").into_bytes())
}
