//! The door of ECR: what it shows.

use berth_testkit::Client;
use berth_testkit::aws::{ACCOUNT, AwsClient, REGION};
use serde_json::{Value, json};

use crate::ecr::{call, check, check_failures, check_missing, done, id, sorted};
use crate::model::{MODES, Model, Named, Reason, Repository};
use crate::oci::referrers;
use crate::pool::{Blob, Pool, TAGS};

/// More items than any list here has.
const PLENTY: usize = 1_000;

/// Filters as the API writes them.
pub fn filters(filters: &[&str]) -> Value {
    filters.iter().map(|filter| json!({ "filterType": "WILDCARD", "filter": filter })).collect()
}

/// All items of a list, page by page.
fn walk(by: &AwsClient, operation: &str, input: &Value, (list, page): (&str, usize)) -> Vec<Value> {
    let (mut input, mut all) = (input.clone(), Vec::new());
    input["maxResults"] = json!(page);
    loop {
        let answer = done(by, operation, &input);
        let items = answer[list].as_array().unwrap();
        assert!(items.len() <= page, "{answer}");
        all.extend(items.iter().cloned());
        assert!(all.len() < PLENTY, "a list without end: {operation} {input}");
        if answer["nextToken"].is_null() {
            return all;
        }
        input["nextToken"] = answer["nextToken"].clone();
    }
}

/// The repositories with which of their tags move.
pub fn show_repositories(by: &AwsClient, model: &Model<'_>, page: usize) {
    let shown = walk(by, "DescribeRepositories", &json!({}), ("repositories", page));
    let brief = |found: Value| {
        let filters = &found["imageTagMutabilityExclusionFilters"];
        let filters = if filters.is_null() { json!([]) } else { filters.clone() };
        json!([found["repositoryName"], found["repositoryArn"], found["imageTagMutability"], filters])
    };
    let shown: Vec<Value> = shown.into_iter().map(brief).collect();
    let expected = model.repositories.iter().map(|(name, repository)| {
        let (mode, given) = MODES[repository.mode];
        json!([name, format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"), mode, filters(given)])
    });
    assert_eq!(sorted(shown), sorted(expected.collect()));
}

/// Lists and descriptions of a repository's images, so many at a time.
pub fn show_images(by: &AwsClient, model: &mut Model<'_>, name: &str, page: usize) {
    let pool = model.pool;
    let input = json!({ "repositoryName": name });
    let Ok(repository) = model.repository(name) else {
        for operation in ["ListImages", "DescribeImages"] {
            check_missing(&call(by, operation, &input));
        }
        return;
    };
    for status in ["ANY", "TAGGED", "UNTAGGED"] {
        let input = json!({ "repositoryName": name, "filter": { "tagStatus": status } });
        let is_wanted = |manifest: &usize| match status {
            "TAGGED" => !repository.tags_of(*manifest).is_empty(),
            "UNTAGGED" => repository.tags_of(*manifest).is_empty(),
            _ => true,
        };
        let wanted: Vec<usize> = repository.held.iter().copied().filter(is_wanted).collect();
        let names = wanted.iter().flat_map(|manifest| names(repository, *manifest)).map(|named| id(pool, named));
        let listed = walk(by, "ListImages", &input, ("imageIds", page));
        assert_eq!(sorted(listed), sorted(names.collect()), "{status}");
        let described = walk(by, "DescribeImages", &input, ("imageDetails", page));
        assert_eq!(described.len(), wanted.len(), "{status}: {described:?}");
        for detail in described {
            let is_it = |manifest: &&usize| detail["imageDigest"] == pool.manifests[**manifest].manifest.digest;
            let manifest = wanted.iter().find(is_it).unwrap_or_else(|| panic!("{status}: {detail}"));
            check_detail(pool, (name, &mut *repository), *manifest, detail);
        }
    }
}

/// An image by each of its tags, or by its digest alone.
fn names(repository: &Repository, manifest: usize) -> Vec<Named> {
    let tags = repository.tags_of(manifest);
    let named = |tag| Named { manifest: Some(manifest), tag };
    if tags.is_empty() { vec![named(None)] } else { tags.into_iter().map(|tag| named(Some(tag))).collect() }
}

/// All that is told of an image. When it was pushed is told the same as long as it is there.
fn check_detail(pool: &Pool, (name, repository): (&str, &mut Repository), manifest: usize, mut detail: Value) {
    let entry = &pool.manifests[manifest];
    let members = detail.as_object_mut().unwrap();
    members.remove("lastRecordedPullTime");
    let pushed_at = members.remove("imagePushedAt").unwrap().to_string();
    let known = repository.pushed_at.entry(manifest).or_insert_with(|| pushed_at.clone());
    assert_eq!(*known, pushed_at, "when {manifest} was pushed");
    if let Some(tags) = members.get_mut("imageTags") {
        *tags = Value::Array(sorted(tags.as_array().unwrap().clone()));
    }
    let mut expected = json!({
        "registryId": ACCOUNT, "repositoryName": name, "imageDigest": entry.manifest.digest,
        "imageSizeInBytes": entry.size, "imageManifestMediaType": entry.manifest.media_type, "imageStatus": "ACTIVE",
    });
    let tags = repository.tags_of(manifest);
    let more = [
        ("imageTags", (!tags.is_empty()).then(|| json!(tags))),
        ("artifactMediaType", entry.artifact_type.as_ref().map(|kind| json!(kind))),
        ("subjectManifestDigest", entry.subject.as_ref().map(|subject| json!(subject))),
    ];
    for (member, value) in more {
        if let Some(value) = value {
            expected[member] = value;
        }
    }
    assert_eq!(detail, expected);
}

/// `BatchGetImage` and `DescribeImages` of one image; what it is.
pub fn show_image(by: &AwsClient, model: &Model<'_>, name: &str, image: Named) -> Option<usize> {
    show_batch(by, model, name, &[image]);
    let found = model.repositories.get(name)?.find(image).ok()?;
    let input = json!({ "repositoryName": name, "imageIds": [id(model.pool, image)] });
    let described = done(by, "DescribeImages", &input);
    let [detail] = &described["imageDetails"].as_array().unwrap()[..] else { panic!("{described}") };
    let repository = &mut model.repositories[name].clone();
    check_detail(model.pool, (name, repository), found, detail.clone());
    Some(found)
}

/// `BatchGetImage` by every digest, every tag, and by pairs of both.
pub fn show_all_images(by: &AwsClient, model: &Model<'_>, name: &str) {
    let by_digest = (0..model.pool.manifests.len()).map(|manifest| Named { manifest: Some(manifest), tag: None });
    let by_tag = TAGS.iter().map(|tag| Named { manifest: None, tag: Some(tag) });
    let by_both = TAGS.iter().enumerate().map(|(manifest, tag)| Named { manifest: Some(manifest), tag: Some(tag) });
    show_batch(by, model, name, &by_digest.chain(by_tag).chain(by_both).collect::<Vec<_>>());
}

fn show_batch(by: &AwsClient, model: &Model<'_>, name: &str, images: &[Named]) {
    let pool = model.pool;
    let ids: Vec<Value> = images.iter().map(|image| id(pool, *image)).collect();
    let reply = call(by, "BatchGetImage", &json!({ "repositoryName": name, "imageIds": ids }));
    let Some(repository) = model.repositories.get(name) else { return check_missing(&reply) };
    let (mut expected, mut failures) = (Vec::new(), Vec::new());
    for image in images {
        match repository.find(*image) {
            Ok(found) => {
                let manifest = &pool.manifests[found].manifest;
                expected.push(json!({
                    "registryId": ACCOUNT, "repositoryName": name,
                    "imageId": id(pool, Named { manifest: Some(found), tag: image.tag }),
                    "imageManifest": String::from_utf8_lossy(&manifest.bytes),
                    "imageManifestMediaType": manifest.media_type,
                }));
            }
            Err(failure) => failures.push((id(pool, *image), failure)),
        }
    }
    let answer = reply.expect(200).json();
    assert_eq!(sorted(answer["images"].as_array().unwrap().clone()), sorted(expected));
    check_failures(pool, &answer, failures);
}

/// Which layers there are.
pub fn show_layers(by: &AwsClient, model: &Model<'_>, name: &str) {
    let blobs = &model.pool.blobs;
    let digests: Vec<&str> = blobs.iter().map(|blob| blob.digest.as_str()).collect();
    let input = json!({ "repositoryName": name, "layerDigests": digests });
    let reply = call(by, "BatchCheckLayerAvailability", &input);
    let Some(repository) = model.repositories.get(name) else { return check_missing(&reply) };
    let answer = reply.expect(200).json();
    let expected = blobs.iter().enumerate().map(|(place, Blob { bytes, digest })| {
        if repository.blobs.contains(&place) {
            json!({ "layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": bytes.len() })
        } else {
            json!({ "layerDigest": digest, "layerAvailability": "UNAVAILABLE" })
        }
    });
    assert_eq!(sorted(answer["layers"].as_array().unwrap().clone()), sorted(expected.collect()));
    assert_eq!(answer["failures"], json!([]));
}

/// Where a layer can be downloaded, and that it can, by anybody.
pub fn show_download(by: &AwsClient, nobody: &Client, model: &Model<'_>, name: &str, blob: usize) {
    let Blob { bytes, digest } = &model.pool.blobs[blob];
    let reply = call(by, "GetDownloadUrlForLayer", &json!({ "repositoryName": name, "layerDigest": digest }));
    let verdict = match model.repositories.get(name) {
        None => Err(vec![Reason::NoRepository]),
        Some(there) if !there.blobs.contains(&blob) => Err(vec![Reason::NoBlob]),
        Some(there) if !there.uses(model.pool, blob) => Err(vec![Reason::BlobUnused]),
        Some(_) => Ok(()),
    };
    if check(&reply, verdict).is_ok() {
        let url = reply.json()["downloadUrl"].as_str().unwrap().to_owned();
        let (_, rest) = url.split_once("://").unwrap();
        let (host, target) = rest.split_at(rest.find('/').unwrap());
        let there = host.parse().map_or_else(|_| nobody.clone(), Client::anonymous);
        assert!(&there.get(target).expect(200).body == bytes, "other bytes than those of blob {blob}");
    }
}

/// What is about a digest.
pub fn show_referrers(
    by: &AwsClient,
    model: &Model<'_>,
    name: &str,
    (subject, kind): (&str, Option<&str>),
    page: usize,
) {
    let mut input = json!({ "repositoryName": name, "subjectId": { "imageDigest": subject } });
    if let Some(kind) = kind {
        input["filter"] = json!({ "artifactTypes": [kind] });
    }
    let Some(repository) = model.repositories.get(name) else {
        return check_missing(&call(by, "ListImageReferrers", &input));
    };
    let expected = referrers(model.pool, repository.held.iter(), subject, kind).map(|entry| {
        let mut referrer = entry.manifest.descriptor();
        referrer["artifactStatus"] = json!("ACTIVE");
        if let Some(artifact_type) = &entry.artifact_type {
            referrer["artifactType"] = json!(artifact_type);
        }
        if !entry.annotations.is_empty() {
            referrer["annotations"] = json!(entry.annotations);
        }
        referrer
    });
    let shown = walk(by, "ListImageReferrers", &input, ("referrers", page.min(50)));
    assert_eq!(sorted(shown), sorted(expected.collect()));
}
