//! A manifest is read as any other JSON reader would read it, whatever type it is sent as.
#![no_main]

use berth_oci::manifest::{Descriptor, Kind, Manifest};
use berth_oci::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_ARTIFACT, OCI_INDEX, OCI_MANIFEST};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const TYPES: [Option<&str>; 7] = [
    None,
    Some(OCI_MANIFEST),
    Some(OCI_INDEX),
    Some(OCI_ARTIFACT),
    Some(DOCKER_MANIFEST),
    Some(DOCKER_LIST),
    Some("application/json"),
];

fuzz_target!(|bytes: &[u8]| {
    for sent in TYPES {
        let read = Manifest::parse(bytes, sent);
        match &read {
            Ok(manifest) => check(bytes, sent, manifest),
            Err(error) => assert!(error.to_string().len() < 1000),
        }
        let padded = [bytes, b" \n"].concat();
        assert_eq!(Manifest::parse(&padded, sent).is_ok(), read.is_ok());
        let followed = [bytes, b" x"].concat();
        assert!(Manifest::parse(&followed, sent).is_err());
    }
});

fn check(bytes: &[u8], sent: Option<&str>, manifest: &Manifest) {
    let document: Value = serde_json::from_slice(bytes).unwrap();
    let said = document["mediaType"].as_str().filter(|text| !text.is_empty());
    for given in sent.into_iter().chain(said) {
        assert_eq!(manifest.media_type.as_str(), given);
    }
    match manifest.kind {
        Kind::Image => assert!(manifest.config.is_some() && manifest.manifests.is_empty()),
        Kind::Index => assert!(manifest.config.is_none() && manifest.layers.is_empty()),
        Kind::Artifact => assert!(manifest.config.is_none() && manifest.manifests.is_empty()),
    }
    let layers = if manifest.kind == Kind::Artifact { "blobs" } else { "layers" };
    same_list(&document[layers], &manifest.layers);
    same_list(&document["manifests"], &manifest.manifests);
    same_list(&document["config"], manifest.config.as_slice());
    same_list(&document["subject"], manifest.subject.as_slice());
    assert!(manifest.blob_references().count() + manifest.child_references().count() <= 20_001);
}

fn same_list(json: &Value, read: &[Descriptor]) {
    match json {
        Value::Null => assert!(read.is_empty()),
        Value::Array(list) => {
            assert_eq!(list.len(), read.len());
            list.iter().zip(read).for_each(|(json, read)| same(json, read));
        }
        one => same(one, &read[0]),
    }
}

fn same(json: &Value, read: &Descriptor) {
    assert_eq!(json["mediaType"], read.media_type.as_str());
    assert_eq!(json["digest"], read.digest.to_string());
    assert_eq!(json["size"], read.size);
    assert!(i64::try_from(read.size).is_ok());
    let urls = json["urls"].as_array().map_or(0, Vec::len);
    assert_eq!(urls, read.urls.len());
}
