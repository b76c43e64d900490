//! Managed policies, who has them, inline policies and boundaries.

use serde_json::json;

use crate::door::{ACCOUNT, ADMINISTRATOR, Door, READ_ONLY, allow, decoded, texts};
use crate::principals::tags;

const PULL: &str = "arn:aws:iam::000000000000:policy/teams/pull";

pub async fn managed(door: &Door) {
    let first = allow("ecr:BatchGetImage");
    let parameters = [
        ("PolicyName", "pull"),
        ("Path", "/teams/"),
        ("PolicyDocument", &first),
        ("Description", "pulls"),
        ("Tags.member.1.Key", "t"),
        ("Tags.member.1.Value", "v"),
    ];
    let made = door.ok("CreatePolicy", &parameters).await;
    let arn = ("PolicyArn", PULL);
    let got = door.ok("GetPolicy", &[arn]).await["Policy"].clone();
    assert_eq!(made["Policy"], got);
    assert_eq!(got["Arn"], PULL);
    assert_eq!((&got["DefaultVersionId"], &got["AttachmentCount"]), (&json!("v1"), &json!(0)));
    assert_eq!((&got["Description"], &got["Tags"][0]["Key"]), (&json!("pulls"), &json!("t")));

    let second = allow("ecr:*");
    let version = door.ok("CreatePolicyVersion", &[arn, ("PolicyDocument", &second), ("SetAsDefault", "true")]).await;
    let expected = json!({ "VersionId": "v2", "IsDefaultVersion": true, "CreateDate": 1_700_000_000_000_i64 });
    assert_eq!(version["PolicyVersion"], expected);
    let read = door.ok("GetPolicyVersion", &[arn, ("VersionId", "v2")]).await;
    assert_eq!(decoded(&read["PolicyVersion"]["Document"]), second);
    let versions = door.pages("ListPolicyVersions", &[arn, ("MaxItems", "1")], "Versions", "VersionId").await;
    assert_eq!(versions, [["v2"], ["v1"]]);
    assert_eq!(door.no("DeletePolicyVersion", &[arn, ("VersionId", "v2")]).await.1, "DeleteConflict");
    assert_eq!(door.no("DeletePolicy", &[arn]).await.1, "DeleteConflict");
    door.ok("SetDefaultPolicyVersion", &[arn, ("VersionId", "v1")]).await;
    assert_eq!(door.ok("GetPolicy", &[arn]).await["Policy"]["DefaultVersionId"], "v1");
    door.ok("DeletePolicyVersion", &[arn, ("VersionId", "v2")]).await;
    for gone in ["v2", "v99", "v99999999999999999999"] {
        assert_eq!(door.no("GetPolicyVersion", &[arn, ("VersionId", gone)]).await.1, "NoSuchEntity", "{gone}");
    }
    door.ok("UntagPolicy", &[arn, ("TagKeys.member.1", "t")]).await;
    tags(door, "Policy", arn).await;

    let doomed = format!("arn:aws:iam::{ACCOUNT}:policy/doomed");
    door.ok("CreatePolicy", &[("PolicyName", "doomed"), ("PolicyDocument", &first)]).await;
    door.ok("DeletePolicy", &[("PolicyArn", &doomed)]).await;
    assert_eq!(door.no("GetPolicy", &[("PolicyArn", &doomed)]).await.1, "NoSuchEntity");
    assert_eq!(door.no("DeletePolicy", &[("PolicyArn", READ_ONLY)]).await.1, "AccessDenied");
}

pub async fn attached(door: &Door) {
    for kind in ["User", "Group", "Role"] {
        let owner = owner(kind);
        let (attach, detach, list) =
            (format!("Attach{kind}Policy"), format!("Detach{kind}Policy"), format!("ListAttached{kind}Policies"));
        for arn in [PULL, READ_ONLY] {
            door.ok(&attach, &[owner, ("PolicyArn", arn)]).await;
        }
        let pages = door.pages(&list, &[owner, ("MaxItems", "1")], "AttachedPolicies", "PolicyName").await;
        assert_eq!(pages, [["pull"], ["IAMReadOnlyAccess"]], "{kind}");
        let of_teams = door.ok(&list, &[owner, ("PathPrefix", "/teams/")]).await;
        assert_eq!(of_teams["AttachedPolicies"], json!([{ "PolicyName": "pull", "PolicyArn": PULL }]));
        door.ok(&detach, &[owner, ("PolicyArn", READ_ONLY)]).await;
        assert_eq!(door.no(&detach, &[owner, ("PolicyArn", READ_ONLY)]).await.1, "NoSuchEntity");
        assert_eq!(door.no(&attach, &[owner, ("PolicyArn", &PULL.replace("pull", "push"))]).await.1, "NoSuchEntity");
    }
    entities(door).await;
    lists(door).await;
}

async fn entities(door: &Door) {
    let arn = ("PolicyArn", PULL);
    let all = door.ok("ListEntitiesForPolicy", &[arn]).await;
    assert_eq!(texts(&all["PolicyUsers"], "UserName"), ["alice"]);
    assert_eq!(texts(&all["PolicyGroups"], "GroupName"), ["devs"]);
    assert_eq!(texts(&all["PolicyRoles"], "RoleName"), ["builder"]);
    for (parameter, value, counts) in [
        ("EntityFilter", "User", [1, 0, 0]),
        ("EntityFilter", "Group", [0, 1, 0]),
        ("EntityFilter", "Role", [0, 0, 1]),
        ("EntityFilter", "AWSManagedPolicy", [0, 0, 0]),
        ("PathPrefix", "/ci/", [0, 0, 1]),
        ("PolicyUsageFilter", "PermissionsPolicy", [1, 1, 1]),
        ("PolicyUsageFilter", "PermissionsBoundary", [0, 0, 0]),
    ] {
        let found = door.ok("ListEntitiesForPolicy", &[arn, (parameter, value)]).await;
        let count = |list: &str| found[list].as_array().unwrap().len();
        assert_eq!(["PolicyUsers", "PolicyGroups", "PolicyRoles"].map(count), counts, "{parameter}={value}");
    }
    // One by one: the group, the role, the user.
    let pages = door.pages("ListEntitiesForPolicy", &[arn, ("MaxItems", "1")], "PolicyUsers", "UserName").await;
    assert_eq!(pages, [vec![], vec![], vec!["alice"]]);
    let bounding = door.ok("ListEntitiesForPolicy", &[("PolicyArn", READ_ONLY)]).await;
    assert_eq!(texts(&bounding["PolicyUsers"], "UserName"), ["alice"]);
}

async fn lists(door: &Door) {
    for (parameters, names) in [
        (&[("Scope", "Local")][..], &["pull"][..]),
        (&[("Scope", "AWS"), ("OnlyAttached", "true")], &["AdministratorAccess"]),
        (&[("OnlyAttached", "true")], &["AdministratorAccess", "pull"]),
        (&[("PathPrefix", "/teams/")], &["pull"]),
        (&[("PolicyUsageFilter", "PermissionsBoundary")], &["IAMReadOnlyAccess"]),
        (&[("PolicyUsageFilter", "PermissionsPolicy"), ("Scope", "Local")], &["pull"]),
    ] {
        let found = door.ok("ListPolicies", parameters).await;
        assert_eq!(texts(&found["Policies"], "PolicyName"), names, "{parameters:?}");
    }
    let pages = door.pages("ListPolicies", &[("Scope", "All"), ("MaxItems", "3")], "Policies", "Arn").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 2]);
    assert_eq!((pages[0][0].as_str(), pages[2][1].as_str()), (ADMINISTRATOR, PULL));
    let found = door.ok("ListPolicies", &[("Scope", "Local")]).await;
    assert!(found["Policies"][0].get("Tags").is_none() && found["Policies"][0].get("Description").is_none());
    assert_eq!(found["Policies"][0]["AttachmentCount"], 3);
}

pub async fn inline(door: &Door) {
    let document = allow("ecr:ListImages");
    for kind in ["User", "Group", "Role"] {
        let owner = owner(kind);
        let operation = |verb: &str| format!("{verb}{kind}Policy");
        for name in ["one", "two"] {
            let parameters = [owner, ("PolicyName", name), ("PolicyDocument", &document)];
            door.ok(&operation("Put"), &parameters).await;
        }
        let got = door.ok(&operation("Get"), &[owner, ("PolicyName", "one")]).await;
        assert_eq!(decoded(&got["PolicyDocument"]), document);
        assert_eq!((&got[owner.0], &got["PolicyName"]), (&json!(owner.1), &json!("one")));
        let list = format!("List{kind}Policies");
        assert_eq!(door.pages(&list, &[owner, ("MaxItems", "1")], "PolicyNames", "").await, [["one"], ["two"]]);
        door.ok(&operation("Delete"), &[owner, ("PolicyName", "two")]).await;
        for verb in ["Delete", "Get"] {
            assert_eq!(door.no(&operation(verb), &[owner, ("PolicyName", "two")]).await.1, "NoSuchEntity");
        }
        let bad = [owner, ("PolicyName", "bad"), ("PolicyDocument", "{\"Statement\":1}")];
        assert_eq!(door.no(&operation("Put"), &bad).await.1, "MalformedPolicyDocument");
        let long = document.replace("ecr:ListImages", &"a".repeat(11_000));
        let long = [owner, ("PolicyName", "long"), ("PolicyDocument", &long)];
        assert_eq!(door.no(&operation("Put"), &long).await.1, "LimitExceeded");
    }
}

pub async fn boundaries(door: &Door) {
    for kind in ["User", "Role"] {
        let owner = owner(kind);
        let set = [owner, ("PermissionsBoundary", PULL)];
        door.ok(&format!("Put{kind}PermissionsBoundary"), &set).await;
        let got = door.ok(&format!("Get{kind}"), &[owner]).await;
        assert_eq!(got[kind]["PermissionsBoundary"]["PermissionsBoundaryArn"], PULL);
        let bounded = [("PolicyArn", PULL), ("PolicyUsageFilter", "PermissionsBoundary")];
        let list = format!("Policy{kind}s");
        assert_eq!(door.ok("ListEntitiesForPolicy", &bounded).await[list].as_array().unwrap().len(), 1);
        let unset = format!("Delete{kind}PermissionsBoundary");
        door.ok(&unset, &[owner]).await;
        assert_eq!(door.no(&unset, &[owner]).await.1, "NoSuchEntity");
        assert!(door.ok(&format!("Get{kind}"), &[owner]).await[kind].get("PermissionsBoundary").is_none());
    }
}

fn owner(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "User" => ("UserName", "alice"),
        "Group" => ("GroupName", "devs"),
        _ => ("RoleName", "builder"),
    }
}
