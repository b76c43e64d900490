//! Media types of manifests, configs and layers.

use crate::macros::word;

/// The longest media type.
const MAX_LENGTH: usize = 255;

/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI artifact manifest, withdrawn from the spec but still pushed.
pub const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
/// OCI image config.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// OCI empty config.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// OCI layer, not compressed.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// OCI layer, gzip.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// OCI layer, zstd.
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// OCI layer that is fetched from elsewhere, not compressed; withdrawn from the spec but still pushed.
pub const OCI_FOREIGN_LAYER: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";
/// OCI layer that is fetched from elsewhere, gzip.
pub const OCI_FOREIGN_LAYER_GZIP: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
/// OCI layer that is fetched from elsewhere, zstd.
pub const OCI_FOREIGN_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd";
/// Docker image manifest, version 2 schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker image config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker plugin config.
pub const DOCKER_PLUGIN_CONFIG: &str = "application/vnd.docker.plugin.v1+json";
/// Docker layer, not compressed.
pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker layer, gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker layer that is fetched from elsewhere, gzip.
pub const DOCKER_FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
/// Docker layer that is fetched from elsewhere, not compressed.
pub const DOCKER_FOREIGN_LAYER_TAR: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";
/// Docker manifest of schema 1, which is refused.
pub const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// Docker manifest of schema 1 with signatures, which is refused.
pub const DOCKER_SCHEMA_1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// A media type without parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaType(String);

word!(MediaType, MediaTypeError);

/// Why a text is no media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a media type is two words with a slash between them, such as application/json, of at most 255 characters")]
pub struct MediaTypeError;

impl MediaType {
    /// Reads a media type (RFC 6838, section 4.2). Its case is kept.
    pub fn parse(text: &str) -> Result<Self, MediaTypeError> {
        match text.split_once('/') {
            _ if text.len() > MAX_LENGTH => Err(MediaTypeError),
            Some((kind, sub)) if is_name(kind) && is_name(sub) => Ok(Self(text.to_owned())),
            _ => Err(MediaTypeError),
        }
    }

    /// Reads the value of a `Content-Type` header, leaving its parameters out.
    pub fn parse_header(value: &str) -> Result<Self, MediaTypeError> {
        Self::parse(value.split(';').next().unwrap_or_default().trim())
    }

    /// The media type.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a manifest with a config and layers, or an artifact manifest.
    pub fn is_manifest(&self) -> bool {
        matches!(self.as_str(), OCI_MANIFEST | DOCKER_MANIFEST | OCI_ARTIFACT)
    }

    /// Whether it lists manifests.
    pub fn is_index(&self) -> bool {
        matches!(self.as_str(), OCI_INDEX | DOCKER_LIST)
    }

    /// Whether it is a Docker manifest of schema 1, which no client needs any more.
    pub fn is_schema1(&self) -> bool {
        matches!(self.as_str(), DOCKER_SCHEMA_1 | DOCKER_SCHEMA_1_SIGNED)
    }

    /// Whether it is a layer that need not be in the registry.
    pub fn is_foreign_layer(&self) -> bool {
        matches!(self.as_str(), OCI_FOREIGN_LAYER | OCI_FOREIGN_LAYER_GZIP | OCI_FOREIGN_LAYER_ZSTD)
            || matches!(self.as_str(), DOCKER_FOREIGN_LAYER | DOCKER_FOREIGN_LAYER_TAR)
    }
}

fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric();
    text.bytes().next().is_some_and(plain) && text.bytes().all(|b| plain(b) || b"!#$&-^_.+".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_refused_or_kept_as_it_is(text in "[a-zA-Z0-9/+.;= *é-]{0,20}") {
            if let Ok(media_type) = MediaType::parse(&text) {
                prop_assert_eq!(MediaType::parse_header(&format!(" {text} ; q=1")).unwrap(), media_type.clone());
                prop_assert_eq!(media_type.to_string(), text);
            }
        }
    }

    #[test]
    fn media_types_are_two_words() {
        for good in [OCI_MANIFEST, DOCKER_LIST, "a/b", "text/plain"] {
            assert_eq!(MediaType::parse(good).unwrap().as_str(), good);
        }
        let long = format!("a/{}", "b".repeat(254));
        for bad in
            ["", "/", "a", "/b", "a/", "a/b/c", "a b/c", "a/b;c=d", "a/b\r\n", "*/*", "a/*", "a/é", "+a/b", &long]
        {
            assert_eq!(MediaType::parse(bad), Err(MediaTypeError), "{bad}");
        }
        assert_eq!(MediaType::parse_header("a/b; charset=utf-8").unwrap().as_str(), "a/b");
    }

    #[test]
    fn kinds_are_known() {
        let is = |text: &str| MediaType::parse(text).unwrap();
        assert!(is(OCI_MANIFEST).is_manifest() && !is(OCI_MANIFEST).is_index());
        assert!(is(DOCKER_LIST).is_index());
        assert!(is(DOCKER_SCHEMA_1).is_schema1() && is(DOCKER_SCHEMA_1_SIGNED).is_schema1());
        for foreign in [OCI_FOREIGN_LAYER, OCI_FOREIGN_LAYER_GZIP, OCI_FOREIGN_LAYER_ZSTD, DOCKER_FOREIGN_LAYER_TAR] {
            assert!(is(foreign).is_foreign_layer(), "{foreign}");
        }
        for own in [OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, DOCKER_LAYER, DOCKER_LAYER_GZIP, OCI_CONFIG] {
            assert!(!is(own).is_foreign_layer() && !is(own).is_manifest(), "{own}");
        }
    }
}
