//! What holds for every call: headers, names, bodies, numbers, times, and how refusals look.

use berth_http::server::RequestBody;
use http::Request;
use serde_json::{Value, json};

use crate::door::{ACCOUNT, Door, NOW, PREFIX};

#[tokio::test]
async fn answers_are_json_that_nobody_keeps() {
    let door = Door::new().await;
    let good = door.call("CreateRepository", &json!({ "repositoryName": "team/a" })).await;
    let bad = door.call("CreateRepository", &json!({ "repositoryName": "team/a" })).await;
    assert_eq!((good.status, bad.status, bad.exception()), (200, 400, "RepositoryAlreadyExistsException"));
    for reply in [good, bad] {
        assert_eq!(reply.headers["content-type"], "application/x-amz-json-1.1");
        assert_eq!(reply.headers["cache-control"], "no-store");
        assert!(reply.headers.contains_key("x-amzn-requestid"));
    }
}

#[tokio::test]
async fn refusals_have_a_type_and_a_message() {
    let door = Door::new().await;
    let reply = door.call("ListImages", &json!({ "repositoryName": "team/a" })).await;
    let message = format!("The repository with name 'team/a' does not exist in the registry with id '{ACCOUNT}'");
    assert_eq!(reply.body, json!({ "__type": "RepositoryNotFoundException", "message": message }));
    let reply = door.call("CreateRepository", &json!({ "repositoryName": "A" })).await;
    assert_eq!(reply.exception(), "InvalidParameterException");
    let message = reply.body["message"].as_str().unwrap();
    assert!(message.starts_with("Invalid parameter at 'repositoryName' failed to satisfy constraint: '"), "{message}");
}

#[tokio::test]
async fn the_target_names_the_operation_whatever_the_content_type_says() {
    let door = Door::new().await;
    for content_type in ["application/x-amz-json-1.1", "application/x-amz-json-1.0", "application/json", "text/plain"] {
        let reply = door.send(&format!("{PREFIX}.DescribeRegistry"), content_type, "{}").await;
        assert_eq!((reply.status, &reply.body["registryId"]), (200, &json!(ACCOUNT)), "{content_type}");
    }
    for target in ["", "DescribeRegistry", "Other_V1.DescribeRegistry", &format!("{PREFIX}.Fly")] {
        let reply = door.send(target, "application/x-amz-json-1.1", "{}").await;
        assert_eq!((reply.status, reply.exception()), (400, "UnknownOperationException"), "{target}");
    }
}

#[tokio::test]
async fn nobody_unsigned_is_answered() {
    let door = Door::new().await;
    for target in [format!("{PREFIX}.DescribeRegistry"), format!("{PREFIX}.Fly"), String::new()] {
        let request = Request::post("/").header("x-amz-target", &target).body(RequestBody::from_bytes("{}")).unwrap();
        let reply = door.answer(request).await;
        assert_eq!((reply.status, reply.exception()), (400, "MissingAuthenticationTokenException"), "{target}");
    }
}

#[tokio::test]
async fn members_that_nobody_knows_and_null_are_as_good_as_left_out() {
    let door = Door::new().await;
    for body in ["", "{}", "null", r#"{"other":[{}]}"#, r#"{"maxResults":null,"nextToken":null,"registryId":null}"#] {
        let reply = door.send(&format!("{PREFIX}.DescribeRepositories"), "", body).await;
        assert_eq!((reply.status, reply.body), (200, json!({ "repositories": [] })), "{body}");
    }
    for body in ["[]", "{", "7", r#"{"maxResults":"1"}"#, r#"{"maxResults":1.5}"#, r#"{"repositoryNames":"a"}"#] {
        let reply = door.send(&format!("{PREFIX}.DescribeRepositories"), "", body).await;
        assert_eq!((reply.status, reply.exception()), (400, "SerializationException"), "{body}");
        assert!(reply.body["message"].is_string());
    }
}

#[tokio::test]
async fn times_are_seconds_with_their_fraction_and_numbers_are_numbers() {
    let door = Door::new().await;
    let made = door.done("CreateRepository", &json!({ "repositoryName": "team/a" })).await;
    let seconds = made["repository"]["createdAt"].as_f64().unwrap();
    #[allow(clippy::cast_possible_truncation, reason = "exact so far from the end of the integers")]
    let milliseconds = (seconds * 1000.0).round() as i64;
    assert_eq!(milliseconds, NOW);
    let begun = door.done("InitiateLayerUpload", &json!({ "repositoryName": "team/a" })).await;
    assert_eq!(begun["partSize"], json!(20 * 1024 * 1024));
    let upload = begun["uploadId"].clone();
    let part = |first: i64, last: i64| {
        json!({
            "repositoryName": "team/a", "uploadId": upload, "partFirstByte": first, "partLastByte": last,
            "layerPartBlob": "eHl6",
        })
    };
    let received = door.done("UploadLayerPart", &part(0, 2)).await;
    assert_eq!(received["lastByteReceived"], json!(2));
    // Where the next part belongs is told beside what was wrong.
    let reply = door.call("UploadLayerPart", &part(2, 4)).await;
    assert_eq!((reply.status, reply.exception()), (400, "InvalidLayerPartException"));
    let told = ["registryId", "repositoryName", "uploadId", "lastValidByteReceived"].map(|name| &reply.body[name]);
    assert_eq!(told, [&json!(ACCOUNT), &json!("team/a"), &upload, &json!(2)]);
}

#[tokio::test]
async fn keys_of_kms_are_not_served_and_said_so_with_a_word_of_kms() {
    let door = Door::new().await;
    let input = json!({ "repositoryName": "team/a", "encryptionConfiguration": { "encryptionType": "KMS" } });
    let reply = door.call("CreateRepository", &input).await;
    assert_eq!((reply.status, reply.exception()), (400, "KmsException"));
    assert!(reply.body["kmsError"].as_str().is_some_and(|word| !word.is_empty()), "{}", reply.body);
    assert_eq!(door.done("DescribeRepositories", &json!({})).await["repositories"], Value::Array(Vec::new()));
}
