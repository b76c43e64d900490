//! Decent calls of ECR, and the shortest request of every operation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_aws::ecr::ECR;
use berth_aws::protocol::{Kind, Member, Operation, Shape};
use berth_testkit::aws::{ACCOUNT, AwsClient, REGION, fault_code};
use berth_testkit::{Image, Manifest, Reply, media, sha256};
use serde_json::{Map, Value, json};

use crate::people::{document, pulls_of};

/// A digest that nothing has.
pub const NOWHERE: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b000";

/// Calls an operation.
pub fn call(by: &AwsClient, operation: &str, input: &Value) -> Reply {
    by.ecr(operation, &input.to_string())
}

/// The answer of an operation that must be done.
#[track_caller]
pub fn done(by: &AwsClient, operation: &str, input: &Value) -> Value {
    call(by, operation, input).expect(200).json()
}

/// Fails unless an operation is refused with this exception.
#[track_caller]
pub fn refused(by: &AwsClient, operation: &str, input: &Value, exception: &str) {
    expect_exception(operation, &call(by, operation, input), exception);
}

/// Fails unless a reply is this exception, with a text for people.
#[track_caller]
pub fn expect_exception(what: &str, reply: &Reply, exception: &str) {
    assert_eq!(fault_code(reply).as_deref(), Some(exception), "{what}: {} {:.600}", reply.status, reply.text());
    assert_eq!(reply.status, 400, "{what}: {:.600}", reply.text());
    assert!(!reply.json()["message"].as_str().unwrap().is_empty(), "{what}");
}

/// A repository whose tags may move.
#[track_caller]
pub fn repository(by: &AwsClient, name: &str) {
    done(by, "CreateRepository", &json!({ "repositoryName": name }));
}

/// The digest of a layer that is uploaded in one part.
#[track_caller]
pub fn upload(by: &AwsClient, repository: &str, bytes: &[u8]) -> String {
    let id = begin(by, repository);
    part(by, repository, &id, 0, bytes).expect(200);
    let digest = sha256(bytes);
    let complete = json!({ "repositoryName": repository, "uploadId": id, "layerDigests": [digest] });
    done(by, "CompleteLayerUpload", &complete);
    digest
}

/// The id of a new upload.
#[track_caller]
pub fn begin(by: &AwsClient, repository: &str) -> String {
    let begun = done(by, "InitiateLayerUpload", &json!({ "repositoryName": repository }));
    begun["uploadId"].as_str().unwrap().to_owned()
}

/// The next part of a layer.
pub fn part(by: &AwsClient, repository: &str, id: &str, first: usize, bytes: &[u8]) -> Reply {
    let input = json!({
        "repositoryName": repository, "uploadId": id, "partFirstByte": first,
        "partLastByte": (first + bytes.len()).saturating_sub(1), "layerPartBlob": STANDARD.encode(bytes),
    });
    call(by, "UploadLayerPart", &input)
}

/// What `PutImage` is asked.
pub fn put_request(repository: &str, manifest: &Manifest, tag: Option<&str>) -> Value {
    let mut input = json!({
        "repositoryName": repository, "imageManifestMediaType": manifest.media_type,
        "imageManifest": String::from_utf8(manifest.bytes.clone()).unwrap(),
    });
    if let Some(tag) = tag {
        input["imageTag"] = json!(tag);
    }
    input
}

/// Puts a manifest under a tag.
pub fn put(by: &AwsClient, repository: &str, tag: &str, manifest: &Manifest) -> Reply {
    call(by, "PutImage", &put_request(repository, manifest, Some(tag)))
}

/// An image with all its blobs, under a tag.
#[track_caller]
pub fn push(by: &AwsClient, repository: &str, tag: &str, image: &Image) {
    for blob in image.blobs() {
        upload(by, repository, blob);
    }
    put(by, repository, tag, &image.manifest).expect(200);
}

/// The manifest and digest behind an id; none where there is no such image.
#[track_caller]
pub fn image(by: &AwsClient, repository: &str, id: &Value) -> Option<(String, String)> {
    let answer = done(by, "BatchGetImage", &json!({ "repositoryName": repository, "imageIds": [id] }));
    let Some(image) = answer["images"].get(0) else {
        assert_eq!(answer["failures"][0]["failureCode"], "ImageNotFound", "{answer}");
        return None;
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Some((text(&image["imageManifest"]), text(&image["imageId"]["imageDigest"])))
}

/// The digest that a tag points to.
#[track_caller]
pub fn tagged(by: &AwsClient, repository: &str, tag: &str) -> Option<String> {
    image(by, repository, &json!({ "imageTag": tag })).map(|(_, digest)| digest)
}

/// All images of a repository, as `digest@tag`, sorted.
#[track_caller]
pub fn images(by: &AwsClient, repository: &str) -> Vec<String> {
    let answer = done(by, "ListImages", &json!({ "repositoryName": repository, "maxResults": 1000 }));
    let shown =
        |id: &Value| format!("{}@{}", id["imageDigest"].as_str().unwrap(), id["imageTag"].as_str().unwrap_or(""));
    let mut shown: Vec<String> = answer["imageIds"].as_array().unwrap().iter().map(shown).collect();
    shown.sort();
    shown
}

/// The names of all repositories of the registry.
#[track_caller]
pub fn repositories(by: &AwsClient) -> Vec<String> {
    let answer = done(by, "DescribeRepositories", &json!({ "maxResults": 1000 }));
    let named = |found: &Value| found["repositoryName"].as_str().unwrap().to_owned();
    answer["repositories"].as_array().unwrap().iter().map(named).collect()
}

/// The ARN of a repository of the registry.
pub fn arn(repository: &str) -> String {
    format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{repository}")
}

/// Every operation of ECR.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    ECR.operations.iter().copied()
}

/// Whether an operation has a member of this name.
pub fn has(operation: &Operation, member: &str) -> bool {
    operation.input.members().iter().any(|own| own.name == member)
}

/// A request of an operation about a repository: all that must be there, and nothing wrong with it.
pub fn request(operation: &Operation, repository: &str) -> Value {
    let mut input = structure(operation.input, repository);
    // Left out, these do not say enough.
    match operation.name {
        "CreatePullThroughCacheRule" => input["upstreamRegistry"] = json!("ecr-public"),
        "PutImage" => input["imageManifestMediaType"] = json!(media::INDEX),
        _ => {}
    }
    input
}

/// The same of the operation of a name.
pub fn request_of(operation: &str, repository: &str) -> Value {
    request(ECR.operation(operation).unwrap(), repository)
}

fn structure(shape: &Shape, repository: &str) -> Value {
    let wanted = |member: &&Member| member.required || ["imageTag", "imageDigest"].contains(&member.name);
    let members = shape.members().iter().filter(wanted);
    let members = members.map(|member| (member.name.to_owned(), value(member.name, member.shape, repository)));
    Value::Object(members.collect::<Map<_, _>>())
}

/// A good value of a member.
fn value(name: &str, shape: &Shape, repository: &str) -> Value {
    let text = match name {
        "repositoryName" => repository,
        "imageTag" => "latest",
        "imageDigest" | "layerDigest" | "layerDigests" => NOWHERE,
        "uploadId" | "replicationBackfillId" => "00000000-0000-4000-8000-000000000000",
        "imageManifest" => return json!(String::from_utf8(berth_testkit::empty_index("request").bytes).unwrap()),
        "resourceArn" => return json!(arn(repository)),
        "principalArn" => return json!(format!("arn:aws:iam::{ACCOUNT}:role/somebody")),
        "policyText" => {
            return json!(document(&pulls_of("*")).replace("\"Resource\"", "\"Principal\":\"*\",\"Resource\""));
        }
        "lifecyclePolicyText" => return json!(lifecycle()),
        "ecrRepositoryPrefix" | "prefix" => "some/prefix",
        "upstreamRegistryUrl" => "public.ecr.aws",
        "name" if shape.name == "AccountSettingName" => "BLOB_MOUNTING",
        "value" if shape.name == "AccountSettingValue" => "ENABLED",
        "layerPartBlob" => "eA==",
        "registryId" => ACCOUNT,
        "region" => REGION,
        _ => return of_kind(name, shape, repository),
    };
    if matches!(shape.kind, Kind::List { .. }) { json!([text]) } else { json!(text) }
}

fn of_kind(name: &str, shape: &Shape, repository: &str) -> Value {
    match &shape.kind {
        Kind::Structure { .. } => structure(shape, repository),
        Kind::List { member, .. } if ["imageIds", "repositoryNames", "tagKeys"].contains(&name) => {
            let name = if name == "repositoryNames" { "repositoryName" } else { name };
            json!([value(name, member, repository)])
        }
        Kind::List { member, .. } if name == "appliedFor" => json!([value(name, member, repository)]),
        Kind::List { .. } => json!([]),
        Kind::String { enumeration: [first, ..], .. } => json!(first),
        Kind::String { .. } => json!("text"),
        Kind::Integer { .. } | Kind::Long { .. } => json!(0),
        Kind::Boolean => json!(false),
        other => panic!("no value for {name}: {other:?}"),
    }
}

/// A lifecycle policy, which has 100 characters at least.
fn lifecycle() -> String {
    let selection = json!({ "tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1_000 });
    json!({ "rules": [{ "rulePriority": 1, "selection": selection, "action": { "type": "expire" } }] }).to_string()
}
