//! Carrying a change out.

use serde_json::{Value, json};

use super::model::{Managed, Owner};
use super::plan::{Alteration, Change};
use crate::failure::Failure;
use crate::identity::api::{Api, check};
use crate::identity::owner::{self, Kind};
use crate::identity::policy;

/// Checks the requests of a change against the bounds of the API (lengths, characters), before any is sent.
pub fn checked(change: &Change) -> Result<(), String> {
    match request(change) {
        Some((operation, input)) => check(&operation, &input).map_err(|problem| format!("{change}: {problem}")),
        None => Ok(()),
    }
}

/// Does it.
pub async fn perform(api: &Api, change: &Change) -> Result<(), Failure> {
    if let Some((operation, input)) = request(change) {
        return api.call(&operation, input).await.map(drop);
    }
    match change {
        Change::UpdatePolicy { arn, document, .. } => policy::update(api, arn, document.text()).await.map(drop),
        Change::DeletePolicy { arn, .. } => policy::delete(api, arn).await,
        Change::Delete { kind, name } => owner::delete_with_all(api, *kind, name).await,
        Change::CreatePolicy { .. } | Change::Create { .. } | Change::Alter { .. } => Ok(()),
    }
}

/// The one request that a change is, where it is one.
fn request(change: &Change) -> Option<(String, Value)> {
    match change {
        Change::CreatePolicy { name, policy } => Some(("CreatePolicy".to_owned(), create_policy(name, policy))),
        Change::Create { kind, name, owner } => Some((format!("Create{}", kind.noun()), create(*kind, name, owner))),
        Change::Alter { kind, name, what } => Some(alter(*kind, name, what)),
        Change::UpdatePolicy { .. } | Change::DeletePolicy { .. } | Change::Delete { .. } => None,
    }
}

fn create_policy(name: &str, policy: &Managed) -> Value {
    let input = json!({ "PolicyName": name, "PolicyDocument": policy.document.text() });
    owner::with(input, &[("Path", policy.path.clone().map(Value::from))])
}

fn create(kind: Kind, name: &str, wanted: &Owner) -> Value {
    let tags: Vec<(String, String)> = wanted.tags.clone().into_iter().collect();
    let given = [
        ("Path", wanted.path.clone().map(Value::from)),
        ("PermissionsBoundary", wanted.boundary.clone().map(Value::from)),
        ("Tags", Some(owner::tags(&tags)).filter(|_| !tags.is_empty())),
        ("AssumeRolePolicyDocument", wanted.trust.as_ref().map(|document| document.text().into())),
        ("MaxSessionDuration", wanted.max_session.map(Value::from)),
    ];
    owner::with(json!({ (kind.field()): name }), &given)
}

fn alter(kind: Kind, name: &str, what: &Alteration) -> (String, Value) {
    let noun = kind.noun();
    let (operation, given) = match what {
        Alteration::Leave(group) => ("RemoveUserFromGroup".to_owned(), json!({ "GroupName": group })),
        Alteration::Join(group) => ("AddUserToGroup".to_owned(), json!({ "GroupName": group })),
        Alteration::Detach(arn) => (format!("Detach{noun}Policy"), json!({ "PolicyArn": arn })),
        Alteration::Attach(arn) => (format!("Attach{noun}Policy"), json!({ "PolicyArn": arn })),
        Alteration::DeleteInline(policy) => (format!("Delete{noun}Policy"), json!({ "PolicyName": policy })),
        Alteration::PutInline(policy, document) => {
            (format!("Put{noun}Policy"), json!({ "PolicyName": policy, "PolicyDocument": document.text() }))
        }
        Alteration::Untag(key) => (format!("Untag{noun}"), json!({ "TagKeys": [key] })),
        Alteration::Tag(key, value) => {
            (format!("Tag{noun}"), json!({ "Tags": owner::tags(&[(key.clone(), value.clone())]) }))
        }
        Alteration::SetBoundary(arn) => {
            (format!("Put{noun}PermissionsBoundary"), json!({ "PermissionsBoundary": arn }))
        }
        Alteration::DropBoundary => (format!("Delete{noun}PermissionsBoundary"), json!({})),
        Alteration::Trust(document) => {
            ("UpdateAssumeRolePolicy".to_owned(), json!({ "PolicyDocument": document.text() }))
        }
        Alteration::MaxSession(seconds) => ("UpdateRole".to_owned(), json!({ "MaxSessionDuration": seconds })),
    };
    (operation, owner::with(given, &[(kind.field(), Some(name.into()))]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::apply::model::Document;

    #[test]
    fn each_change_is_a_request_that_there_is() {
        let text = || "x".to_owned();
        let document = || Document::of(json!({}));
        let arn = || "arn:aws:iam::000000000000:policy/p".to_owned();
        let everybody = [
            Alteration::Detach(arn()),
            Alteration::Attach(arn()),
            Alteration::DeleteInline(text()),
            Alteration::PutInline(text(), document()),
        ];
        let tagged = [
            Alteration::Untag(text()),
            Alteration::Tag(text(), text()),
            Alteration::SetBoundary(arn()),
            Alteration::DropBoundary,
        ];
        let user = [Alteration::Leave(text()), Alteration::Join(text())];
        let role = [Alteration::Trust(document()), Alteration::MaxSession(3600)];
        let cases: [(Kind, Vec<&[Alteration]>); 3] = [
            (Kind::Group, vec![&everybody]),
            (Kind::User, vec![&everybody, &tagged, &user]),
            (Kind::Role, vec![&everybody, &tagged, &role]),
        ];
        for (kind, alterations) in cases {
            let name = "alice".to_owned();
            let trust = (kind == Kind::Role).then(document);
            let owner = Owner { path: Some("/".to_owned()), trust, ..Owner::default() };
            assert_eq!(checked(&Change::Create { kind, name, owner }), Ok(()));
            for what in alterations.into_iter().flatten() {
                assert_eq!(checked(&Change::Alter { kind, name: "alice".to_owned(), what: what.clone() }), Ok(()));
            }
        }
        let policy = Managed { arn: arn(), path: None, document: document() };
        assert_eq!(checked(&Change::CreatePolicy { name: text(), policy }), Ok(()));
    }

    #[test]
    fn what_the_api_will_not_take_is_found_before() {
        let user = |name: &str| Change::Create { kind: Kind::User, name: name.to_owned(), owner: Owner::default() };
        for bad in ["", "a b", &"a".repeat(65)] {
            let problem = checked(&user(bad)).unwrap_err();
            assert!(problem.starts_with(&format!("+ user {bad}: ")), "{problem}");
        }
        let short = Alteration::MaxSession(1);
        assert!(checked(&Change::Alter { kind: Kind::Role, name: "r".to_owned(), what: short }).is_err());
    }
}
