//! What is about the account as a whole.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::door::{Door, TRUST, decoded, texts};

pub async fn summary_and_alias(door: &Door) {
    let map = door.ok("GetAccountSummary", &[]).await["SummaryMap"].clone();
    for (name, count) in [
        ("Users", 4),
        ("Groups", 1),
        ("Roles", 1),
        ("Policies", 1),
        ("AccessKeysPerUserQuota", 2),
        ("GroupsPerUserQuota", 10),
        ("VersionsPerPolicyQuota", 5),
        ("PolicySizeQuota", 6144),
        ("UserPolicySizeQuota", 2048),
        ("GroupPolicySizeQuota", 5120),
        ("RolePolicySizeQuota", 10_240),
        ("AttachedPoliciesPerRoleQuota", 20),
        ("MFADevices", 0),
        ("AccountMFAEnabled", 0),
    ] {
        assert_eq!(map[name], count, "{name}");
    }
    assert_eq!(door.ok("ListAccountAliases", &[]).await["AccountAliases"], json!([]));
    door.ok("CreateAccountAlias", &[("AccountAlias", "harbour")]).await;
    assert_eq!(door.ok("ListAccountAliases", &[]).await["AccountAliases"], json!(["harbour"]));
    assert_eq!(door.no("DeleteAccountAlias", &[("AccountAlias", "other")]).await.1, "NoSuchEntity");
    door.ok("DeleteAccountAlias", &[("AccountAlias", "harbour")]).await;
}

const LISTS: [(&str, &str); 4] = [
    ("UserDetailList", "UserName"),
    ("GroupDetailList", "GroupName"),
    ("RoleDetailList", "RoleName"),
    ("Policies", "PolicyName"),
];

fn names(answer: &Value) -> Vec<String> {
    LISTS.iter().flat_map(|(list, member)| texts(&answer[*list], member)).collect()
}

pub async fn details(door: &Door) {
    const ACTION: &str = "GetAccountAuthorizationDetails";
    let whole = door.ok(ACTION, &[]).await;
    let alice = &whole["UserDetailList"][1];
    assert_eq!((&alice["UserName"], &alice["GroupList"]), (&json!("alice"), &json!(["devs"])));
    assert_eq!(alice["UserPolicyList"][0]["PolicyName"], "one");
    assert!(decoded(&alice["UserPolicyList"][0]["PolicyDocument"]).contains("ecr:ListImages"));
    assert_eq!(alice["AttachedManagedPolicies"][0]["PolicyName"], "pull");
    let role = &whole["RoleDetailList"][0];
    assert!(decoded(&role["AssumeRolePolicyDocument"]).contains("sts:AssumeRole") && TRUST.contains("sts:AssumeRole"));
    assert_eq!(role["InstanceProfileList"], json!([]));
    let pull = &whole["Policies"][0];
    assert_eq!((&pull["PolicyName"], &pull["PolicyVersionList"][0]["VersionId"]), (&json!("pull"), &json!("v1")));
    assert!(decoded(&pull["PolicyVersionList"][0]["Document"]).contains("ecr:BatchGetImage"));
    let administrator = &whole["Policies"][1];
    assert_eq!(
        (&administrator["PolicyName"], &administrator["AttachmentCount"]),
        (&json!("AdministratorAccess"), &json!(2))
    );

    for (filter, expected) in [
        ("User", vec!["administrator", "alice", "gina", "kim"]),
        ("Group", vec!["devs"]),
        ("Role", vec!["builder"]),
        ("LocalManagedPolicy", vec!["pull"]),
    ] {
        assert_eq!(names(&door.ok(ACTION, &[("Filter.member.1", filter)]).await), expected);
    }
    let both = [("Filter.member.1", "AWSManagedPolicy"), ("Filter.member.2", "Group")];
    assert_eq!(names(&door.ok(ACTION, &both).await).len(), 8);
    for size in ["1", "2", "3", "5"] {
        assert_eq!(walk(door, size).await, names(&whole).into_iter().collect(), "{size} a page");
    }
}

/// The names of all pages, none of which comes twice.
async fn walk(door: &Door, size: &str) -> BTreeSet<String> {
    let (mut seen, mut marker) = (BTreeSet::new(), None::<String>);
    loop {
        let mut parameters = vec![("MaxItems", size)];
        parameters.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let page = door.ok("GetAccountAuthorizationDetails", &parameters).await;
        let found = names(&page);
        assert!(found.len() <= size.parse().unwrap(), "{found:?}");
        for name in found {
            assert!(seen.insert(name.clone()), "{name} comes twice");
        }
        match page["Marker"].as_str() {
            Some(next) => marker = Some(next.to_owned()),
            None => return seen,
        }
    }
}
