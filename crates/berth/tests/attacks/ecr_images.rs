//! A13, A19, A20 through the door of ECR: what is put must be what it says it is, whole, and there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_testkit::aws::{AwsClient, fault_code};
use berth_testkit::{Image, Manifest, empty_index, index, media, sha256, sha512};
use serde_json::{Value, json};

use crate::ecr::{
    self, NOWHERE, begin, call, done, expect_exception, image, images, part, put_request, refused, repository, upload,
};
use crate::manifests::BAD_SIZES;
use crate::people::admin;
use crate::support::attack;

#[test]
fn a13_put_image_with_a_digest_of_other_bytes_changes_nothing() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "swap");
        let (first, second) = (empty_index("first"), empty_index("second"));
        ecr::put(&admin, "swap", "latest", &first).expect(200);
        let before = images(&admin, "swap");
        let given = [
            first.digest.clone(),
            sha512(&first.bytes),
            sha512(b"nothing"),
            sha256(b"nothing"),
            second.digest.replace("sha256:", "sha512:") + &second.digest["sha256:".len()..],
        ];
        for digest in given {
            for tag in [Some("latest"), Some("stolen"), None] {
                let mut input = put_request("swap", &second, tag);
                input["imageDigest"] = json!(digest);
                refused(&admin, "PutImage", &input, "ImageDigestDoesNotMatchException");
            }
        }
        assert_eq!(images(&admin, "swap"), before);
        let (bytes, digest) = image(&admin, "swap", &json!({ "imageTag": "latest" })).unwrap();
        assert_eq!((bytes.as_bytes(), &digest), (first.bytes.as_slice(), &first.digest));
        assert_eq!(image(&admin, "swap", &json!({ "imageDigest": second.digest })), None);
        // The same with the right digest is no attack.
        let mut input = put_request("swap", &second, Some("latest"));
        input["imageDigest"] = json!(second.digest);
        done(&admin, "PutImage", &input);
    });
}

/// Whether the repository has a layer.
fn is_available(by: &AwsClient, repository: &str, digest: &str) -> bool {
    let input = json!({ "repositoryName": repository, "layerDigests": [digest] });
    done(by, "BatchCheckLayerAvailability", &input)["layers"][0]["layerAvailability"] == "AVAILABLE"
}

#[test]
fn a13_a_layer_under_a_digest_of_other_bytes_is_no_layer() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "swap");
        let old = upload(&admin, "swap", b"old content");
        let (new, other) = (sha256(b"new content"), sha256(b"something else"));
        let lies = [vec![&other], vec![&new, &other], vec![&other, &new]];
        for digests in &lies {
            let id = begin(&admin, "swap");
            part(&admin, "swap", &id, 0, b"new content").expect(200);
            let input = json!({ "repositoryName": "swap", "uploadId": id, "layerDigests": digests });
            refused(&admin, "CompleteLayerUpload", &input, "InvalidLayerException");
            for digest in [&new, &other] {
                assert!(!is_available(&admin, "swap", digest), "{digests:?}");
                server.client().blob("swap", digest).expect(404);
            }
        }
        // Other bytes under the digest of a layer that is there: it stays what it was.
        let id = begin(&admin, "swap");
        part(&admin, "swap", &id, 0, b"new content").expect(200);
        let input = json!({ "repositoryName": "swap", "uploadId": id, "layerDigests": [old] });
        let reply = call(&admin, "CompleteLayerUpload", &input);
        let code = fault_code(&reply);
        assert!(
            matches!(code.as_deref(), Some("InvalidLayerException" | "LayerAlreadyExistsException")),
            "{}",
            reply.text()
        );
        assert_eq!(server.client().blob("swap", &old).expect(200).body, b"old content");
        assert_eq!(server.berth(&["verify"]).code, Some(0));
    });
}

#[test]
fn a19_put_image_refuses_descriptors_of_wrong_size() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "sizes");
        let small = Image::small("sizes");
        ecr::push(&admin, "sizes", "good", &small);
        let before = images(&admin, "sizes");
        let text = String::from_utf8(small.manifest.bytes.clone()).unwrap();
        let parent = String::from_utf8(index(&[small.manifest.descriptor()]).bytes).unwrap();
        let cases = [
            (media::MANIFEST, &text, small.config.len()),
            (media::MANIFEST, &text, small.layers[0].len()),
            (media::INDEX, &parent, small.manifest.bytes.len()),
        ];
        for (media_type, body, length) in cases {
            let right = format!("\"size\":{length}");
            assert_eq!(body.matches(&right).count(), 1, "{body}");
            let near = [length + 1, length - 1, 0].map(|size| size.to_string());
            let wrong = near.iter().map(String::as_str).chain(BAD_SIZES).map(|size| format!("\"size\":{size}"));
            for size in wrong.chain(["\"size_\":1".to_owned()]) {
                let manifest = Manifest::from_bytes(media_type, body.replace(&right, &size).into_bytes());
                let input = put_request("sizes", &manifest, Some("latest"));
                refused(&admin, "PutImage", &input, "InvalidParameterException");
            }
        }
        assert_eq!(images(&admin, "sizes"), before);
    });
}

#[test]
fn a19_parts_of_wrong_size_are_refused_and_the_upload_goes_on() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "sizes");
        let id = begin(&admin, "sizes");
        let whole = vec![7_u8; 5 * 1024 * 1024 + 100];
        let (first, last) = whole.split_at(5 * 1024 * 1024);
        part(&admin, "sizes", &id, 0, first).expect(200);
        let held = first.len();
        let blob = STANDARD.encode(last);
        let tries: Vec<(Value, Value, &str)> = vec![
            (json!(held), json!(held), "InvalidLayerPartException"),
            (json!(held), json!(held + 100), "InvalidLayerPartException"),
            (json!(held), json!(held - 1), "InvalidLayerPartException"),
            (json!(held), json!(0), "InvalidLayerPartException"),
            (json!(held), json!(i64::MAX), "InvalidLayerPartException"),
            (json!(held - 1), json!(held + 98), "InvalidLayerPartException"),
            (json!(held + 1), json!(held + 100), "InvalidLayerPartException"),
            (json!(0), json!(99), "InvalidLayerPartException"),
            (json!(i64::MAX), json!(i64::MAX), "InvalidLayerPartException"),
            (json!(i64::MAX - 99), json!(i64::MAX), "InvalidLayerPartException"),
            (json!(-1), json!(98), "InvalidParameterException"),
            (json!(i64::MIN), json!(i64::MIN), "InvalidParameterException"),
            (json!(9_223_372_036_854_775_808_u64), json!(held), "SerializationException"),
            (json!(held), json!(u64::MAX), "SerializationException"),
            (json!(1e300), json!(held), "SerializationException"),
            (json!("0"), json!(99), "SerializationException"),
            (json!(null), json!(99), "InvalidParameterException"),
        ];
        for (from, to, exception) in tries {
            let input = json!({
                "repositoryName": "sizes", "uploadId": id, "partFirstByte": from, "partLastByte": to,
                "layerPartBlob": blob,
            });
            let reply = call(&admin, "UploadLayerPart", &input);
            expect_exception(&format!("{from} to {to}"), &reply, exception);
            if exception == "InvalidLayerPartException" {
                let told = reply.json();
                assert_eq!(told["lastValidByteReceived"], json!(held - 1), "{told}");
                assert_eq!((&told["uploadId"], &told["repositoryName"]), (&json!(id), &json!("sizes")), "{told}");
            }
        }
        part(&admin, "sizes", &id, held, last).expect(200);
        let digest = sha256(&whole);
        let input = json!({ "repositoryName": "sizes", "uploadId": id, "layerDigests": [digest] });
        done(&admin, "CompleteLayerUpload", &input);
        assert_eq!(server.client().blob("sizes", &digest).expect(200).body, whole);
    });
}

#[test]
fn a20_put_image_refuses_what_is_not_whole_and_the_tag_stays() {
    attack(|server| {
        let admin = admin(server);
        for name in ["missing", "other"] {
            repository(&admin, name);
        }
        let (old, new, elsewhere) = (Image::small("old"), Image::small("new"), Image::small("elsewhere"));
        ecr::push(&admin, "missing", "latest", &old);
        ecr::push(&admin, "other", "latest", &elsewhere);
        let refuse = |manifest: &Manifest, exception: &str| {
            for tag in [Some("latest"), Some("fresh"), None] {
                refused(&admin, "PutImage", &put_request("missing", manifest, tag), exception);
            }
            assert_eq!(ecr::tagged(&admin, "missing", "latest").as_ref(), Some(&old.manifest.digest));
            assert_eq!(ecr::tagged(&admin, "missing", "fresh"), None);
            assert_eq!(image(&admin, "missing", &json!({ "imageDigest": manifest.digest })), None);
        };
        refuse(&new.manifest, "LayersNotFoundException");
        upload(&admin, "missing", &new.config);
        refuse(&new.manifest, "LayersNotFoundException");
        upload(&admin, "missing", &new.layers[0]);
        ecr::put(&admin, "missing", "new", &new.manifest).expect(200);
        // Content of another repository counts as missing.
        refuse(&elsewhere.manifest, "LayersNotFoundException");
        let children = "ReferencedImagesNotFoundException";
        refuse(&index(&[old.manifest.descriptor(), elsewhere.manifest.descriptor()]), children);
        refuse(&index(&[Image::small("nowhere").manifest.descriptor()]), children);
        let input = json!({ "repositoryName": "missing", "layerDigest": NOWHERE });
        refused(&admin, "GetDownloadUrlForLayer", &input, "LayersNotFoundException");
        let of_other = json!({ "repositoryName": "missing", "layerDigest": sha256(&elsewhere.layers[0]) });
        refused(&admin, "GetDownloadUrlForLayer", &of_other, "LayersNotFoundException");
    });
}
