//! CloudTrail, which is asked at the same door by the same protocol.

use berth_http::server::RequestBody;
use http::Request;
use serde_json::{Value, json};

use crate::door::{ACCOUNT, Door, Reply};

const TARGET: &str = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
const JSON: &str = "application/x-amz-json-1.1";

async fn lookup(door: &Door, asked: &Value) -> Reply {
    door.send_to("cloudtrail", TARGET, JSON, &asked.to_string()).await
}

fn named(name: &str) -> Value {
    json!({ "LookupAttributes": [{ "AttributeKey": "EventName", "AttributeValue": name }] })
}

#[tokio::test]
async fn what_was_done_is_found_by_its_name() {
    let door = Door::new().await;
    door.done("CreateRepository", &json!({ "repositoryName": "team/a" })).await;
    door.done("CreateRepository", &json!({ "repositoryName": "team/b" })).await;
    let found = lookup(&door, &named("CreateRepository")).await;
    assert_eq!(found.status, 200, "{}", found.body);
    let events = found.body["Events"].as_array().unwrap();
    let records: Vec<Value> =
        events.iter().map(|event| serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap()).collect();
    let names: Vec<_> = records.iter().map(|record| record["requestParameters"]["repositoryName"].clone()).collect();
    assert_eq!(names.len(), 2, "{records:?}");
    assert!(names.contains(&json!("team/a")) && names.contains(&json!("team/b")), "{names:?}");
    for (event, record) in events.iter().zip(&records) {
        assert_eq!(event["EventId"], record["eventID"]);
        assert_eq!((&event["EventName"], &event["ReadOnly"]), (&json!("CreateRepository"), &json!("false")));
        assert_eq!(event["EventSource"], "ecr.amazonaws.com");
        assert_eq!(record["recipientAccountId"], ACCOUNT);
        assert!(event["Resources"][0]["ResourceName"].as_str().unwrap().contains(":repository/team/"), "{event}");
    }
    assert_eq!(lookup(&door, &named("DeleteRepository")).await.body, json!({ "Events": [] }));
}

#[tokio::test]
async fn pages_are_as_long_as_asked_for() {
    let door = Door::new().await;
    for name in ["aa", "bb", "cc"] {
        door.done("CreateRepository", &json!({ "repositoryName": name })).await;
    }
    let (mut ids, mut asked) = (Vec::new(), named("CreateRepository"));
    asked["MaxResults"] = json!(1);
    loop {
        let page = lookup(&door, &asked).await;
        let events = page.body["Events"].as_array().unwrap();
        assert!(events.len() <= 1, "{}", page.body);
        ids.extend(events.iter().map(|event| event["EventId"].clone()));
        match &page.body["NextToken"] {
            Value::Null => break,
            token => asked["NextToken"] = token.clone(),
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn refusals_have_the_names_of_the_model() {
    let door = Door::new().await;
    for (asked, code) in [
        (json!({ "MaxResults": 51 }), "InvalidMaxResultsException"),
        (json!({ "NextToken": "nonsense" }), "InvalidNextTokenException"),
        (json!({ "NextToken": "" }), "InvalidNextTokenException"),
        (json!({ "EventCategory": "data" }), "InvalidEventCategoryException"),
        (json!({ "StartTime": 2, "EndTime": 1 }), "InvalidTimeRangeException"),
        (json!({ "LookupAttributes": [{}] }), "InvalidLookupAttributesException"),
        (json!({ "LookupAttributes": {} }), "SerializationException"),
    ] {
        let reply = lookup(&door, &asked).await;
        assert_eq!((reply.status, reply.exception()), (400, code), "{asked}");
        assert!(!reply.body["message"].as_str().unwrap().is_empty());
    }
    let insight = lookup(&door, &json!({ "EventCategory": "insight" })).await;
    assert_eq!((insight.status, insight.body), (200, json!({ "Events": [] })));
}

#[tokio::test]
async fn it_is_asked_by_either_target_and_signed_for_itself() {
    let door = Door::new().await;
    let short = door.send_to("cloudtrail", "CloudTrail_20131101.LookupEvents", JSON, "{}").await;
    assert_eq!(short.status, 200, "{}", short.body);
    for (service, target, code) in [
        ("ecr", TARGET, "InvalidSignatureException"),
        ("cloudtrail", "AmazonEC2ContainerRegistry_V20150921.DescribeRegistry", "InvalidSignatureException"),
        ("cloudtrail", "CloudTrail_20131101.CreateTrail", "UnknownOperationException"),
    ] {
        let reply = door.send_to(service, target, JSON, "{}").await;
        assert_eq!((reply.status, reply.exception()), (400, code), "{service} {target}");
    }
}

#[tokio::test]
async fn nobody_unsigned_is_answered() {
    let door = Door::new().await;
    let request = Request::post("/").header("x-amz-target", TARGET).body(RequestBody::from_bytes("{}")).unwrap();
    let reply = door.answer(request).await;
    assert_eq!((reply.status, reply.exception()), (400, "MissingAuthenticationTokenException"));
}
