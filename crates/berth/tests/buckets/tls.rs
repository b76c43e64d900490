//! The bucket over TLS, its certificate from an authority that nobody else knows.

use std::fs;

use berth_testkit::seaweedfs::Seaweed;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::stranger;

#[test]
fn a_bucket_behind_an_authority_of_ones_own_is_reached_by_naming_it() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (certificate, key) = (file("certificate.pem", &certificate.pem()), file("key.pem", &key.serialize_pem()));
    let bucket = Seaweed::start_with_tls(&certificate, &key);
    let mut builder = stranger(&bucket).setting("s3.endpoint", &format!("https://127.0.0.1:{}", bucket.port()));
    for (name, value) in Seaweed::environment() {
        builder = builder.env(name, value);
    }
    let node = builder.clone().setting("s3.tls_ca", &certificate.display().to_string()).start();
    let bytes = vec![5; 20 << 20];
    let digest = node.client().push_blob("team/app", &bytes);
    assert!(node.client().blob("team/app", &digest).expect(200).body == bytes);
    assert_eq!(node.berth(&["gc", "--dry-run"]).code, Some(0));
    let refused = builder.run(&node.data(), &["gc", "--dry-run"]);
    assert_ne!(refused.code, Some(0), "a certificate that nobody vouches for was taken");
}
