//! What there is in an account, read through the API.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::file::File;
use super::model::{Document, Managed, Owner, State};
use crate::failure::Failure;
use crate::identity::api::{Api, texts};
use crate::identity::document;
use crate::identity::owner::Kind;

/// The user that every account begins with.
const ADMINISTRATOR: &str = "administrator";

/// An account.
pub struct Present {
    /// Its id.
    pub account: String,
    /// What it holds.
    pub state: State,
    /// ARNs of the policies that come with Berth, by name.
    pub provided: BTreeMap<String, String>,
    /// Who keeps all that he has: the administrator and who asks.
    pub kept: BTreeSet<(Kind, String)>,
}

/// Reads it, as far as `wanted` needs it.
pub async fn read(api: &Api, wanted: &File) -> Result<Present, Failure> {
    let (account, arn) = api.caller().await?;
    let mut state = State::default();
    let filter = json!({ "Filter": ["User", "Group", "Role", "LocalManagedPolicy"] });
    for page in api.pages("GetAccountAuthorizationDetails", filter).await? {
        take(&mut state, &page);
    }
    for ((kind, name), known) in &mut state.owners {
        let wants = wanted.owners.get(&(*kind, name.clone())).is_some_and(|wanted| wanted.max_session.is_some());
        if wants {
            let role = api.call("GetRole", json!({ "RoleName": name })).await?;
            let seconds = role["Role"]["MaxSessionDuration"].as_u64();
            known.max_session = seconds.and_then(|seconds| u32::try_from(seconds).ok());
        }
    }
    let provided = api.all("ListPolicies", json!({ "Scope": "AWS" }), "Policies").await?;
    let provided = provided.iter().map(|policy| (text(&policy["PolicyName"]), text(&policy["Arn"]))).collect();
    let administrator = (Kind::User, ADMINISTRATOR.to_owned());
    let kept = std::iter::once(administrator).chain(arn.as_deref().and_then(asking)).collect();
    Ok(Present { account, state, provided, kept })
}

/// The user of an ARN, or the role of a session's.
fn asking(arn: &str) -> Option<(Kind, String)> {
    if let Some((_, path)) = arn.split_once(":user/") {
        return path.rsplit('/').next().map(|name| (Kind::User, name.to_owned()));
    }
    let (_, session) = arn.split_once(":assumed-role/")?;
    session.split('/').next().map(|name| (Kind::Role, name.to_owned()))
}

/// Takes what a page of `GetAccountAuthorizationDetails` holds.
fn take(state: &mut State, page: &Value) {
    let kinds = [
        (Kind::User, "UserDetailList", "UserPolicyList"),
        (Kind::Group, "GroupDetailList", "GroupPolicyList"),
        (Kind::Role, "RoleDetailList", "RolePolicyList"),
    ];
    for (kind, list, inline) in kinds {
        for detail in page[list].as_array().into_iter().flatten() {
            state.owners.insert((kind, text(&detail[kind.field()])), owner(detail, inline));
        }
    }
    for detail in page["Policies"].as_array().into_iter().flatten() {
        let versions = detail["PolicyVersionList"].as_array().into_iter().flatten();
        let mut default = versions.filter(|version| version["IsDefaultVersion"] == true);
        let document = decoded(default.next().map_or(&Value::Null, |version| &version["Document"]));
        let policy = Managed { arn: text(&detail["Arn"]), path: some(&detail["Path"]), document };
        state.policies.insert(text(&detail["PolicyName"]), policy);
    }
}

fn owner(detail: &Value, inline: &str) -> Owner {
    let inline = detail[inline].as_array().into_iter().flatten();
    let tags = detail["Tags"].as_array().into_iter().flatten();
    Owner {
        path: some(&detail["Path"]),
        policies: texts(&detail["AttachedManagedPolicies"], Some("PolicyArn")).into_iter().collect(),
        inline: inline.map(|policy| (text(&policy["PolicyName"]), decoded(&policy["PolicyDocument"]))).collect(),
        boundary: some(&detail["PermissionsBoundary"]["PermissionsBoundaryArn"]),
        tags: tags.map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect(),
        groups: texts(&detail["GroupList"], None).into_iter().collect(),
        trust: some(&detail["AssumeRolePolicyDocument"]).map(|text| Document::of(document::decoded(&text))),
        max_session: None,
    }
}

fn decoded(value: &Value) -> Document {
    Document::of(document::decoded(value.as_str().unwrap_or_default()))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn some(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_known_by_the_arn() {
        for (arn, expected) in [
            ("arn:aws:iam::1:user/alice", Some((Kind::User, "alice"))),
            ("arn:aws:iam::1:user/team/x/alice", Some((Kind::User, "alice"))),
            ("arn:aws:sts::1:assumed-role/ci/build-1", Some((Kind::Role, "ci"))),
            ("arn:aws:iam::1:root", None),
        ] {
            assert_eq!(asking(arn), expected.map(|(kind, name)| (kind, name.to_owned())), "{arn}");
        }
    }

    #[test]
    fn a_page_is_taken_whole() {
        let page = json!({
            "UserDetailList": [{
                "UserName": "alice", "Path": "/team/", "GroupList": ["devs"],
                "UserPolicyList": [{ "PolicyName": "own", "PolicyDocument": "%7B%22a%22%3A1%7D" }],
                "AttachedManagedPolicies": [{ "PolicyName": "p", "PolicyArn": "arn:p" }],
                "PermissionsBoundary": { "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": "arn:b" },
                "Tags": [{ "Key": "k", "Value": "v" }],
            }],
            "RoleDetailList": [{ "RoleName": "ci", "Path": "/", "AssumeRolePolicyDocument": "%7B%7D" }],
            "Policies": [{
                "PolicyName": "p", "Arn": "arn:p", "Path": "/",
                "PolicyVersionList": [
                    { "VersionId": "v1", "IsDefaultVersion": false, "Document": "%7B%22old%22%3A1%7D" },
                    { "VersionId": "v2", "IsDefaultVersion": true, "Document": "%7B%22new%22%3A1%7D" },
                ],
            }],
        });
        let mut state = State::default();
        take(&mut state, &page);
        let document = |value| Document::of(value);
        let set = |text: &str| [text.to_owned()].into();
        let alice = Owner {
            path: Some("/team/".to_owned()),
            policies: set("arn:p"),
            inline: [("own".to_owned(), document(json!({ "a": 1 })))].into(),
            boundary: Some("arn:b".to_owned()),
            tags: [("k".to_owned(), "v".to_owned())].into(),
            groups: set("devs"),
            trust: None,
            max_session: None,
        };
        let ci = Owner { path: Some("/".to_owned()), trust: Some(document(json!({}))), ..Owner::default() };
        assert_eq!(
            state.owners,
            [((Kind::User, "alice".to_owned()), alice), ((Kind::Role, "ci".to_owned()), ci)].into()
        );
        assert_eq!(state.policies["p"].document, document(json!({ "new": 1 })));
    }
}
