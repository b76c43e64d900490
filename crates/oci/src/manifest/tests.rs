use super::*;
use crate::digest::Algorithm;
use crate::digest::Digest;
use crate::media_type::{DOCKER_MANIFEST, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST};
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
    assert!(
        matches!(parse(&image(r#","mediaType":"a/b","mediaType":"a/b""#), oci), Err(DuplicateKey(key)) if key == "mediaType")
    );
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
fn fields_and_type_must_agree() {
    use ManifestError::{Ambiguous, Invalid, Schema1};
    let config = descriptor("a/config", "1");
    let table = [
        (OCI_INDEX, r#""manifests":[],"layers":[]"#.to_owned()),
        (OCI_INDEX, format!(r#""manifests":[],"config":{config}"#)),
        (OCI_INDEX, format!(r#""layers":[],"config":{config}"#)),
        (OCI_MANIFEST, format!(r#""layers":[],"config":{config},"manifests":null"#)),
        (OCI_MANIFEST, r#""manifests":[]"#.to_owned()),
        (OCI_ARTIFACT, r#""manifests":[]"#.to_owned()),
        (OCI_ARTIFACT, r#""blobs":[],"layers":[]"#.to_owned()),
    ];
    for (media_type, fields) in table {
        let text = format!(r#"{{"schemaVersion":2,{fields}}}"#);
        assert!(matches!(parse(&text, Some(media_type)), Err(Ambiguous(_))), "{text}");
    }
    let missing = [
        (OCI_INDEX, String::new(), "manifests"),
        (OCI_MANIFEST, format!(r#","config":{config}"#), "layers"),
        (OCI_MANIFEST, r#","layers":[]"#.to_owned(), "config"),
        (OCI_MANIFEST, r#","layers":[],"config":null"#.to_owned(), "config"),
    ];
    for (media_type, fields, name) in missing {
        let text = format!(r#"{{"schemaVersion":2{fields}}}"#);
        assert!(matches!(parse(&text, Some(media_type)), Err(Invalid { field, .. }) if field == name), "{text}");
    }
    assert_eq!(parse(&image(r#","fsLayers":[]"#), Some(OCI_MANIFEST)), Err(Schema1));
    for version in ["1.0", "3", "\"2\"", "null", "-2"] {
        let text = image("").replacen('2', version, 1);
        assert!(matches!(parse(&text, Some(OCI_MANIFEST)), Err(Invalid { .. })), "{version}");
    }
}

#[test]
fn without_any_type_the_shape_tells() {
    assert_eq!(parse(&image(""), None).unwrap().media_type.as_str(), OCI_MANIFEST);
    assert_eq!(parse(&image(""), Some(" ")).unwrap().media_type.as_str(), OCI_MANIFEST);
    let docker = image(&format!(r#","mediaType":"{DOCKER_MANIFEST}""#));
    assert_eq!(parse(&docker, None).unwrap().media_type.as_str(), DOCKER_MANIFEST);
    assert!(parse(r#"{"schemaVersion":2}"#, None).is_err());
    assert!(parse(r#"{"schemaVersion":2,"layers":[]}"#, None).is_err());
}

#[test]
fn lists_may_be_empty_or_null() {
    let config = descriptor("a/config", "1");
    for empty in ["[]", "null"] {
        let text =
            format!(r#"{{"schemaVersion":2,"config":{config},"layers":{empty},"annotations":null,"subject":null}}"#);
        assert_eq!(parse(&text, Some(OCI_MANIFEST)).unwrap().layers.len(), 0);
        let index = format!(r#"{{"schemaVersion":2,"manifests":{empty}}}"#);
        assert_eq!(parse(&index, Some(OCI_INDEX)).unwrap().artifact_type, None);
    }
}

#[test]
fn an_artifact_manifest_has_blobs_and_no_version() {
    let text = format!(
        r#"{{"artifactType":"a/b","blobs":[{}],"subject":{}}}"#,
        descriptor("a/c", "1"),
        descriptor("a/d", "2")
    );
    let artifact = parse(&text, Some(OCI_ARTIFACT)).unwrap();
    assert_eq!((artifact.kind, artifact.blob_references().count()), (Kind::Artifact, 1));
    assert_eq!(artifact.artifact_type.as_deref(), Some("a/b"));
    assert_eq!(artifact.subject.unwrap().size, 2);
}

#[test]
fn everything_that_a_descriptor_says_is_read() {
    let digest = Digest::of(Algorithm::Sha512, b"{}");
    let text = format!(
        r#"{{"schemaVersion":2,"artifactType":"a/index","manifests":[{{"mediaType":"{OCI_MANIFEST}","digest":"{digest}","size":2,
        "data":"e30=","urls":["http://127.0.0.1/"],"artifactType":"a/b","annotations":{{"k":"v"}},"new":[{{}}],
        "platform":{{"architecture":"arm64","os":"linux","variant":"v8","os.features":["f"],"features":["sse4"]}}}}]}}"#
    );
    let index = parse(&text, Some(OCI_INDEX)).unwrap();
    assert_eq!(index.artifact_type.as_deref(), Some("a/index"));
    let platform = Platform {
        architecture: "arm64".to_owned(),
        os: "linux".to_owned(),
        variant: "v8".to_owned(),
        os_features: vec!["f".to_owned()],
        ..Platform::default()
    };
    let expected = Descriptor {
        media_type: MediaType::parse(OCI_MANIFEST).unwrap(),
        digest,
        size: 2,
        urls: vec!["http://127.0.0.1/".to_owned()],
        artifact_type: Some("a/b".to_owned()),
        platform: Some(platform),
        annotations: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
    };
    assert_eq!(index.manifests, [expected]);
}

fn with_config_fields(fields: &str) -> Result<Manifest, ManifestError> {
    let config = descriptor("a/config", "1").replacen('{', &format!("{{{fields},"), 1);
    parse(&format!(r#"{{"schemaVersion":2,"config":{config},"layers":[]}}"#), Some(OCI_MANIFEST))
}

#[test]
fn fields_of_the_wrong_kind_are_named() {
    let table = [
        (r#""urls":"x""#, "config.urls"),
        (r#""urls":[1]"#, "config.urls"),
        (r#""annotations":{"a":1}"#, "config.annotations"),
        (r#""annotations":["a"]"#, "config.annotations"),
        (r#""platform":"linux""#, "config.platform"),
        (r#""platform":{"os":1}"#, "config.platform.os"),
        (r#""artifactType":{}"#, "config.artifactType"),
        (r#""data":"e30""#, "config.data"),
        (r#""data":"eHg=""#, "config.data"),
        (r#""data":"eQ==""#, "config.data"),
        (r#""data":1"#, "config.data"),
        (r#""Digest":"x""#, "Digest"),
        ("\"dige\u{17f}t\":1", "dige\u{17f}t"),
    ];
    for (fields, name) in table {
        let error = with_config_fields(fields).unwrap_err();
        assert!(matches!(&error, ManifestError::Invalid { field, .. } if field == name), "{fields}: {error}");
    }
    assert!(with_config_fields(r#""data":"eA==","annotations":{"Digest":"kept"}"#).is_ok());
    assert!(matches!(with_config_fields(r#""digest":"x""#), Err(ManifestError::DuplicateKey(_))));
    let layers = image("").replace("\"layers\":[", "\"layers\":[1,");
    let error = parse(&layers, Some(OCI_MANIFEST)).unwrap_err();
    assert!(matches!(&error, ManifestError::Invalid { field, .. } if field == "layers[0]"), "{error}");
    for bad in ["sha256:..%2f..", "md5:00", ""] {
        let text = image("").replacen(&Digest::of(Algorithm::Sha256, b"x").to_string(), bad, 1);
        let error = parse(&text, Some(OCI_MANIFEST)).unwrap_err();
        assert!(matches!(&error, ManifestError::DigestInvalid { field, .. } if field == "config.digest"), "{error}");
    }
}

#[test]
fn keys_are_compared_as_they_read_and_everywhere() {
    let twice = [
        r#","l\u0061yers":[]"#,
        r#","x":[[{"a":1,"b":2,"a":3}]]"#,
        r#","annotations":{"a":"1","a":"2"}"#,
        r#","":1,"":2"#,
    ];
    for extra in twice {
        assert!(matches!(parse(&image(extra), Some(OCI_MANIFEST)), Err(ManifestError::DuplicateKey(_))), "{extra}");
    }
    assert!(matches!(parse(&image(r#","Manifests":[]"#), Some(OCI_MANIFEST)), Err(ManifestError::Invalid { .. })));
    assert!(parse(&image(r#","x":{"a":{"a":{"A":1}}},"y":[1e2,-1,true,null,"é\u00e9"]"#), Some(OCI_MANIFEST)).is_ok());
}

#[test]
fn messages_do_not_repeat_a_megabyte() {
    let long = "x".repeat(1 << 20);
    let texts = [
        image(&format!(r#","{long}":1,"{long}":2"#)),
        image(&format!(r#","mediaType":"{long}""#)),
        image(&format!(r#","artifactType":"{long}""#)),
    ];
    for text in texts {
        assert!(parse(&text, Some(OCI_MANIFEST)).unwrap_err().to_string().len() < 400);
        assert!(parse(&text, Some(&long)).unwrap_err().to_string().len() < 400);
    }
}

#[test]
fn twenty_thousand_descriptors_are_the_most() {
    let digest = Digest::of(Algorithm::Sha256, b"x");
    let child = format!(
        r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{digest}","size":1,"platform":{{"architecture":"a","os":"b"}}}}"#
    );
    let index = |count: usize| {
        let list = vec![child.as_str(); count].join(",");
        format!(r#"{{"schemaVersion":2,"manifests":[{list}]}}"#)
    };
    // Platforms make them too long for 4 MiB, so the limit of the bytes is left out here.
    let read = |text: &str| json::parse(text.as_bytes(), &read::SHAPE).and_then(|json| read::manifest(&json, None));
    assert_eq!(read(&index(read::MAX_DESCRIPTORS)).unwrap().manifests.len(), 20_000);
    assert!(matches!(read(&index(read::MAX_DESCRIPTORS + 1)), Err(ManifestError::Invalid { .. })));
}

#[test]
fn what_is_kept_of_wide_documents_is_bounded() {
    let wide = |unit: &str| unit.repeat(3_900_000 / unit.len());
    let ignored = ["{\"\":0},", "0,", "[],", "\"\","];
    for unit in ignored {
        let text = image(&format!(r#","x":[{}0]"#, wide(unit)));
        assert!(parse(&text, Some(OCI_MANIFEST)).is_ok(), "{unit}");
    }
    for unit in ignored {
        let layers = image("").replace("\"layers\":[", &format!("\"layers\":[{}", wide(unit)));
        let urls = with_config_fields(&format!(r#""urls":[{}0]"#, wide(unit)));
        for read in [parse(&layers, Some(OCI_MANIFEST)), urls] {
            assert!(matches!(read, Err(ManifestError::Invalid { field, .. }) if field == "the manifest"), "{unit}");
        }
    }
    let entries: Vec<String> = (0..200_000).map(|n| format!(r#""{n:x}":"""#)).collect();
    let text = image(&format!(r#","annotations":{{{}}}"#, entries.join(",")));
    assert!(matches!(parse(&text, Some(OCI_MANIFEST)), Err(ManifestError::Invalid { .. })));
}

#[test]
fn sizes_are_whole_numbers_that_fit() {
    for (size, fits) in [
        ("0", true),
        ("9223372036854775807", true),
        ("9223372036854775808", false),
        ("-1", false),
        ("1.5", false),
        ("\"1\"", false),
        ("1e1", false),
        ("null", false),
        ("[]", false),
        ("true", false),
    ] {
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
