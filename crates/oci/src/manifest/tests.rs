use super::*;
use crate::digest::Algorithm;
use crate::media_type::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use proptest::prelude::*;

fn descriptor(media_type: &str, size: &str) -> String {
    let digest = Digest::of(Algorithm::Sha256, b"x");
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

fn image(extra: &str) -> String {
    let (config, layer) = (descriptor("a/config", "1"), descriptor("a/layer", "1"));
    format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]{extra}}}"#)
}

fn parse(text: &str, content_type: Option<&str>) -> Result<Manifest, ManifestError> {
    Manifest::parse(text.as_bytes(), content_type)
}

#[test]
fn an_image_and_an_index_are_read() {
    let manifest = parse(&image(""), Some(OCI_MANIFEST)).unwrap();
    assert_eq!((manifest.kind, manifest.blob_references().count()), (Kind::Image, 2));
    assert_eq!(manifest.artifact_type.as_deref(), Some("a/config"));
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptor(OCI_MANIFEST, "5"));
    let index = parse(&index, None).unwrap();
    assert_eq!((index.kind, index.media_type.as_str(), index.child_references().count()), (Kind::Index, OCI_INDEX, 1));
}

#[test]
fn its_own_artifact_type_goes_before_the_configs() {
    let manifest = parse(&image(r#","artifactType":"x/y","annotations":{"a":"b"}"#), Some(OCI_MANIFEST)).unwrap();
    assert_eq!(manifest.artifact_type.as_deref(), Some("x/y"));
    assert_eq!(manifest.annotations["a"], "b");
}

#[test]
fn foreign_layers_need_not_be_there() {
    let layer = descriptor(crate::media_type::DOCKER_FOREIGN_LAYER, "1");
    let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[{layer}]}}"#, descriptor("a/config", "1"));
    let manifest = parse(&text, Some(DOCKER_MANIFEST)).unwrap();
    assert_eq!(manifest.blob_references().count(), 1);
}

#[test]
fn what_readers_could_read_differently_is_refused() {
    use ManifestError::{Ambiguous, DuplicateKey, MediaTypeMismatch, NotJson, Schema1, UnsupportedMediaType};
    let good = image("");
    let oci = Some(OCI_MANIFEST);
    assert!(matches!(parse(&image(r#","mediaType":"a/b","mediaType":"a/b""#), oci), Err(DuplicateKey(key)) if key == "mediaType"));
    assert!(matches!(parse(&image(r#","layers":[]"#), oci), Err(DuplicateKey(_))));
    assert!(matches!(parse(&image(r#","manifests":[]"#), oci), Err(Ambiguous(_))));
    assert!(matches!(parse(&image(&format!(r#","mediaType":"{OCI_INDEX}""#)), oci), Err(MediaTypeMismatch { .. })));
    assert!(matches!(parse(&format!("{good} x"), oci), Err(NotJson(_))));
    assert!(matches!(parse(&format!("\u{feff}{good}"), oci), Err(NotJson(_))));
    assert!(matches!(parse(&"[".repeat(10_000), oci), Err(NotJson(_))));
    assert!(matches!(parse(&good, Some("text/plain")), Err(UnsupportedMediaType(_))));
    assert!(matches!(parse(r#"{"schemaVersion":1,"fsLayers":[]}"#, None), Err(Schema1)));
    let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    assert!(matches!(parse(&good, Some(schema1)), Err(Schema1)));
    assert!(parse(&format!(" \n{good}\n"), oci).is_ok());
}

#[test]
fn sizes_are_whole_numbers_that_fit() {
    for (size, fits) in
        [("0", true), ("9223372036854775807", true), ("9223372036854775808", false), ("-1", false), ("1.5", false), ("\"1\"", false)]
    {
        let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[]}}"#, descriptor("a/b", size));
        let read = parse(&text, Some(OCI_MANIFEST));
        assert_eq!(matches!(read, Err(ManifestError::SizeInvalid(_))), !fits, "{size}");
    }
}

#[test]
fn more_than_4_mib_are_too_large() {
    let big = format!("{}{}", image(""), " ".repeat(MAX_MANIFEST_BYTES));
    assert_eq!(parse(&big, Some(OCI_MANIFEST)), Err(ManifestError::TooLarge));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = Manifest::parse(&bytes, None);
    }

    #[test]
    fn any_change_of_a_manifest_is_read_or_refused(at in 0usize..200, with: u8) {
        let mut bytes = image("").into_bytes();
        let at = at % bytes.len();
        bytes[at] = with;
        let _ = Manifest::parse(&bytes, Some(OCI_MANIFEST));
    }
}
