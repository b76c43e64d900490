//! What would be decided.

use serde_json::{Value, json};

use crate::door::{Door, allow};

const ALICE: &str = "arn:aws:iam::000000000000:user/team/alice";

fn decisions(answer: &Value) -> Vec<(&str, &str, &str)> {
    let text = |result: &'_ Value, name: &str| result[name].as_str().unwrap_or_default().to_owned().leak() as &str;
    let results = answer["EvaluationResults"].as_array().unwrap().iter();
    results
        .map(|result| {
            let decision = text(result, "EvalDecision");
            (text(result, "EvalActionName"), text(result, "EvalResourceName"), decision)
        })
        .collect()
}

pub async fn simulations(door: &Door) {
    let (get, deny) = (allow("ecr:BatchGetImage"), allow("ecr:PutImage").replace("Allow", "Deny"));
    let mut parameters = vec![
        ("PolicyInputList.member.1", get.as_str()),
        ("PolicyInputList.member.2", &deny),
        ("ActionNames.member.1", "ecr:BatchGetImage"),
        ("ActionNames.member.2", "ecr:PutImage"),
        ("ActionNames.member.3", "ecr:ListImages"),
    ];
    let answer = door.ok("SimulateCustomPolicy", &parameters).await;
    let expected = [
        ("ecr:BatchGetImage", "*", "allowed"),
        ("ecr:PutImage", "*", "explicitDeny"),
        ("ecr:ListImages", "*", "implicitDeny"),
    ];
    assert_eq!(decisions(&answer), expected);
    let matched = json!([{ "SourcePolicyId": "PolicyInputList.1", "SourcePolicyType": "none" }]);
    assert_eq!(answer["EvaluationResults"][0]["MatchedStatements"], matched);
    assert!(answer["EvaluationResults"][0].get("PermissionsBoundaryDecisionDetail").is_none());
    parameters.push(("MaxItems", "2"));
    let pages = door.pages("SimulateCustomPolicy", &parameters, "EvaluationResults", "EvalDecision").await;
    assert_eq!(pages, [vec!["allowed", "explicitDeny"], vec!["implicitDeny"]]);

    let boundary = allow("ecr:ListImages");
    parameters.push(("PermissionsBoundaryPolicyInputList.member.1", &boundary));
    let bounded = door.ok("SimulateCustomPolicy", &parameters).await;
    let first = &bounded["EvaluationResults"][0];
    assert_eq!(first["EvalDecision"], "implicitDeny");
    assert_eq!(first["PermissionsBoundaryDecisionDetail"], json!({ "AllowedByPermissionsBoundary": false }));
    principal(door).await;
    context(door).await;
    unsupported(door, &get).await;
}

async fn principal(door: &Door) {
    let repositories = ["a", "b"].map(|name| format!("arn:aws:ecr:us-east-1:000000000000:repository/{name}"));
    let parameters = [
        ("PolicySourceArn", ALICE),
        ("ActionNames.member.1", "ecr:BatchGetImage"),
        ("ActionNames.member.2", "ecr:ListImages"),
        ("ResourceArns.member.1", &repositories[0]),
        ("ResourceArns.member.2", &repositories[1]),
    ];
    let answer = door.ok("SimulatePrincipalPolicy", &parameters).await;
    assert!(decisions(&answer).iter().all(|(_, _, decision)| *decision == "allowed"), "{answer}");
    assert_eq!(answer["EvaluationResults"].as_array().unwrap().len(), 4);
    let managed = &answer["EvaluationResults"][0]["MatchedStatements"][0];
    assert_eq!(managed["SourcePolicyType"], "user-managed");
    let inline = &answer["EvaluationResults"][2]["MatchedStatements"][0];
    assert_eq!(
        (&inline["SourcePolicyId"], &inline["SourcePolicyType"]),
        (&json!(format!("{ALICE}/one")), &json!("user"))
    );
    let nobody = [("PolicySourceArn", "arn:aws:iam::000000000000:user/nobody"), ("ActionNames.member.1", "ecr:*")];
    assert_eq!(door.no("SimulatePrincipalPolicy", &nobody).await.1, "NoSuchEntity");
}

async fn context(door: &Door) {
    let conditional = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*",
        "Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}}}"#;
    let policy = ("PolicyInputList.member.1", conditional);
    let keys = door.ok("GetContextKeysForCustomPolicy", &[policy]).await;
    assert_eq!(keys["ContextKeyNames"].as_array().unwrap().len(), 1, "{keys}");
    let key = keys["ContextKeyNames"][0].as_str().unwrap();
    assert!(key.eq_ignore_ascii_case("aws:PrincipalTag/team"), "{key}");
    let keys = door.ok("GetContextKeysForPrincipalPolicy", &[("PolicySourceArn", ALICE), policy]).await;
    assert_eq!(keys["ContextKeyNames"].as_array().unwrap().len(), 1, "{keys}");

    let asked = [policy, ("ActionNames.member.1", "ecr:PutImage")];
    let missing = door.ok("SimulateCustomPolicy", &asked).await["EvaluationResults"][0].clone();
    assert_eq!((&missing["EvalDecision"], &missing["MissingContextValues"]), (&json!("implicitDeny"), &json!([key])));
    let given = [
        asked[0],
        asked[1],
        ("ContextEntries.member.1.ContextKeyName", key),
        ("ContextEntries.member.1.ContextKeyValues.member.1", "a"),
        ("ContextEntries.member.1.ContextKeyType", "string"),
    ];
    let found = door.ok("SimulateCustomPolicy", &given).await["EvaluationResults"][0].clone();
    assert_eq!((&found["EvalDecision"], &found["MissingContextValues"]), (&json!("allowed"), &json!([])));
    let nameless = [asked[0], asked[1], ("ContextEntries.member.1.ContextKeyType", "string")];
    assert_eq!(door.no("SimulateCustomPolicy", &nameless).await.1, "InvalidInput");
}

/// Parameters that would be given in vain are refused.
async fn unsupported(door: &Door, policy: &str) {
    let custom = [("PolicyInputList.member.1", policy), ("ActionNames.member.1", "ecr:PutImage")];
    for more in [
        vec![("ResourceHandlingOption", "EC2-VPC")],
        vec![("OrderedOrganizationPolicyInputList.member.1.ServiceControlPolicyInputList.member.1", policy)],
        vec![
            ("PermissionsBoundaryPolicyInputList.member.1", policy),
            ("PermissionsBoundaryPolicyInputList.member.2", policy),
        ],
    ] {
        let refused = door.no("SimulateCustomPolicy", &[&custom[..], &more].concat()).await;
        assert_eq!((refused.0, refused.1.as_str()), (400, "InvalidInput"), "{more:?}");
        assert!(refused.2.contains("is not supported"), "{}", refused.2);
    }
    let excluded = [
        ("PolicySourceArn", ALICE),
        ("ActionNames.member.1", "ecr:PutImage"),
        ("PolicyExclusionList.member.1.PolicyArn", "arn:aws:iam::000000000000:policy/teams/pull"),
    ];
    assert_eq!(door.no("SimulatePrincipalPolicy", &excluded).await.1, "InvalidInput");
}
