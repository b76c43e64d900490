use serde_json::json;

use super::*;
use crate::iam::IAM;
use crate::protocol::Operation;
use crate::sts::STS;

fn operation(name: &str) -> &'static Operation {
    IAM.operation(name).or_else(|| STS.operation(name)).unwrap()
}

fn said(name: &str, tree: &Value) -> String {
    validate(operation(name).input, tree).err().map(|error| error.to_string()).unwrap_or_default()
}

/// The words are those that AWS answers with for the same requests.
#[test]
fn violations_are_told_in_the_words_of_aws() {
    let one = "1 validation error detected: ";
    let cases = [
        ("CreateUser", json!({ "UserName": "alice" }), String::new()),
        (
            "CreateUser",
            json!({}),
            format!("{one}Value null at 'userName' failed to satisfy constraint: Member must not be null"),
        ),
        (
            "CreateUser",
            json!({ "UserName": null }),
            format!("{one}Value null at 'userName' failed to satisfy constraint: Member must not be null"),
        ),
        (
            "CreateUser",
            json!({ "UserName": "a b" }),
            format!(
                r"{one}Value 'a b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+"
            ),
        ),
        (
            "CreateUser",
            json!({ "UserName": "é".repeat(65) }),
            format!(
                "2 validation errors detected: Value '{0}' at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64; \
                 Value '{0}' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+",
                "é".repeat(65)
            ),
        ),
        (
            "CreateUser",
            json!({ "UserName": "alice", "Tags": [{ "Key": "a", "Value": "b" }, { "Key": "a#", "Value": "c" }] }),
            format!(
                r"{one}Value 'a#' at 'tags.2.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{{L}}\p{{Z}}\p{{N}}_.:/=+\-@]+"
            ),
        ),
        (
            "UntagUser",
            json!({ "UserName": "alice", "TagKeys": ["a", "b#"] }),
            format!(
                "{one}Value '[a, b#]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: \
                 [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, \
                 Member must satisfy regular expression pattern: [\\p{{L}}\\p{{Z}}\\p{{N}}_.:/=+\\-@]+, Member must not be null]"
            ),
        ),
        (
            "UpdateAccessKey",
            json!({ "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Off" }),
            format!(
                "{one}Value 'Off' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive, Expired]"
            ),
        ),
        (
            "ListUsers",
            json!({ "MaxItems": 1001 }),
            format!(
                "{one}Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to 1000"
            ),
        ),
        (
            "GetSessionToken",
            json!({ "DurationSeconds": 1 }),
            format!(
                "{one}Value '1' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"
            ),
        ),
    ];
    for (name, tree, expected) in cases {
        assert_eq!(said(name, &tree), expected, "{name} {tree}");
    }
}

#[test]
fn lists_are_counted() {
    let tags: Vec<Value> = (0..51).map(|n| json!({ "Key": n.to_string(), "Value": "" })).collect();
    let text = said("CreateUser", &json!({ "UserName": "alice", "Tags": tags }));
    assert!(
        text.ends_with("at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"),
        "{text}"
    );
}

#[test]
fn a_message_has_an_end() {
    let tags: Vec<Value> = (0..500).map(|_| json!({ "Key": "#", "Value": "" })).collect();
    let text = said("CreateUser", &json!({ "UserName": "alice", "Tags": tags }));
    assert!(text.starts_with("501 validation errors detected: ") && text.matches("; Value").count() == 99, "{text}");
}

#[test]
fn lengths_count_characters() {
    assert_eq!(
        said(
            "CreateRole",
            &json!({ "RoleName": "r", "AssumeRolePolicyDocument": "{}", "Description": "é".repeat(1000) })
        ),
        ""
    );
    let text = said(
        "CreateRole",
        &json!({ "RoleName": "r", "AssumeRolePolicyDocument": "{}", "Description": "é".repeat(1001) }),
    );
    assert!(text.ends_with("Member must have length less than or equal to 1000"), "{text}");
}

static SECRET: Shape = Shape {
    name: "secret",
    kind: Kind::String { min: Some(9), max: None, pattern: None, enumeration: &[], sensitive: true },
};
static SECRETS: Shape = Shape {
    name: "secrets",
    kind: Kind::List { member: &SECRET, member_name: "member", flattened: false, min: None, max: Some(1) },
};

#[test]
fn secrets_are_not_shown() {
    let text = validate(&SECRET, &json!("hush")).unwrap_err().to_string();
    assert_eq!(
        text,
        "1 validation error detected: Value at '' failed to satisfy constraint: Member must have length greater than or equal to 9"
    );
    let text = validate(&SECRETS, &json!(["hush", "hush"])).unwrap_err().to_string();
    assert!(text.starts_with("2 validation errors") && !text.contains("hush"), "{text}");
}

static ITSELF: Shape = Shape {
    name: "itself",
    kind: Kind::List { member: &ITSELF, member_name: "member", flattened: false, min: None, max: None },
};

#[test]
fn shapes_within_themselves_end() {
    let nested = (0..100).fold(json!([]), |tree, _| json!([tree]));
    assert!(validate(&ITSELF, &nested).unwrap_err().to_string().contains("nested too deeply"));
    assert!(validate(&ITSELF, &json!([[[]], []])).is_ok());
}

#[test]
fn of_a_union_there_is_one_member() {
    let with = |excluded: Value| {
        let tree = json!({ "PolicySourceArn": "arn:aws:iam::123456789012:user/alice", "ActionNames": ["iam:GetUser"], "PolicyExclusionList": [excluded] });
        said("SimulatePrincipalPolicy", &tree)
    };
    let arn = json!("arn:aws:iam::123456789012:policy/read");
    assert_eq!(with(json!({ "PolicyArn": arn })), "");
    for bad in [json!({}), json!({ "PolicyArn": arn, "PolicyType": "IDENTITY" })] {
        let text = with(bad);
        assert!(text.contains("at 'policyExclusionList.1.member'") && text.contains("exactly one"), "{text}");
    }
}
