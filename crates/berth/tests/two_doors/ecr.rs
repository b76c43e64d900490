//! The door of ECR: what is done there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_testkit::aws::{AwsClient, fault_code};
use berth_testkit::{Client, Reply};
use serde_json::{Value, json};

use crate::ecr_view;
use crate::model::{Failure, MODES, Model, Named, Reason, Verdict};
use crate::pool::{Blob, PART, Pool};

/// The exception of a refusal. The rest are not refused here.
fn exception(reason: Reason) -> &'static str {
    match reason {
        Reason::NoRepository => "RepositoryNotFoundException",
        Reason::RepositoryExists => "RepositoryAlreadyExistsException",
        Reason::RepositoryNotEmpty => "RepositoryNotEmptyException",
        Reason::NoManifest => "ImageNotFoundException",
        Reason::ManifestExists => "ImageAlreadyExistsException",
        Reason::TagStays => "ImageTagAlreadyExistsException",
        Reason::OtherDigest => "ImageDigestDoesNotMatchException",
        Reason::BlobsMissing | Reason::NoBlob => "LayersNotFoundException",
        Reason::ChildrenMissing => "ReferencedImagesNotFoundException",
        Reason::BlobExists => "LayerAlreadyExistsException",
        Reason::BlobUnused => "LayerInaccessibleException",
        other => panic!("{other:?} is nothing that this door refuses"),
    }
}

/// Fails unless the reply is what the verdict says, which it gives back.
#[track_caller]
pub fn check(reply: &Reply, verdict: Verdict) -> Verdict {
    let told = fault_code(reply);
    match &verdict {
        Ok(()) => assert_eq!(reply.status, 200, "{}", reply.text()),
        Err(reasons) => {
            let is_one = reasons.iter().any(|reason| told.as_deref() == Some(exception(*reason)));
            assert!(is_one && reply.status == 400, "refused for {reasons:?}, told {} {}", reply.status, reply.text());
        }
    }
    verdict
}

/// Fails unless the reply says that there is no such repository.
#[track_caller]
pub fn check_missing(reply: &Reply) {
    assert!(check(reply, Err(vec![Reason::NoRepository])).is_err());
}

/// Calls an operation.
pub fn call(by: &AwsClient, operation: &str, input: &Value) -> Reply {
    by.ecr(operation, &input.to_string())
}

/// The answer of an operation that must be done.
#[track_caller]
pub fn done(by: &AwsClient, operation: &str, input: &Value) -> Value {
    call(by, operation, input).expect(200).json()
}

/// Members of a request that say which tags move.
fn mutability(name: &str, mode: usize) -> Value {
    let (mode, filters) = MODES[mode];
    let mut input = json!({ "repositoryName": name, "imageTagMutability": mode });
    if !filters.is_empty() {
        input["imageTagMutabilityExclusionFilters"] = ecr_view::filters(filters);
    }
    input
}

pub fn create(by: &AwsClient, model: &mut Model<'_>, name: &'static str, mode: usize) -> Verdict {
    check(&call(by, "CreateRepository", &mutability(name, mode)), model.create(name, mode))
}

pub fn set_mutability(by: &AwsClient, model: &mut Model<'_>, name: &str, mode: usize) -> Verdict {
    let set = model.repository(name).map(|repository| repository.mode = mode);
    check(&call(by, "PutImageTagMutability", &mutability(name, mode)), set)
}

pub fn delete_repository(by: &AwsClient, model: &mut Model<'_>, name: &str, force: bool) -> Verdict {
    let reply = call(by, "DeleteRepository", &json!({ "repositoryName": name, "force": force }));
    check(&reply, model.delete_repository(name, force))
}

/// Sends a layer, a large one in two parts.
pub fn upload(by: &AwsClient, model: &mut Model<'_>, name: &str, blob: usize) -> Verdict {
    let pool = model.pool;
    let Blob { bytes, digest } = &pool.blobs[blob];
    let begun = call(by, "InitiateLayerUpload", &json!({ "repositoryName": name }));
    let verdict = model.upload_layer(name, blob);
    if matches!(&verdict, Err(reasons) if reasons.contains(&Reason::NoRepository)) {
        return check(&begun, verdict);
    }
    let id = begun.expect(200).json()["uploadId"].clone();
    let mut sent = 0;
    for part in bytes.chunks(PART) {
        let last = sent + part.len() - 1;
        let input = json!({
            "repositoryName": name, "uploadId": id, "partFirstByte": sent, "partLastByte": last,
            "layerPartBlob": STANDARD.encode(part),
        });
        assert_eq!(done(by, "UploadLayerPart", &input)["lastByteReceived"], json!(last));
        sent += part.len();
    }
    let input = json!({ "repositoryName": name, "uploadId": id, "layerDigests": [digest] });
    check(&call(by, "CompleteLayerUpload", &input), verdict)
}

pub fn put(
    by: &AwsClient,
    model: &mut Model<'_>,
    (name, manifest): (&str, usize),
    tag: Option<&'static str>,
    digest: Option<bool>,
) -> Verdict {
    let pool = model.pool;
    let put = &pool.manifests[manifest].manifest;
    let other = &pool.manifests[(manifest + 1) % pool.manifests.len()].manifest.digest;
    let text = String::from_utf8(put.bytes.clone()).unwrap();
    let mut input = json!({ "repositoryName": name, "imageManifest": text });
    if let Some(tag) = tag {
        input["imageTag"] = json!(tag);
    }
    if let Some(is_right) = digest {
        input["imageDigest"] = json!(if is_right { &put.digest } else { other });
    }
    let reply = call(by, "PutImage", &input);
    let verdict = check(&reply, model.put(name, manifest, tag, digest != Some(false)));
    if reply.status == 200 {
        let image = &reply.json()["image"];
        assert_eq!(image["imageId"], id(pool, Named { manifest: Some(manifest), tag }));
        assert_eq!((&image["imageManifest"], &image["imageManifestMediaType"]), (&json!(text), &json!(put.media_type)));
    }
    verdict
}

/// How an image is named in a request, and in answers.
pub fn id(pool: &Pool, named: Named) -> Value {
    let mut id = json!({});
    if let Some(manifest) = named.manifest {
        id["imageDigest"] = json!(pool.manifests[manifest].manifest.digest);
    }
    if let Some(tag) = named.tag {
        id["imageTag"] = json!(tag);
    }
    id
}

pub fn batch_delete(by: &AwsClient, model: &mut Model<'_>, name: &str, images: &[Named]) -> Verdict {
    let pool = model.pool;
    let ids: Vec<Value> = images.iter().map(|image| id(pool, *image)).collect();
    let reply = call(by, "BatchDeleteImage", &json!({ "repositoryName": name, "imageIds": ids }));
    let repository = match model.repository(name) {
        Ok(repository) => repository,
        Err(reasons) => return check(&reply, Err(reasons)),
    };
    let (mut gone, mut failures) = (Vec::new(), Vec::new());
    for image in images {
        match repository.batch_delete(pool, *image) {
            Ok(removed) => gone.extend(removed.into_iter().map(|removed| id(pool, removed))),
            Err(failure) => failures.push((id(pool, *image), failure)),
        }
    }
    let answer = reply.expect(200).json();
    assert_eq!(sorted(answer["imageIds"].as_array().unwrap().clone()), sorted(gone));
    check_failures(pool, &answer, failures);
    Ok(())
}

/// The failures of a batch, in whatever order.
#[track_caller]
pub fn check_failures(pool: &Pool, answer: &Value, mut expected: Vec<(Value, Failure)>) {
    for failure in answer["failures"].as_array().unwrap() {
        let is_it = |(id, kind): &(Value, Failure)| failure["imageId"] == *id && is_told(pool, failure, kind);
        let place = expected.iter().position(is_it);
        expected.remove(place.unwrap_or_else(|| panic!("{failure} is none of {expected:?}")));
    }
    assert_eq!(expected, [], "failures that were not told: {answer}");
}

fn is_told(pool: &Pool, failure: &Value, kind: &Failure) -> bool {
    let reason = failure["failureReason"].as_str().unwrap();
    let (code, names_why) = match kind {
        Failure::NotFound => ("ImageNotFound", true),
        Failure::TagOfOther => ("ImageTagDoesNotMatchDigest", true),
        Failure::NoName => ("MissingDigestAndTag", true),
        Failure::ListedBy(indexes) => {
            let names_one = indexes.iter().any(|index| reason.contains(&pool.manifests[*index].manifest.digest));
            ("ImageReferencedByManifestList", names_one)
        }
    };
    failure["failureCode"] == code && names_why && !reason.is_empty()
}

/// Values in the order of their text.
pub fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by_key(Value::to_string);
    values
}

/// Pulls an image as tools do that use the API: the manifest, then each layer from where it is said to be.
pub fn pull(by: &AwsClient, nobody: &Client, model: &Model<'_>, name: &str, image: Named) -> Verdict {
    let found = ecr_view::show_image(by, model, name, image).ok_or_else(|| vec![Reason::NoManifest])?;
    for blob in &model.pool.manifests[found].blobs {
        ecr_view::show_download(by, nobody, model, name, *blob);
    }
    Ok(())
}
