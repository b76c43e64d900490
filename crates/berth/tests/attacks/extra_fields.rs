//! A77 and A78: fields that nobody asked for, and filters that would be something else.

use berth_testkit::aws::{ACCOUNT, AwsClient, Keys, element, expect_fault};
use berth_testkit::{Reply, empty_index};
use serde_json::{Value, json};

use crate::ecr::{self, done};
use crate::people::{account, admin, all_of, allow, document, user};
use crate::support::attack;

const OTHER: &str = "222222222222";

/// What a caller would like to be, in the words of several APIs; none of them is a parameter of the operations here.
const WISHES: &[(&str, &str)] = &[
    ("IsAdmin", "true"),
    ("is_admin", "true"),
    ("isAdmin", "true"),
    ("admin", "1"),
    ("AccountId", OTHER),
    ("accountId", OTHER),
    ("Account", OTHER),
    ("Arn", "arn:aws:iam::222222222222:user/root"),
    ("UserId", "AIDAAAAAAAAAAAAAAAAA"),
    ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
    ("PolicyArns.member.1", "arn:aws:iam::aws:policy/AdministratorAccess"),
    ("AttachedPolicies.member.1.PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
    ("CreateDate", "1999-01-01T00:00:00Z"),
    ("Status", "Active"),
];

fn wishing(wanted: &[(&str, &str)], action: &str, by: &AwsClient) -> Reply {
    let wishes = WISHES.iter().filter(|(name, _)| !wanted.iter().any(|(other, _)| other == name));
    let parameters: Vec<(&str, &str)> = wanted.iter().chain(wishes).copied().collect();
    by.iam(action, &parameters)
}

/// An object with members beside those that are wanted, here and in the objects that it holds.
fn with_wishes(wanted: &Value) -> Value {
    let Value::Object(members) = wanted else { return wanted.clone() };
    let mut all: serde_json::Map<String, Value> =
        members.iter().map(|(name, value)| (name.clone(), with_wishes(value))).collect();
    for (name, value) in [
        ("isAdmin", json!(true)),
        ("accountId", json!(OTHER)),
        ("createdAt", json!(0)),
        ("createdBy", json!("arn:aws:iam::222222222222:root")),
        ("repositoryArn", json!("arn:aws:ecr:us-east-1:222222222222:repository/x")),
        ("pushedBy", json!({ "$admin": true })),
        ("__proto__", json!({ "isAdmin": true })),
        ("_id", json!(1)),
    ] {
        all.entry(name).or_insert(value);
    }
    Value::Object(all)
}

#[test]
fn a77_fields_that_nobody_asked_for_change_nothing() {
    attack(|server| {
        account(server, OTHER);
        let admin = admin(server);
        // Whoever may make users makes plain ones, whatever else the request says.
        let maker = user(server, "maker", &json!([{ "Effect": "Allow", "Action": "iam:Create*", "Resource": "*" }]));
        let made = wishing(&[("UserName", "plain")], "CreateUser", &maker).expect(200);
        assert_eq!(element(&made, "Arn").unwrap(), format!("arn:aws:iam::{ACCOUNT}:user/plain"));
        assert_ne!(element(&made, "CreateDate").unwrap(), "1999-01-01T00:00:00Z");
        let key = wishing(&[("UserName", "plain")], "CreateAccessKey", &maker).expect(200);
        let plain = AwsClient::new(server.addr(), Keys::of(&key));
        for (action, wanted) in [
            ("ListUsers", &[][..]),
            ("CreateUser", &[("UserName", "second")]),
            ("AttachUserPolicy", &[("UserName", "plain")]),
            ("ListAttachedUserPolicies", &[("UserName", "plain")]),
        ] {
            expect_fault(&wishing(wanted, action, &plain), 403, "AccessDenied");
        }
        let attached = admin.iam("ListAttachedUserPolicies", &[("UserName", "plain")]).expect(200);
        assert!(!attached.text().contains("AdministratorAccess"), "{}", attached.text());
        let who = plain.sts("GetCallerIdentity", WISHES).expect(200);
        assert_eq!(element(&who, "Account").unwrap(), ACCOUNT);

        allow(&admin, "plain", &all_of("team/*"));
        let before = done(&admin, "DescribeRepositories", &json!({}));
        ecr::refused(
            &plain,
            "CreateRepository",
            &with_wishes(&json!({ "repositoryName": "other/a" })),
            "AccessDeniedException",
        );
        assert_eq!(done(&admin, "DescribeRepositories", &json!({})), before);
        let scanning = json!({ "scanOnPush": true });
        let wanted = json!({ "repositoryName": "team/a", "imageScanningConfiguration": scanning });
        let made = done(&plain, "CreateRepository", &with_wishes(&wanted));
        let made = &made["repository"];
        assert_eq!(made["repositoryArn"], format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/a"));
        assert_eq!(made["registryId"], ACCOUNT);
        assert_ne!(made["createdAt"], json!(0));
        let image = empty_index("one");
        let put = json!({ "repositoryName": "team/a", "imageTag": "one", "imageManifest": String::from_utf8(image.bytes.clone()).unwrap() });
        let put = done(&plain, "PutImage", &with_wishes(&put));
        assert_eq!(put["image"]["registryId"], ACCOUNT);
        // A policy document is no place for them at all.
        let policy = document(&json!([{ "Effect": "Allow", "Action": "ecr:*", "Resource": "*", "isAdmin": true }]));
        let parameters = [("UserName", "plain"), ("PolicyName", "more"), ("PolicyDocument", policy.as_str())];
        expect_fault(&admin.iam("PutUserPolicy", &parameters), 400, "MalformedPolicyDocument");
        let lifecycle = json!({ "rules": [], "isAdmin": true }).to_string();
        let put = json!({ "repositoryName": "team/a", "lifecyclePolicyText": lifecycle });
        ecr::call(&plain, "PutLifecyclePolicy", &put).expect(400);
    });
}

#[test]
fn a78_a_filter_is_a_value_and_never_a_part_of_a_query() {
    attack(|server| {
        let admin = admin(server);
        for name in ["alice", "bob"] {
            admin.iam("CreateUser", &[("UserName", name), ("Path", "/own/")]).expect(200);
        }
        let names = |reply: &Reply| ["alice", "bob"].map(|name| reply.text().contains(&format!("<UserName>{name}<")));
        assert_eq!(names(&admin.iam("ListUsers", &[("PathPrefix", "/own/")]).expect(200)), [true, true]);
        for prefix in [
            "/' OR '1'='1",
            "/'OR'1'='1",
            "/own/' OR 1=1 --",
            "/'; DROP TABLE principals; --",
            "/%",
            "/_wn/",
            "/own/') UNION SELECT secret_sealed FROM access_keys --",
            "/\"",
            "/own/\\",
        ] {
            let reply = admin.iam("ListUsers", &[("PathPrefix", prefix)]).expect_any(&[200, 400]);
            assert_eq!(names(&reply), [false, false], "{prefix}: {}", reply.text());
        }
        // Nothing sorts or searches by columns that a request names.
        let plain = admin.iam("ListUsers", &[]).expect(200).text();
        for wish in ["sort", "Sort", "order_by", "q", "Query", "Filter.1.Name", "fields"] {
            let asked = admin.iam("ListUsers", &[(wish, "secret_sealed")]).expect(200).text();
            let listed = |text: &str| text.split("<ResponseMetadata>").next().unwrap().to_owned();
            assert_eq!(listed(&asked), listed(&plain), "{wish}");
        }
        server.client().push_manifest("team/a", "one", &empty_index("one")).expect(201);
        for key in ["'", "team/a' OR '1'='1", "%27%20OR%201=1--", "%25", "_"] {
            let listed = server.client().get(&format!("/v2/_catalog?n=10&last={key}&sort=secret_sealed&q=%27"));
            assert!(matches!(listed.status, 200 | 400), "{key}: {listed:?}");
            let tags = server.client().get(&format!("/v2/team/a/tags/list?n=10&last={key}&q=digest"));
            assert!(matches!(tags.status, 200 | 400), "{key}: {tags:?}");
        }
        assert_eq!(names(&admin.iam("ListUsers", &[]).expect(200)), [true, true]);
    });
}
