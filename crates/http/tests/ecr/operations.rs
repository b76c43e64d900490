//! Every operation of ECR, called once where nothing is there: it is done, or refused by an exception that ECR's model declares
//! for it. Those whose engines come later say so.

use std::collections::BTreeSet;

use berth_aws::ecr::ECR;
use berth_aws::protocol::{Operation, validate};
use serde_json::{Value, json};

use crate::door::{ACCOUNT, Door};

const LISTED: &str = include_str!("../../../aws/src/ecr/operations.txt");
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UUID: &str = "00000000-0000-4000-8000-000000000000";

/// What is served by nothing yet.
const UNSERVED: [&str; 12] = [
    "DescribeImageReplicationStatus",
    "DescribeImageScanFindings",
    "DescribeImageSigningStatus",
    "DescribeReplicationBackfillResults",
    "GetLifecyclePolicyPreview",
    "ListReplicationBackfills",
    "StartImageScan",
    "StartLifecyclePolicyPreview",
    "StartReplicationBackfill",
    "StopReplicationBackfill",
    "UpdateImageStorageClass",
    "ValidatePullThroughCacheRule",
];

/// Of an operation, what a request must have beside the name of a repository.
fn more(operation: &str) -> Value {
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:ListImages"}]}"#;
    let lifecycle = json!({ "rules": [{ "rulePriority": 1, "action": { "type": "expire" }, "selection": {
        "tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1000 } }] });
    let arn = format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/no/such");
    match operation {
        "BatchCheckLayerAvailability" => json!({ "layerDigests": [DIGEST] }),
        "BatchDeleteImage" | "BatchGetImage" => json!({ "imageIds": [{ "imageTag": "latest" }] }),
        "BatchGetRepositoryScanningConfiguration" => json!({ "repositoryNames": ["no/such"] }),
        "CompleteLayerUpload" => json!({ "uploadId": UUID, "layerDigests": [DIGEST] }),
        "CreatePullThroughCacheRule" => {
            json!({ "ecrRepositoryPrefix": "public", "upstreamRegistryUrl": "public.ecr.aws" })
        }
        "CreateRepositoryCreationTemplate" => json!({ "prefix": "some", "appliedFor": ["CREATE_ON_PUSH"] }),
        "UpdateRepositoryCreationTemplate" | "DeleteRepositoryCreationTemplate" => json!({ "prefix": "none" }),
        "DeletePullThroughCacheRule" | "UpdatePullThroughCacheRule" | "ValidatePullThroughCacheRule" => {
            json!({ "ecrRepositoryPrefix": "none" })
        }
        "RegisterPullTimeUpdateExclusion" => json!({ "principalArn": format!("arn:aws:iam::{ACCOUNT}:role/r") }),
        "DeregisterPullTimeUpdateExclusion" => json!({ "principalArn": format!("arn:aws:iam::{ACCOUNT}:role/other") }),
        "DescribeImageReplicationStatus"
        | "DescribeImageScanFindings"
        | "DescribeImageSigningStatus"
        | "StartImageScan" => json!({ "imageId": { "imageTag": "latest" } }),
        "UpdateImageStorageClass" => json!({ "imageId": { "imageTag": "latest" }, "targetStorageClass": "ARCHIVE" }),
        "DescribeReplicationBackfillResults" | "StopReplicationBackfill" => json!({ "replicationBackfillId": UUID }),
        "StartReplicationBackfill" => json!({ "destination": { "region": "us-west-2", "registryId": ACCOUNT } }),
        "GetAccountSetting" => json!({ "name": "BLOB_MOUNTING" }),
        "PutAccountSetting" => json!({ "name": "BLOB_MOUNTING", "value": "ENABLED" }),
        "GetDownloadUrlForLayer" => json!({ "layerDigest": DIGEST }),
        "ListImageReferrers" => json!({ "subjectId": { "imageDigest": DIGEST } }),
        "ListTagsForResource" => json!({ "resourceArn": arn }),
        "TagResource" => json!({ "resourceArn": arn, "tags": [{ "Key": "a", "Value": "b" }] }),
        "UntagResource" => json!({ "resourceArn": arn, "tagKeys": ["a"] }),
        "PutImage" => json!({ "imageManifest": "{}" }),
        "PutImageScanningConfiguration" => json!({ "imageScanningConfiguration": { "scanOnPush": true } }),
        "PutImageTagMutability" => json!({ "imageTagMutability": "IMMUTABLE" }),
        "PutLifecyclePolicy" => json!({ "lifecyclePolicyText": lifecycle.to_string() }),
        "PutRegistryPolicy" => json!({ "policyText": "{" }),
        "SetRepositoryPolicy" => json!({ "policyText": policy }),
        "PutReplicationConfiguration" => json!({ "replicationConfiguration": { "rules": [] } }),
        "PutSigningConfiguration" => json!({ "signingConfiguration": { "rules": [] } }),
        "UploadLayerPart" => {
            json!({ "uploadId": UUID, "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": "eA==" })
        }
        _ => json!({}),
    }
}

fn request(operation: &Operation) -> Value {
    let mut input = more(operation.name);
    if operation.input.members().iter().any(|member| member.name == "repositoryName") {
        input["repositoryName"] = json!("no/such");
    }
    input
}

#[tokio::test]
async fn every_operation_is_answered_as_its_model_says() {
    let door = Door::new().await;
    let mut answered = BTreeSet::new();
    // What makes something comes last.
    let mut operations = ECR.operations.to_vec();
    operations.sort_by_key(|operation| operation.name == "CreateRepository");
    for operation in operations {
        let input = request(operation);
        validate(operation.input, &input).unwrap();
        let reply = door.call(operation.name, &input).await;
        answered.insert(operation.name);
        if UNSERVED.contains(&operation.name) {
            assert_eq!((reply.status, reply.exception()), (501, "UnsupportedOperationException"), "{}", operation.name);
            assert!(reply.body["message"].as_str().unwrap().contains(operation.name), "{}", reply.body);
            continue;
        }
        match reply.status {
            200 => {
                validate(operation.output.unwrap(), &milliseconds(&reply.body)).unwrap();
            }
            400 => {
                let declared = operation.error(reply.exception());
                assert!(declared.is_some_and(|error| error.sender), "{}: {}", operation.name, reply.body);
            }
            _ => panic!("{}: {} {}", operation.name, reply.status, reply.body),
        }
    }
    let listed: BTreeSet<&str> = LISTED.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!((answered.len(), answered), (62, listed));
}

/// Times as trees have them: whole milliseconds.
fn milliseconds(answer: &Value) -> Value {
    match answer {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), milliseconds(value))).collect(),
        Value::Array(list) => list.iter().map(milliseconds).collect(),
        Value::Number(number) if number.is_f64() => json!(0),
        other => other.clone(),
    }
}
