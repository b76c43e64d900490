//! A4 and A76 at the door of ECR: nobody without rights gets anything out of any of its operations.

use berth_aws::ecr::ECR;
use berth_testkit::aws::{ACCOUNT, AwsClient, Keys, fault_code};
use berth_testkit::{Image, Reply, Server, sha256};
use serde_json::{Value, json};

use crate::ecr::{self, call, done, expect_exception, has, images, operations, repositories, repository, request};
use crate::people::{account, admin, document, nothing, user};
use crate::support::attack;

const OPERATIONS: usize = 62;

/// A registry in which there is something for every operation to be about.
fn planted(server: &Server) -> (AwsClient, Image, String) {
    let admin = admin(server);
    let image = Image::small("secretcontent");
    repository(&admin, "secret/repository");
    ecr::push(&admin, "secret/repository", "secrettag", &image);
    let upload = ecr::begin(&admin, "secret/repository");
    for operation in ["PutLifecyclePolicy", "CreatePullThroughCacheRule", "CreateRepositoryCreationTemplate"] {
        done(&admin, operation, &ecr::request_of(operation, "secret/repository"));
    }
    let key = json!([{ "Key": "secretkey", "Value": "secretvalue" }]);
    done(&admin, "TagResource", &json!({ "resourceArn": ecr::arn("secret/repository"), "tags": key }));
    (admin, image, upload)
}

/// Requests about what is there and about what is not, with all that is there in them.
fn requests(image: &Image, upload: &str) -> Vec<(&'static str, Value)> {
    let mut requests = Vec::new();
    for operation in operations() {
        for name in ["secret/repository", "no/such"] {
            let mut input = request(operation, name);
            if name == "secret/repository" {
                point_at(&mut input, image, upload);
            }
            requests.push((operation.name, input.clone()));
            if has(operation, "registryId") && operation.name != "CreateRepository" {
                input["registryId"] = json!(ACCOUNT);
                requests.push((operation.name, input));
            }
        }
    }
    requests
}

/// Puts what is there into a request: the digests, the tag, the upload.
fn point_at(input: &mut Value, image: &Image, upload: &str) {
    let layer = sha256(&image.layers[0]);
    let Value::Object(members) = input else { return };
    for (name, value) in members {
        match name.as_str() {
            "imageDigest" => *value = json!(image.manifest.digest),
            "imageTag" => *value = json!("secrettag"),
            "uploadId" => *value = json!(upload),
            "layerDigest" => *value = json!(layer),
            "layerDigests" => *value = json!([layer]),
            "imageId" | "subjectId" => point_at(value, image, upload),
            "imageIds" => value.as_array_mut().unwrap().iter_mut().for_each(|id| point_at(id, image, upload)),
            _ => {}
        }
    }
}

/// All that the registry's owner sees in it.
fn inventory(admin: &AwsClient) -> Vec<String> {
    let mut seen = vec![repositories(admin).join(" "), images(admin, "secret/repository").join(" ")];
    for operation in operations() {
        let reads = ["Get", "List", "Describe"].iter().any(|verb| operation.name.starts_with(verb));
        if reads && operation.name != "GetAuthorizationToken" && operation.name != "GetDownloadUrlForLayer" {
            seen.push(call(admin, operation.name, &request(operation, "secret/repository")).text());
        }
    }
    seen
}

#[track_caller]
fn expect_denied(operation: &str, input: &Value, reply: &Reply) {
    expect_exception(&format!("{operation} {input:.300}"), reply, "AccessDeniedException");
    // What is there is not told; what the request itself said may come back.
    let (text, asked) = (reply.text(), input.to_string());
    for word in ["secrettag", "secretcontent", "secretkey", "secretvalue"] {
        assert!(asked.contains(word) || !text.contains(word), "{operation} told {word}: {text}");
    }
}

#[test]
fn a76_every_operation_of_ecr_refuses_who_has_no_rights() {
    attack(|server| {
        let (admin, image, upload) = planted(server);
        let before = inventory(&admin);
        let nobody = user(server, "nobody", &nothing());
        let session = nobody.with(Keys::of(&nobody.sts("GetSessionToken", &[]).expect(200)));
        let mut tried = std::collections::BTreeSet::new();
        for (operation, input) in requests(&image, &upload) {
            for caller in [&nobody, &session] {
                expect_denied(operation, &input, &call(caller, operation, &input));
            }
            tried.insert(operation);
        }
        assert_eq!((tried.len(), ECR.operations.len()), (OPERATIONS, OPERATIONS));
        assert_eq!(inventory(&admin), before);
    });
}

#[test]
fn a76_what_is_there_and_what_is_not_look_alike_to_who_has_no_rights() {
    attack(|server| {
        let (_, image, upload) = planted(server);
        let nobody = user(server, "nobody", &nothing());
        for operation in operations() {
            let ask = |name: &str| {
                let mut input = request(operation, name);
                point_at(&mut input, &image, &upload);
                let reply = call(&nobody, operation.name, &input);
                (reply.status, reply.text().replace(name, "NAME"))
            };
            assert_eq!(ask("secret/repository"), ask("secret/repositorx"), "{}", operation.name);
        }
    });
}

#[test]
fn a76_every_operation_of_ecr_refuses_another_account() {
    attack(|server| {
        let (admin, image, upload) = planted(server);
        let before = inventory(&admin);
        // The administrator of an account may do everything in it, and its users what it gives them.
        let stranger = account(server, "111111111111");
        stranger.iam("CreateUser", &[("UserName", "guest")]).expect(200);
        let everything = document(&json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]));
        let own = [("UserName", "guest"), ("PolicyName", "own"), ("PolicyDocument", everything.as_str())];
        stranger.iam("PutUserPolicy", &own).expect(200);
        let guest = stranger.with(Keys::of(&stranger.iam("CreateAccessKey", &[("UserName", "guest")]).expect(200)));
        for (operation, mut input) in requests(&image, &upload) {
            if operation == "GetAuthorizationToken" {
                continue;
            }
            if has(ECR.operation(operation).unwrap(), "registryId") {
                input["registryId"] = json!(ACCOUNT);
            }
            for caller in [&stranger, &guest] {
                expect_denied(operation, &input, &call(caller, operation, &input));
            }
        }
        assert_eq!(inventory(&admin), before);
        // A token is given to everybody who may ask for one, and opens what policies open: nothing here.
        let token = stranger.login_password();
        let client = berth_testkit::Client::login(server.addr(), "AWS", &token);
        client.manifest("secret/repository", "secrettag").expect_error(403, "DENIED");
    });
}

#[test]
fn a04_ecr_answers_nobody_who_does_not_sign() {
    attack(|server| {
        let (admin, image, upload) = planted(server);
        let before = inventory(&admin);
        for (operation, input) in requests(&image, &upload) {
            let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
            let headers = [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", target.as_str())];
            let body = input.to_string();
            let reply = server.anonymous().request("POST", "/", &headers, body.as_bytes());
            assert_eq!(fault_code(&reply).as_deref(), Some("MissingAuthenticationTokenException"), "{operation}");
            // A registry's password is no signature.
            let reply = server.client().request("POST", "/", &headers, body.as_bytes());
            assert!(matches!(reply.status, 400 | 403), "{operation}: {}", reply.text());
        }
        assert_eq!(inventory(&admin), before);
    });
}
