//! Berth's own operations.

use serde_json::json;

use crate::door::{ACCOUNT, Door, READ_ONLY, texts};

const OTHER: &str = "111111111111";

pub async fn accounts(door: &Door) {
    let other = [("AccountId", OTHER)];
    let key = door.ok("CreateAccount", &other).await;
    assert_eq!(
        (&key["AccessKey"]["UserName"], &key["AccessKey"]["Status"]),
        (&json!("administrator"), &json!("Active"))
    );
    let there = door.login(&key).await;
    let user = door.ok_as(&there, "GetUser", &[]).await;
    assert_eq!(user["User"]["Arn"], format!("arn:aws:iam::{OTHER}:user/administrator"));
    // It is a world of its own, and no better than others.
    assert_eq!(door.no_as(&there, "GetUser", &[("UserName", "alice")]).await.1, "NoSuchEntity");
    let pull = [("PolicyArn", "arn:aws:iam::000000000000:policy/teams/pull")];
    assert_ne!(door.no_as(&there, "GetPolicy", &pull).await.0, 200);
    for action in ["ListAccounts", "CreateAccount", "DeleteAccount"] {
        assert_eq!(door.no_as(&there, action, &other).await.1, "AccessDenied", "{action}");
    }

    assert_eq!(door.no("CreateAccount", &other).await.1, "EntityAlreadyExists");
    assert_eq!(door.no("CreateAccount", &[("AccountId", "1")]).await.1, "ValidationError");
    let pages = door.pages("ListAccounts", &[("MaxItems", "1")], "Accounts", "AccountId").await;
    assert_eq!(pages, [[ACCOUNT], [OTHER]]);
    let listed = door.ok("ListAccounts", &[]).await;
    assert_eq!(listed["Accounts"][1], json!({ "AccountId": OTHER, "CreateDate": 1_700_000_000_000_i64 }));

    let operator = door.domain.operator_of(&berth_aws::AccountId::parse(OTHER).unwrap());
    let somebody = ("UserName", "somebody");
    door.ok_as(&operator, "CreateUser", &[somebody]).await;
    assert_eq!(door.no("DeleteAccount", &other).await.1, "DeleteConflict");
    assert_eq!(door.no("DeleteAccount", &[("AccountId", ACCOUNT)]).await.1, "InvalidInput");
    door.ok_as(&operator, "DeleteUser", &[somebody]).await;
    door.ok("DeleteAccount", &other).await;
    assert_eq!(door.no("DeleteAccount", &other).await.1, "NoSuchEntity");
}

pub async fn explanations(door: &Door) {
    let alice = ("PrincipalArn", "arn:aws:iam::000000000000:user/team/alice");
    let asked = [alice, ("ActionName", "ecr:ListImages")];
    let allowed = door.ok("ExplainAccess", &asked).await;
    assert_eq!(allowed["EvalDecision"], "allowed");
    assert!(!allowed["Explanation"].as_str().unwrap().is_empty());
    assert!(texts(&allowed["Policies"], "").iter().any(|name| name.ends_with("/alice/one")), "{allowed}");
    let refused =
        [alice, ("ActionName", "ecr:PutImage"), ("ResourceArn", "arn:aws:ecr:us-east-1:000000000000:repository/a")];
    assert_eq!(door.ok("ExplainAccess", &refused).await["EvalDecision"], "implicitDeny");
    let context = [
        asked[0],
        asked[1],
        ("ContextEntries.member.1.ContextKeyName", "aws:SourceIp"),
        ("ContextEntries.member.1.ContextKeyValues.member.1", "10.0.0.1"),
    ];
    assert_eq!(door.ok("ExplainAccess", &context).await["EvalDecision"], "allowed");
    by_endpoints(door, asked).await;
    let nobody = [("PrincipalArn", "arn:aws:iam::000000000000:user/nobody"), asked[1]];
    assert_eq!(door.no("ExplainAccess", &nobody).await.1, "NoSuchEntity");
    let reader = door.user("rita", Some(READ_ONLY)).await;
    assert_eq!(door.ok_as(&reader, "ExplainAccess", &asked).await["EvalDecision"], "allowed");
    let stranger = door.user("stan", None).await;
    assert_eq!(door.no_as(&stranger, "ExplainAccess", &asked).await.1, "AccessDenied");
}

/// What is allowed elsewhere and not by the listener `narrow`.
async fn by_endpoints(door: &Door, asked: [(&str, &str); 2]) {
    let by = |name| [asked[0], asked[1], ("EndpointName", name)];
    let refused = door.ok("ExplainAccess", &by("narrow")).await;
    assert_eq!(refused["EvalDecision"], "implicitDeny");
    let told = refused["Explanation"].as_str().unwrap();
    assert!(told.ends_with("no statement of endpoint policy endpoint:narrow allows it"), "{told}");
    assert!(texts(&refused["Policies"], "").contains(&"endpoint:narrow".to_owned()), "{refused}");
    let (status, code, message) = door.no("ExplainAccess", &by("other")).await;
    assert_eq!((status, code.as_str()), (400, "ValidationError"));
    assert_eq!(message, "There is no endpoint with the name other.");
    assert_eq!(door.no("ExplainAccess", &by("")).await.1, "ValidationError");
    // IAM's own simulator knows of none, as AWS's does not.
    let simulated = [("PolicySourceArn", asked[0].1), ("ActionNames.member.1", asked[1].1), ("EndpointName", "narrow")];
    let simulated = door.ok("SimulatePrincipalPolicy", &simulated).await;
    assert_eq!(simulated["EvaluationResults"][0]["EvalDecision"], "allowed");
}
