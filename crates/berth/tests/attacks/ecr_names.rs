//! A14 to A17 through the door of ECR: digests, names and tags that are none, in every member of every operation that takes them.

use std::path::PathBuf;

use berth_testkit::aws::{AwsClient, fault_code};
use berth_testkit::{Reply, empty_index, sha256, tree_files};
use serde_json::{Value, json};

use crate::digests::{bad_digests_in_json, endless_digest};
use crate::ecr::{
    begin, call, done, expect_exception, has, images, operations, part, put, put_request, refused, repositories,
    repository, request,
};
use crate::people::admin;
use crate::support::attack;

/// Requests in which a digest stands, with the exception that they meet.
fn uses_of_digest(upload: &str, digest: &str) -> Vec<(&'static str, Value)> {
    let mut put = put_request("digests", &empty_index("x"), Some("stolen"));
    put["imageDigest"] = json!(digest);
    vec![
        ("PutImage", put),
        ("DescribeImages", json!({ "repositoryName": "digests", "imageIds": [{ "imageDigest": digest }] })),
        ("ListImageReferrers", json!({ "repositoryName": "digests", "subjectId": { "imageDigest": digest } })),
        ("GetDownloadUrlForLayer", json!({ "repositoryName": "digests", "layerDigest": digest })),
        ("CompleteLayerUpload", json!({ "repositoryName": "digests", "uploadId": upload, "layerDigests": [digest] })),
    ]
}

/// Requests in which digests stand beside others, with the code of the failure that each has for itself.
fn batches(digest: &str) -> Vec<(&'static str, Value, &'static str)> {
    let ids = json!([{ "imageDigest": digest }, { "imageDigest": digest, "imageTag": "latest" }]);
    let images = json!({ "repositoryName": "digests", "imageIds": ids });
    vec![
        ("BatchGetImage", images.clone(), "InvalidImageDigest"),
        ("BatchDeleteImage", images, "InvalidImageDigest"),
        (
            "BatchCheckLayerAvailability",
            json!({ "repositoryName": "digests", "layerDigests": [digest, digest] }),
            "InvalidLayerDigest",
        ),
    ]
}

/// Fails unless a batch did nothing, and said so of each of its two.
#[track_caller]
fn expect_failures(operation: &str, answer: &Value, code: &str) {
    let failures = answer["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 2, "{operation}: {answer:.600}");
    assert!(failures.iter().all(|failure| failure["failureCode"] == code), "{operation}: {answer:.600}");
    for done in ["images", "imageIds", "layers"] {
        assert!(answer[done].as_array().is_none_or(Vec::is_empty), "{operation}: {answer:.600}");
    }
}

#[test]
fn a14_ecr_refuses_what_is_no_digest() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "digests");
        put(&admin, "digests", "latest", &empty_index("good")).expect(200);
        let before = images(&admin, "digests");
        let upload = begin(&admin, "digests");
        part(&admin, "digests", &upload, 0, b"layer").expect(200);
        for digest in bad_digests_in_json() {
            for (operation, input) in uses_of_digest(&upload, &digest) {
                refused(&admin, operation, &input, "InvalidParameterException");
            }
            for (operation, input, code) in batches(&digest) {
                let reply = call(&admin, operation, &input);
                if operation == "BatchCheckLayerAvailability" && digest.len() > 1_000 {
                    expect_exception(operation, &reply, "InvalidParameterException");
                } else {
                    expect_failures(operation, &reply.expect(200).json(), code);
                }
            }
        }
        let empty = json!({ "repositoryName": "digests", "layerDigests": ["", ""] });
        expect_failures("", &done(&admin, "BatchCheckLayerAvailability", &empty), "MissingLayerDigest");
        for (operation, input) in uses_of_digest(&upload, "") {
            refused(&admin, operation, &input, "InvalidParameterException");
        }
        for input in [json!([{}, {}]), json!([{ "imageDigest": null }, {}])] {
            let input = json!({ "repositoryName": "digests", "imageIds": input });
            for operation in ["BatchGetImage", "BatchDeleteImage"] {
                expect_failures(operation, &done(&admin, operation, &input), "MissingDigestAndTag");
            }
        }
        // Nothing came into being, and nothing was lost: the upload goes on.
        assert_eq!(images(&admin, "digests"), before);
        let digest = sha256(b"layer");
        let complete = json!({ "repositoryName": "digests", "uploadId": upload, "layerDigests": [digest] });
        done(&admin, "CompleteLayerUpload", &complete);
    });
}

#[test]
fn a14_ecr_refuses_a_digest_of_a_megabyte() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "digests");
        let upload = begin(&admin, "digests");
        let endless = endless_digest();
        let batches = batches(&endless).into_iter().map(|(operation, input, _)| (operation, input));
        for (operation, input) in uses_of_digest(&upload, &endless).into_iter().chain(batches) {
            let reply = call(&admin, operation, &input);
            let failed = reply.status == 200 && reply.json()["failures"][0]["failureCode"] == "InvalidImageDigest";
            let is_too_long = reply.status == 413;
            let is_invalid = fault_code(&reply).as_deref() == Some("InvalidParameterException");
            assert!(failed || is_too_long || is_invalid, "{operation}: {} {:.300}", reply.status, reply.text());
        }
    });
}

const BAD_NAMES: [&str; 32] = [
    "",
    "..",
    "a/../b",
    "../../etc/passwd",
    "%2e%2e",
    "a/%2e%2e/b",
    "a%2fb",
    "a//b",
    "\0\0",
    "a\0b",
    "aA",
    "AA",
    "a/B",
    "a/",
    "/a",
    "-a",
    "a-",
    ".a",
    "a.",
    "a..b",
    "a.-b",
    "a___b",
    "a b",
    "a\nb",
    "aa\n",
    "a\r\nb",
    "a\\b",
    "éé",
    "a~b",
    "_a",
    "a:b",
    "a@b",
];

/// Every request that names repositories, with this name.
fn uses_of_name(name: &str) -> Vec<(&'static str, Value)> {
    let named = |operation: &&'static berth_aws::protocol::Operation| {
        ["repositoryName", "resourceArn", "repositoryNames"].iter().any(|member| has(operation, member))
    };
    let uses = operations().filter(named).map(|operation| {
        let mut input = request(operation, name);
        if operation.name == "DescribeRepositories" {
            input["repositoryNames"] = json!(["good", name]);
        }
        (operation.name, input)
    });
    uses.collect()
}

#[test]
fn a15_ecr_refuses_what_is_no_repository_name() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "good");
        let stray = |file: &PathBuf| !file.starts_with(server.blobs()) && !file.to_string_lossy().contains("/berth.db");
        let outside = || tree_files(server.data().parent().unwrap()).into_iter().filter(stray).collect::<Vec<_>>();
        let before = outside();
        let long = "a".repeat(257);
        for name in BAD_NAMES.into_iter().chain([long.as_str()]) {
            let uses = uses_of_name(name);
            assert_eq!(uses.len(), 33, "operations that name repositories");
            for (operation, input) in uses {
                refused(&admin, operation, &input, "InvalidParameterException");
            }
        }
        assert_eq!(repositories(&admin), ["good"]);
        assert_eq!(outside(), before, "files came into being");
        let longest = format!("{}/{}", "a".repeat(127), "b".repeat(128));
        repository(&admin, &longest);
    });
}

/// Requests whose members have patterns, with this text in them.
fn patterned(text: &str) -> Vec<(&'static str, Value)> {
    let filters = json!([{ "filterType": "WILDCARD", "filter": text }]);
    let create = json!({
        "repositoryName": "good", "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters,
    });
    let upstream = json!({ "ecrRepositoryPrefix": text, "upstreamRegistryUrl": "public.ecr.aws" });
    let template = json!({ "prefix": text, "appliedFor": ["CREATE_ON_PUSH"] });
    vec![
        ("ListImages", json!({ "repositoryName": text })),
        ("CreateRepository", json!({ "repositoryName": text })),
        ("CreateRepository", create),
        ("CreatePullThroughCacheRule", upstream),
        ("CreateRepositoryCreationTemplate", template),
        ("RegisterPullTimeUpdateExclusion", json!({ "principalArn": text })),
        ("GetDownloadUrlForLayer", json!({ "repositoryName": "good", "layerDigest": text })),
        ("UploadLayerPart", {
            let mut input = json!({ "repositoryName": "good", "uploadId": text, "layerPartBlob": "eA==" });
            input["partFirstByte"] = json!(0);
            input["partLastByte"] = json!(0);
            input
        }),
    ]
}

#[test]
fn a16_a_text_of_a_megabyte_costs_ecr_nothing() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "good");
        let before = server.process().cpu_ticks();
        for unit in ["a", "a/", "a-", "a.a_", "a__b/", "a----------------/", "aA", "*", "*?", "0", "sha256:"] {
            for end in ["", "!"] {
                let text = unit.repeat(1_000_000 / unit.len()) + end;
                for (operation, input) in patterned(&text) {
                    refused(&admin, operation, &input, "InvalidParameterException");
                }
            }
        }
        // 176 requests; a pattern that goes back over a megabyte takes hours.
        let ticks = server.process().cpu_ticks() - before;
        println!("{ticks} ticks of processor time");
        assert!(ticks < 3_000, "{ticks} ticks of processor time");
    });
}

/// Requests in which a tag stands, without those that tell of it in a list of failures.
fn uses_of_tag(tag: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("PutImage", put_request("tags", &empty_index("x"), Some(tag))),
        ("DescribeImages", json!({ "repositoryName": "tags", "imageIds": [{ "imageTag": tag }] })),
    ]
}

fn tag_batch(by: &AwsClient, operation: &str, tag: &str) -> Reply {
    let ids = json!([{ "imageTag": tag }, { "imageTag": tag, "imageDigest": empty_index("good").digest }]);
    call(by, operation, &json!({ "repositoryName": "tags", "imageIds": ids }))
}

#[test]
fn a17_ecr_refuses_what_is_no_tag() {
    attack(|server| {
        let admin = admin(server);
        repository(&admin, "tags");
        let good = "t".repeat(128);
        put(&admin, "tags", &good, &empty_index("good")).expect(200);
        let before = images(&admin, "tags");
        let long = [129, 300, 301, 100_000].map(|length| "t".repeat(length));
        let bad = [
            ".hidden",
            "-dash",
            "../x",
            "../../../etc/passwd",
            "a\r\nb",
            "a\r\nSet-Cookie: x",
            "a\n",
            "a b",
            "\0",
            "a\0",
            "a+b",
            "a/b",
            "a:b",
            "é",
            "a!b",
            "@",
            "*",
            "",
        ];
        for tag in long.iter().map(String::as_str).chain(bad) {
            for (operation, input) in uses_of_tag(tag) {
                let reply = call(&admin, operation, &input);
                expect_exception(operation, &reply, "InvalidParameterException");
                assert_eq!(reply.header("set-cookie"), None);
            }
            for operation in ["BatchGetImage", "BatchDeleteImage"] {
                let reply = tag_batch(&admin, operation, tag);
                // The shapes of ECR take 1 to 300 characters for a tag; what they do not take fails the whole batch.
                if (1..=300).contains(&tag.chars().count()) {
                    expect_failures(operation, &reply.expect(200).json(), "InvalidImageTag");
                } else {
                    expect_exception(operation, &reply, "InvalidParameterException");
                }
            }
        }
        assert_eq!(images(&admin, "tags"), before);
    });
}
