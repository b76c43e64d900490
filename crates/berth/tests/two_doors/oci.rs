//! The door of OCI: what is done there, and what it shows.

use berth_testkit::aws::encode;
use berth_testkit::{Client, Reply, path_and_query, target_of};
use serde_json::{Value, json};

use crate::model::{Model, Named, Reason, Repository, Verdict};
use crate::pool::{Blob, NAMES, PART, Pool, TAGS};
use crate::step::{By, Way};

/// Status and code of a refusal (`docs/reference/http-api.md`). The rest are not refused here.
fn code(reason: Reason) -> (u16, &'static str) {
    match reason {
        Reason::NoRepository => (404, "NAME_UNKNOWN"),
        Reason::NoManifest => (404, "MANIFEST_UNKNOWN"),
        Reason::NoBlob => (404, "BLOB_UNKNOWN"),
        Reason::OtherDigest => (400, "DIGEST_INVALID"),
        Reason::BlobsMissing | Reason::ChildrenMissing => (400, "MANIFEST_BLOB_UNKNOWN"),
        Reason::TagStays => (400, "TAG_INVALID"),
        Reason::BlobInUse => (405, "UNSUPPORTED"),
        Reason::ManifestInUse => (403, "DENIED"),
        other => panic!("{other:?} is nothing that this door refuses"),
    }
}

/// Fails unless the reply is what the verdict says, which it gives back.
#[track_caller]
fn check(reply: &Reply, done: u16, verdict: Verdict) -> Verdict {
    let told = (reply.status, reply.error_code());
    match &verdict {
        Ok(()) => assert_eq!(reply.status, done, "{}", reply.text()),
        Err(reasons) => {
            let is_one = reasons.iter().any(|reason| {
                let (status, code) = code(*reason);
                told == (status, Some(code.to_owned()))
            });
            assert!(is_one, "refused for {reasons:?}, but told {} {}", reply.status, reply.text());
        }
    }
    verdict
}

#[track_caller]
fn refused(reply: &Reply, reason: Reason) {
    assert!(check(reply, 200, Err(vec![reason])).is_err());
}

/// Sends a blob.
pub fn upload(client: &Client, model: &mut Model<'_>, name: &'static str, blob: usize, way: Way) -> Verdict {
    let Blob { bytes, digest } = &model.pool.blobs[blob];
    let other = &model.pool.blobs[(blob + 1) % model.pool.blobs.len()].digest;
    let reply = match way {
        Way::Post => {
            let target = format!("/v2/{name}/blobs/uploads/?digest={digest}");
            client.request("POST", &target, &[("Content-Type", "application/octet-stream")], bytes)
        }
        Way::Chunks => {
            let (mut location, mut sent) = (client.start_upload(name), 0);
            for chunk in bytes.chunks(bytes.len().div_ceil(3)) {
                location = target_of(&client.patch_upload(&location, sent, chunk).expect(202));
                sent += chunk.len();
            }
            client.finish_upload(&location, digest, &[])
        }
        Way::Lie => client.finish_upload(&client.start_upload(name), other, bytes),
        Way::Whole | Way::Layer => client.finish_upload(&client.start_upload(name), digest, bytes),
    };
    check(&reply, 201, model.upload(name, blob, way != Way::Lie))
}

/// Mounts a blob. Where there is none, an upload begins, which is given up.
pub fn mount(client: &Client, model: &mut Model<'_>, name: &'static str, blob: usize, from: Option<&str>) -> Verdict {
    let from_there = from.map_or_else(String::new, |from| format!("&from={from}"));
    let target = format!("/v2/{name}/blobs/uploads/?mount={}{from_there}", model.pool.blobs[blob].digest);
    let reply = client.request("POST", &target, &[], &[]);
    if model.mount(name, blob, from) {
        reply.expect(201);
        return Ok(());
    }
    client.delete(&target_of(&reply.expect(202))).expect(204);
    Err(vec![Reason::NoBlob])
}

pub fn delete_blob(client: &Client, model: &mut Model<'_>, name: &str, blob: usize) -> Verdict {
    let reply = client.delete(&format!("/v2/{name}/blobs/{}", model.pool.blobs[blob].digest));
    check(&reply, 202, model.delete_blob(name, blob))
}

pub fn push(client: &Client, model: &mut Model<'_>, name: &'static str, manifest: usize, by: By) -> Verdict {
    let pool = model.pool;
    let pushed = &pool.manifests[manifest].manifest;
    let other = &pool.manifests[(manifest + 1) % pool.manifests.len()].manifest.digest;
    let (reference, tags) = match by {
        By::Tag(tag) => (tag.to_owned(), vec![tag]),
        By::Digest(one, two) => {
            let tags: Vec<&'static str> = one.into_iter().chain(two).collect();
            let with_tag = |target: String, tag: &&str| path_and_query(&target, &format!("tag={tag}"));
            (tags.iter().fold(pushed.digest.clone(), with_tag), tags)
        }
        By::Lie => (other.clone(), Vec::new()),
    };
    let reply = client.push_manifest(name, &reference, pushed);
    let verdict = check(&reply, 201, model.push(name, manifest, &tags, !matches!(by, By::Lie)));
    if reply.status == 201 {
        assert_eq!(reply.header("docker-content-digest"), Some(pushed.digest.as_str()));
        assert_eq!(reply.header("oci-subject"), pool.manifests[manifest].subject.as_deref());
    }
    verdict
}

pub fn untag(client: &Client, model: &mut Model<'_>, name: &str, tag: &str) -> Verdict {
    check(&client.delete(&format!("/v2/{name}/manifests/{tag}")), 202, model.untag(name, tag))
}

pub fn delete(client: &Client, model: &mut Model<'_>, name: &str, manifest: usize) -> Verdict {
    let digest = &model.pool.manifests[manifest].manifest.digest;
    check(&client.delete(&format!("/v2/{name}/manifests/{digest}")), 202, model.delete(name, manifest))
}

/// Pulls an image as clients do: by its digest where that is known, with all that it names.
pub fn pull(client: &Client, model: &Model<'_>, name: &str, image: Named) -> Verdict {
    let found = match (image.manifest, image.tag) {
        (Some(manifest), _) => show_by_digest(client, model, name, manifest),
        (None, Some(tag)) => show_tag(client, model, name, tag),
        (None, None) => None,
    };
    for blob in found.iter().flat_map(|manifest| &model.pool.manifests[*manifest].blobs) {
        let Blob { bytes, digest } = &model.pool.blobs[*blob];
        assert!(&client.blob(name, digest).expect(200).body == bytes, "other bytes than those of blob {blob}");
    }
    found.map(drop).ok_or_else(|| vec![missing(model, name, Reason::NoManifest)])
}

/// The repositories, so many at a time.
pub fn show_catalog(client: &Client, model: &Model<'_>, page: usize) {
    let names: Vec<&str> = model.repositories.keys().copied().collect();
    assert_eq!(walk(client, &format!("/v2/_catalog?n={page}"), "repositories"), names);
}

/// The tags of a repository, so many at a time.
pub fn show_tags(client: &Client, model: &Model<'_>, name: &str, page: usize) {
    let target = format!("/v2/{name}/tags/list?n={page}");
    match model.repositories.get(name) {
        Some(repository) => {
            assert_eq!(walk(client, &target, "tags"), repository.tags.keys().copied().collect::<Vec<_>>());
        }
        None => refused(&client.get(&target), Reason::NoRepository),
    }
}

/// All items of a list, page by page.
fn walk(client: &Client, first: &str, list: &str) -> Vec<String> {
    let (mut all, mut next) = (Vec::new(), Some(first.to_owned()));
    while let Some(target) = next {
        let reply = client.get(&target).expect(200);
        let page: Vec<String> = serde_json::from_value(reply.json()[list].clone()).unwrap();
        all.extend(page);
        next = reply.header("link").map(|link| {
            let (target, _) = link.strip_prefix('<').and_then(|rest| rest.split_once('>')).unwrap();
            target.to_owned()
        });
        assert!(all.len() <= TAGS.len().max(NAMES.len()), "a list without end: {all:?}");
    }
    all
}

/// What a tag gives; the manifest that it is.
pub fn show_tag(client: &Client, model: &Model<'_>, name: &str, tag: &str) -> Option<usize> {
    let found = model.repositories.get(name).and_then(|repository| repository.tags.get(tag).copied());
    show_manifest(client, model, name, tag, found)
}

/// What a digest gives; the manifest, where it is there.
pub fn show_by_digest(client: &Client, model: &Model<'_>, name: &str, manifest: usize) -> Option<usize> {
    let is_held = |repository: &&Repository| repository.held.contains(&manifest);
    let found = model.repositories.get(name).filter(is_held).map(|_| manifest);
    show_manifest(client, model, name, &model.pool.manifests[manifest].manifest.digest, found)
}

fn show_manifest(client: &Client, model: &Model<'_>, name: &str, by: &str, found: Option<usize>) -> Option<usize> {
    let reply = client.manifest(name, by);
    let head = client.request("HEAD", &format!("/v2/{name}/manifests/{by}"), &[], &[]);
    assert_eq!(head.status, reply.status);
    if let Some(found) = found {
        let manifest = &model.pool.manifests[found].manifest;
        let shown = (reply.status, reply.text());
        assert_eq!(shown, (200, String::from_utf8_lossy(&manifest.bytes).into_owned()), "{by}");
        for reply in [&reply, &head] {
            assert_eq!(reply.header("content-type"), Some(manifest.media_type.as_str()));
            assert_eq!(reply.header("docker-content-digest"), Some(manifest.digest.as_str()));
        }
    } else {
        refused(&reply, missing(model, name, Reason::NoManifest));
    }
    found
}

fn missing(model: &Model<'_>, name: &str, otherwise: Reason) -> Reason {
    if model.repositories.contains_key(name) { otherwise } else { Reason::NoRepository }
}

/// Whether a blob is there, and its bytes where they are not many.
pub fn show_blob(client: &Client, model: &Model<'_>, name: &str, blob: usize) {
    let Blob { bytes, digest } = &model.pool.blobs[blob];
    let is_there = model.repositories.get(name).is_some_and(|repository| repository.blobs.contains(&blob));
    let head = client.request("HEAD", &format!("/v2/{name}/blobs/{digest}"), &[], &[]);
    assert_eq!(head.status, if is_there { 200 } else { 404 }, "HEAD of blob {blob}");
    if is_there {
        assert_eq!(head.header("content-length"), Some(bytes.len().to_string().as_str()));
    }
    if bytes.len() < PART {
        let reply = client.blob(name, digest);
        if is_there {
            assert_eq!(&reply.expect(200).body, bytes, "blob {blob}");
        } else {
            refused(&reply, missing(model, name, Reason::NoBlob));
        }
    }
}

/// What is about a digest: never 404.
pub fn show_referrers(client: &Client, model: &Model<'_>, name: &str, subject: &str, kind: Option<&str>) {
    let target = format!("/v2/{name}/referrers/{subject}");
    let filtered = kind.map(|kind| path_and_query(&target, &format!("artifactType={}", encode(kind))));
    let reply = client.get(&filtered.unwrap_or(target)).expect(200).json();
    let mut shown = reply["manifests"].as_array().unwrap().clone();
    shown.sort_by_key(|descriptor| descriptor["digest"].to_string());
    let held = model.repositories.get(name).map(|repository| &repository.held);
    let mut expected: Vec<Value> = referrers(model.pool, held.into_iter().flatten(), subject, kind)
        .map(|entry| {
            let mut descriptor = entry.manifest.descriptor();
            if let Some(artifact_type) = &entry.artifact_type {
                descriptor["artifactType"] = json!(artifact_type);
            }
            if !entry.annotations.is_empty() {
                descriptor["annotations"] = json!(entry.annotations);
            }
            descriptor
        })
        .collect();
    expected.sort_by_key(|descriptor| descriptor["digest"].to_string());
    assert_eq!(shown, expected);
}

/// Of some manifests those that are about a digest, of an artifact type where one is given.
pub fn referrers<'a>(
    pool: &'a Pool,
    held: impl Iterator<Item = &'a usize>,
    subject: &str,
    kind: Option<&str>,
) -> impl Iterator<Item = &'a crate::pool::Entry> {
    let is_meant = move |entry: &&crate::pool::Entry| {
        entry.subject.as_deref() == Some(subject)
            && kind.is_none_or(|kind| entry.artifact_type.as_deref() == Some(kind))
    };
    held.map(|manifest| &pool.manifests[*manifest]).filter(is_meant)
}
