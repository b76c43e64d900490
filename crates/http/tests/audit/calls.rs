//! Calls, one after the other, each with its one record.

use berth_aws::ecr::ECR;
use berth_aws::iam::IAM;
use berth_aws::sts::STS;
use berth_http::iam::berth::BERTH;
use serde_json::{Value, json};

use crate::house::{ACCOUNT, House, Reply};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.1");
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
const UPLOAD: &str = "00000000-0000-4000-8000-000000000000";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

async fn ecr(house: &House, operation: &str, input: &Value) -> Reply {
    let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
    house.signed("ecr", &[JSON, ("x-amz-target", &target)], &input.to_string()).await
}

async fn form(house: &House, service: &str, body: &str) -> Reply {
    house.signed(service, &[FORM], body).await
}

#[tokio::test]
async fn every_operation_of_the_apis_leaves_one_record() {
    let house = House::new().await;
    let services = [(&IAM, "iam", "iam.amazonaws.com"), (&STS, "sts", "sts.amazonaws.com"), (&BERTH, "iam", "berth")];
    for (service, signed_for, source) in services {
        for operation in service.operations {
            let body = format!("Action={}&Version={}", operation.name, service.version);
            let reply = form(&house, signed_for, &body).await;
            assert_eq!(reply.event(), (source, operation.name));
            assert_eq!(reply.record()["userIdentity"]["accessKeyId"], house.key.id.as_str());
        }
    }
    for operation in ECR.operations {
        for input in [json!({}), json!({ "repositoryName": "team/app" })] {
            let reply = ecr(&house, operation.name, &input).await;
            assert_eq!(reply.event(), ("ecr.amazonaws.com", operation.name));
        }
    }
}

#[tokio::test]
async fn what_was_done_is_told_with_what_was_asked() {
    let house = House::new().await;
    let reply = form(&house, "iam", "Action=CreateUser&Version=2010-05-08&UserName=bob").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let record = reply.record();
    assert_eq!(record["requestParameters"], json!({ "userName": "bob" }));
    assert_eq!(record["resources"][0]["ARN"], format!("arn:aws:iam::{ACCOUNT}:user/bob"));
    assert_eq!((&record["readOnly"], &record["recipientAccountId"]), (&json!(false), &json!(ACCOUNT)));
    let reply = form(&house, "iam", "Action=CreateAccessKey&Version=2010-05-08&UserName=bob").await;
    let secret = reply.body.split("<SecretAccessKey>").nth(1).unwrap().split('<').next().unwrap();
    assert!(!reply.record().to_string().contains(secret));

    let reply = ecr(&house, "CreateRepository", &json!({ "repositoryName": "team/app" })).await;
    assert_eq!(reply.record()["requestParameters"], json!({ "repositoryName": "team/app" }));
    let arn = format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app");
    let resource = json!([{ "accountId": ACCOUNT, "type": "AWS::ECR::Repository", "ARN": arn }]);
    assert_eq!(reply.record()["resources"], resource);
    let reply = ecr(&house, "InitiateLayerUpload", &json!({ "repositoryName": "team/app" })).await;
    let upload: Value = serde_json::from_str(&reply.body).unwrap();
    let part = json!({ "repositoryName": "team/app", "uploadId": upload["uploadId"], "partFirstByte": 0,
        "partLastByte": 1, "layerPartBlob": "e30=" });
    let reply = ecr(&house, "UploadLayerPart", &part).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.record()["requestParameters"]["layerPartBlob"], "HIDDEN_DUE_TO_SECURITY_REASONS");
    assert_eq!(reply.record()["requestParameters"]["partLastByte"], 1);
    let refused = ecr(&house, "DescribeImages", &json!({ "repositoryName": "no/such" })).await;
    assert_eq!(refused.record()["errorCode"], "RepositoryNotFoundException");
    assert!(refused.record()["errorMessage"].as_str().unwrap().contains("no/such"));
}

#[allow(clippy::too_many_lines, reason = "a table")]
#[tokio::test]
async fn every_route_leaves_one_record_under_the_action_that_it_is() {
    let house = House::new().await;
    let blob = format!("/v2/team/app/blobs/{EMPTY}");
    let upload = format!("/v2/team/app/blobs/uploads/{UPLOAD}");
    let referrers = format!("/v2/team/app/referrers/{EMPTY}");
    let routes: [(&str, &str, &str, &str); 25] = [
        ("GET", "/v2/", "berth", "CheckLogin"),
        ("HEAD", "/v2", "berth", "CheckLogin"),
        ("GET", "/v2/_catalog", "ecr", "DescribeRepositories"),
        ("GET", "/v2/team/app/tags/list", "ecr", "ListImages"),
        ("GET", &referrers, "ecr", "BatchGetImage"),
        ("POST", "/v2/team/app/blobs/uploads/", "ecr", "InitiateLayerUpload"),
        ("GET", &upload, "ecr", "UploadLayerPart"),
        ("PATCH", &upload, "ecr", "UploadLayerPart"),
        ("PUT", &upload, "ecr", "CompleteLayerUpload"),
        ("DELETE", &upload, "ecr", "UploadLayerPart"),
        ("HEAD", &blob, "ecr", "BatchCheckLayerAvailability"),
        ("GET", &blob, "ecr", "GetDownloadUrlForLayer"),
        ("DELETE", &blob, "ecr", "BatchDeleteImage"),
        ("GET", "/v2/team/app/manifests/one", "ecr", "BatchGetImage"),
        ("HEAD", "/v2/team/app/manifests/one", "ecr", "BatchGetImage"),
        ("PUT", "/v2/team/app/manifests/one", "ecr", "PutImage"),
        ("DELETE", "/v2/team/app/manifests/one", "ecr", "BatchDeleteImage"),
        ("POST", "/v2/team/app/manifests/one", "berth", "UnknownRequest"),
        ("GET", "/v2/team/app/nothing", "berth", "UnknownRequest"),
        ("GET", "/v2/TEAM/app/tags/list", "berth", "UnknownRequest"),
        ("GET", "/token", "berth", "IssueToken"),
        ("POST", "/token", "berth", "IssueToken"),
        ("GET", "/metrics", "berth", "GetMetrics"),
        ("GET", "/", "berth", "UnknownRequest"),
        ("GET", "/index.html", "berth", "UnknownRequest"),
    ];
    let right = house.login();
    let wrong = ("AKIAAAAAAAAAAAAAAAAA", SECRET);
    for (method, path, source, event) in routes {
        let source = if source == "ecr" { "ecr.amazonaws.com" } else { source };
        for login in [Some(right), None, Some(wrong)] {
            let reply = house.basic(method, path, login, b"").await;
            assert_eq!(reply.event(), (source, event), "{method} {path}");
            let record = reply.record();
            assert!(!record.to_string().contains(SECRET));
            if path.starts_with("/v2") {
                let told = json!({ "door": "oci", "method": method, "path": path });
                assert_eq!(record["additionalEventData"], told);
                let key = record["userIdentity"]["accessKeyId"].as_str();
                assert_eq!(key, login.map(|(user, _)| user), "{method} {path} {record}");
            }
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(house.basic("GET", path, None, b"").await.records, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_push_leaves_one_record_for_each_request() {
    let house = House::new().await;
    let right = Some(house.login());
    let post = format!("/v2/team/app/blobs/uploads/?digest={EMPTY}");
    let reply = house.basic("POST", &post, right, b"{}").await;
    assert_eq!((reply.status, reply.event().1), (201, "InitiateLayerUpload"), "{reply:?}");
    let config = json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY, "size": 2 });
    let manifest = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "x/y", "config": config, "layers": [] });
    let put = house.basic("PUT", "/v2/team/app/manifests/one", right, manifest.to_string().as_bytes()).await;
    assert_eq!((put.status, put.event().1), (201, "PutImage"), "{put:?}");
    let ids = json!({ "repositoryName": "team/app", "imageIds": [{ "imageTag": "one" }] });
    assert_eq!(put.record()["requestParameters"], ids);
    for method in ["HEAD", "GET", "DELETE"] {
        let reply = house.basic(method, "/v2/team/app/manifests/one", right, b"").await;
        assert_eq!(reply.status / 100, 2, "{reply:?}");
        assert_eq!(reply.record()["readOnly"], method != "DELETE");
    }
    assert!(house.domain.verify_audit(None).await.unwrap().is_sound());
}

#[tokio::test]
async fn what_is_shown_to_log_in_is_never_told() {
    let house = House::new().await;
    for (user, shown) in [("AKIAAAAAAAAAAAAAAAAA", "AKIAAAAAAAAAAAAAAAAA"), (SECRET, ""), ("AWS", ""), ("bob", "")] {
        let reply = house.basic("GET", "/v2/", Some((user, SECRET)), b"").await;
        let identity = &reply.record()["userIdentity"];
        let expected = match shown {
            "" => json!({ "type": "Unknown", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS" }),
            key => json!({ "type": "Unknown", "accessKeyId": key }),
        };
        assert_eq!((reply.status, identity), (401, &expected));
        assert!(!reply.record().to_string().contains(SECRET));
    }
    let target = format!("/v2/team/app/blobs/{EMPTY}?download={SECRET}");
    let reply = house.basic("GET", &target, None, b"").await;
    assert_eq!((reply.status, reply.record()["errorCode"].as_str()), (401, Some("UNAUTHORIZED")));
    assert!(!reply.record().to_string().contains(SECRET));
    let bearer = http::Request::get("/v2/").header("authorization", format!("Bearer {SECRET}"));
    assert!(!house.send(bearer, b"").await.record().to_string().contains(SECRET));

    // Not signed, signed by nobody, and signed wrong.
    let unsigned = http::Request::post("/").header("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.PutImage");
    let reply = house.send(unsigned, b"{}").await;
    assert_eq!(reply.event(), ("ecr.amazonaws.com", "PutImage"));
    assert_eq!(reply.record()["errorCode"], "MissingAuthenticationTokenException");
    let signed = "AWS4-HMAC-SHA256 Credential=AKIAAAAAAAAAAAAAAAAA/20231114/us-east-1/sts/aws4_request, \
                  SignedHeaders=host;x-amz-date, Signature=0000000000000000000000000000000000000000000000000000000000000000";
    let by_nobody = http::Request::post("/")
        .header("host", "registry.example")
        .header("x-amz-date", "20231114T221320Z")
        .header("authorization", signed);
    let reply = house.send(by_nobody, b"Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_eq!(reply.record()["userIdentity"], json!({ "type": "Unknown", "accessKeyId": "AKIAAAAAAAAAAAAAAAAA" }));
    assert_eq!(reply.record()["errorCode"], "InvalidClientTokenId");
}
