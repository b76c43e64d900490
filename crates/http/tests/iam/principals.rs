//! Users, groups and roles, their tags, and who is in which group.

use serde_json::json;

use crate::door::{ACCOUNT, Door, READ_ONLY, TRUST, decoded, texts};

pub async fn users(door: &Door) {
    let parameters = [
        ("UserName", "alice"),
        ("Path", "/team/"),
        ("PermissionsBoundary", READ_ONLY),
        ("Tags.member.1.Key", "a b"),
        ("Tags.member.1.Value", "1"),
    ];
    let made = door.ok("CreateUser", &parameters).await;
    let got = door.ok("GetUser", &[("UserName", "ALICE")]).await;
    assert_eq!(made["User"], got["User"]);
    let user = &got["User"];
    assert_eq!(user["Arn"], format!("arn:aws:iam::{ACCOUNT}:user/team/alice"));
    assert!(user["UserId"].as_str().unwrap().starts_with("AIDA"), "{user}");
    assert_eq!(user["CreateDate"], 1_700_000_000_000_i64);
    assert_eq!(user["Tags"], json!([{ "Key": "a b", "Value": "1" }]));
    let boundary =
        json!({ "PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": READ_ONLY });
    assert_eq!(user["PermissionsBoundary"], boundary);

    door.ok("CreateUser", &[("UserName", "bob")]).await;
    assert!(door.ok("GetUser", &[("UserName", "bob")]).await["User"].get("Tags").is_none());
    let listed = door.ok("ListUsers", &[("PathPrefix", "/team/")]).await;
    assert_eq!(texts(&listed["Users"], "UserName"), ["alice"]);
    assert!(listed["Users"][0].get("Tags").is_none() && listed["Users"][0].get("PermissionsBoundary").is_none());
    let pages = door.pages("ListUsers", &[("MaxItems", "2")], "Users", "UserName").await;
    assert_eq!(pages, [vec!["administrator", "alice"], vec!["bob"]]);

    door.ok("UpdateUser", &[("UserName", "bob"), ("NewUserName", "robert"), ("NewPath", "/x/")]).await;
    let moved = door.ok("GetUser", &[("UserName", "robert")]).await;
    assert_eq!(moved["User"]["Arn"], format!("arn:aws:iam::{ACCOUNT}:user/x/robert"));
    tags(door, "User", ("UserName", "robert")).await;
    door.ok("DeleteUser", &[("UserName", "robert")]).await;
    assert_eq!(door.no("GetUser", &[("UserName", "robert")]).await.1, "NoSuchEntity");
    assert_eq!(door.no("DeleteUser", &[("UserName", "robert")]).await.0, 404);
}

/// Tags come and go, in pages.
pub async fn tags(door: &Door, kind: &str, of: (&str, &str)) {
    let tag = [
        of,
        ("Tags.member.1.Key", "b"),
        ("Tags.member.1.Value", ""),
        ("Tags.member.2.Key", "a"),
        ("Tags.member.2.Value", "2"),
        ("Tags.member.3.Key", "c"),
        ("Tags.member.3.Value", "3"),
    ];
    door.ok(&format!("Tag{kind}"), &tag).await;
    let list = format!("List{kind}Tags");
    assert_eq!(door.pages(&list, &[of, ("MaxItems", "2")], "Tags", "Key").await, [vec!["a", "b"], vec!["c"]]);
    let untag = [of, ("TagKeys.member.1", "a"), ("TagKeys.member.2", "c")];
    door.ok(&format!("Untag{kind}"), &untag).await;
    assert_eq!(door.ok(&list, &[of]).await["Tags"], json!([{ "Key": "b", "Value": "" }]));
    let twice = [
        of,
        ("Tags.member.1.Key", "k"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.2.Key", "K"),
        ("Tags.member.2.Value", "2"),
    ];
    assert_eq!(door.no(&format!("Tag{kind}"), &twice).await.1, "InvalidInput");
}

pub async fn groups(door: &Door) {
    let made = door.ok("CreateGroup", &[("GroupName", "devs"), ("Path", "/a/")]).await;
    assert_eq!(made["Group"]["Arn"], format!("arn:aws:iam::{ACCOUNT}:group/a/devs"));
    door.ok("CreateGroup", &[("GroupName", "ops")]).await;
    assert_eq!(door.no("CreateGroup", &[("GroupName", "OPS")]).await.0, 409);
    let pages = door.pages("ListGroups", &[("MaxItems", "1")], "Groups", "GroupName").await;
    assert_eq!(pages, [["devs"], ["ops"]]);
    assert_eq!(texts(&door.ok("ListGroups", &[("PathPrefix", "/a/")]).await["Groups"], "GroupName"), ["devs"]);

    door.ok("CreateUser", &[("UserName", "gina")]).await;
    for (group, user) in [("devs", "alice"), ("devs", "gina"), ("ops", "gina")] {
        door.ok("AddUserToGroup", &[("GroupName", group), ("UserName", user)]).await;
    }
    let devs = [("GroupName", "devs"), ("MaxItems", "1")];
    assert_eq!(door.pages("GetGroup", &devs, "Users", "UserName").await, [["alice"], ["gina"]]);
    assert_eq!(door.ok("GetGroup", &devs).await["Group"], made["Group"]);
    let of_gina = [("UserName", "gina"), ("MaxItems", "1")];
    assert_eq!(door.pages("ListGroupsForUser", &of_gina, "Groups", "GroupName").await, [["devs"], ["ops"]]);

    let conflict = door.no("DeleteGroup", &[("GroupName", "ops")]).await;
    assert_eq!((conflict.0, conflict.1.as_str()), (409, "DeleteConflict"));
    assert!(conflict.2.starts_with("Cannot delete entity, must "), "{}", conflict.2);
    door.ok("RemoveUserFromGroup", &[("GroupName", "ops"), ("UserName", "gina")]).await;
    assert_eq!(door.no("RemoveUserFromGroup", &[("GroupName", "ops"), ("UserName", "gina")]).await.1, "NoSuchEntity");
    door.ok("UpdateGroup", &[("GroupName", "ops"), ("NewGroupName", "operators")]).await;
    door.ok("DeleteGroup", &[("GroupName", "operators")]).await;
    assert_eq!(door.no("GetGroup", &[("GroupName", "operators")]).await.1, "NoSuchEntity");
}

pub async fn roles(door: &Door) {
    let parameters = [
        ("RoleName", "builder"),
        ("Path", "/ci/"),
        ("AssumeRolePolicyDocument", TRUST),
        ("Description", "builds"),
        ("MaxSessionDuration", "7200"),
        ("Tags.member.1.Key", "t"),
        ("Tags.member.1.Value", "v"),
    ];
    let made = door.ok("CreateRole", &parameters).await;
    let role = door.ok("GetRole", &[("RoleName", "builder")]).await["Role"].clone();
    assert_eq!(made["Role"], role);
    assert_eq!(decoded(&role["AssumeRolePolicyDocument"]), TRUST);
    assert_eq!((&role["Description"], &role["MaxSessionDuration"]), (&json!("builds"), &json!(7200)));
    assert_eq!(role["Tags"], json!([{ "Key": "t", "Value": "v" }]));
    let plain = door.ok("CreateRole", &[("RoleName", "plain"), ("AssumeRolePolicyDocument", TRUST)]).await;
    assert_eq!(plain["Role"]["MaxSessionDuration"], 3600);
    let pages = door.pages("ListRoles", &[("MaxItems", "1")], "Roles", "RoleName").await;
    assert_eq!(pages, [["builder"], ["plain"]]);
    let listed = door.ok("ListRoles", &[("PathPrefix", "/ci/")]).await;
    assert_eq!(texts(&listed["Roles"], "RoleName"), ["builder"]);
    assert!(listed["Roles"][0].get("Tags").is_none(), "{listed}");

    let builder = ("RoleName", "builder");
    door.ok("UpdateRole", &[builder, ("Description", "more"), ("MaxSessionDuration", "3600")]).await;
    let described = door.ok("UpdateRoleDescription", &[builder, ("Description", "most")]).await;
    assert_eq!(
        (&described["Role"]["Description"], &described["Role"]["MaxSessionDuration"]),
        (&json!("most"), &json!(3600))
    );
    let other = TRUST.replace("000000000000", "111111111111");
    door.ok("UpdateAssumeRolePolicy", &[builder, ("PolicyDocument", &other)]).await;
    let role = door.ok("GetRole", &[builder]).await;
    assert_eq!(decoded(&role["Role"]["AssumeRolePolicyDocument"]), other);
    assert_eq!(
        door.no("UpdateAssumeRolePolicy", &[builder, ("PolicyDocument", "{}")]).await.1,
        "MalformedPolicyDocument"
    );
    tags(door, "Role", ("RoleName", "plain")).await;
    door.ok("DeleteRole", &[("RoleName", "plain")]).await;
    assert_eq!(door.no("GetRole", &[("RoleName", "plain")]).await.1, "NoSuchEntity");
}
