//! What the domain knows, in the structures of IAM's answers.

use berth_aws::iam::shapes::{
    AttachedPermissionsBoundary, AttachedPolicy, Group, Policy, PolicyDetail, PolicyVersion, Role, Tag, User,
};
use berth_aws::protocol::Timestamp;
use berth_domain::identity::policies::ManagedPolicyView;
use berth_domain::identity::principals::Principal;
use berth_store::identity::PrincipalRecord;
use berth_store::identity::policies::VersionRecord;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A policy document as answers hold it: percent-encoded by RFC 3986.
pub(super) fn document(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// A moment.
pub(super) fn date(at: berth_store::Timestamp) -> Timestamp {
    Timestamp(at.as_millis())
}

/// A number of the size that shapes have.
pub(super) fn number(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A user as listings show it: without tags and boundary.
pub(super) fn user(record: PrincipalRecord) -> User {
    User {
        arn: record.arn(),
        path: record.path,
        user_name: record.name,
        user_id: record.unique_id,
        create_date: date(record.created_at),
        ..User::default()
    }
}

/// A user with all that is known.
pub(super) fn whole_user(Principal { record, tags: of }: Principal) -> User {
    User { permissions_boundary: boundary(record.boundary.as_deref()), tags: tags_or_none(of), ..user(record) }
}

/// A group.
pub(super) fn group(record: PrincipalRecord) -> Group {
    Group {
        arn: record.arn(),
        path: record.path,
        group_name: record.name,
        group_id: record.unique_id,
        create_date: date(record.created_at),
    }
}

/// A role as listings show it: without tags and boundary.
pub(super) fn role(record: PrincipalRecord) -> Role {
    Role {
        arn: record.arn(),
        path: record.path,
        role_name: record.name,
        role_id: record.unique_id,
        create_date: date(record.created_at),
        assume_role_policy_document: record.trust_policy.as_deref().map(document),
        description: record.description,
        max_session_duration: record.max_session.map(number),
        ..Role::default()
    }
}

/// A role with all that is known.
pub(super) fn whole_role(Principal { record, tags: of }: Principal) -> Role {
    Role { permissions_boundary: boundary(record.boundary.as_deref()), tags: tags_or_none(of), ..role(record) }
}

/// The policy that bounds somebody.
pub(super) fn boundary(arn: Option<&str>) -> Option<AttachedPermissionsBoundary> {
    arn.map(|arn| AttachedPermissionsBoundary {
        permissions_boundary_type: Some("PermissionsBoundaryPolicy".to_owned()),
        permissions_boundary_arn: Some(arn.to_owned()),
    })
}

/// Tags.
pub(super) fn tags(pairs: Vec<(String, String)>) -> Vec<Tag> {
    pairs.into_iter().map(|(key, value)| Tag { key, value }).collect()
}

/// Tags, left out where there are none.
pub(super) fn tags_or_none(pairs: Vec<(String, String)>) -> Option<Vec<Tag>> {
    Some(tags(pairs)).filter(|tags| !tags.is_empty())
}

/// Tags as the domain takes them.
pub(super) fn pairs(tags: impl IntoIterator<Item = Tag>) -> Vec<(String, String)> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// A managed policy as listings show it: without tags and description.
pub(super) fn policy(view: ManagedPolicyView) -> Policy {
    Policy {
        policy_name: Some(view.name),
        policy_id: Some(view.unique_id),
        arn: Some(view.arn),
        path: Some(view.path),
        default_version_id: Some(version_id(view.default_version)),
        attachment_count: Some(number(view.attachments)),
        permissions_boundary_usage_count: Some(number(view.bounds)),
        is_attachable: Some(true),
        create_date: Some(date(view.created_at)),
        update_date: Some(date(view.updated_at)),
        ..Policy::default()
    }
}

/// A managed policy with all that is known.
pub(super) fn whole_policy(mut view: ManagedPolicyView) -> Policy {
    let (description, of) = (view.description.take(), std::mem::take(&mut view.tags));
    Policy { description, tags: tags_or_none(of), ..policy(view) }
}

/// The id of a version, such as `v1`.
pub(super) fn version_id(version: u64) -> String {
    format!("v{version}")
}

/// A version of a policy as listings show it: without its document.
pub(super) fn version((record, is_default): &(VersionRecord, bool)) -> PolicyVersion {
    PolicyVersion {
        document: None,
        version_id: Some(version_id(record.version)),
        is_default_version: Some(*is_default),
        create_date: Some(date(record.created_at)),
    }
}

/// A version of a policy with its document.
pub(super) fn whole_version(of: &(VersionRecord, bool)) -> PolicyVersion {
    PolicyVersion { document: Some(document(&of.0.document)), ..version(of) }
}

/// A managed policy that somebody has.
pub(super) fn attached(arn: String) -> AttachedPolicy {
    let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
    AttachedPolicy { policy_name: Some(name), policy_arn: Some(arn) }
}

/// The path of a managed policy: what its ARN has between `policy` and the name.
pub(super) fn path_of(arn: &str) -> &str {
    let resource = arn.split_once(":policy").map_or("", |(_, resource)| resource);
    resource.rfind('/').map_or("", |end| &resource[..=end])
}

/// An inline policy.
pub(super) fn inline((name, text): (String, String)) -> PolicyDetail {
    PolicyDetail { policy_name: Some(name), policy_document: Some(document(&text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_percent_encoded() {
        assert_eq!(
            document("{\"a\": [\"b-c_d.e~f/*+\u{e9}\"]}\n"),
            "%7B%22a%22%3A%20%5B%22b-c_d.e~f%2F%2A%2B%C3%A9%22%5D%7D%0A"
        );
    }

    #[test]
    fn policies_are_taken_apart() {
        for (arn, path, name) in [
            ("arn:aws:iam::aws:policy/IAMFullAccess", "/", "IAMFullAccess"),
            ("arn:aws:iam::000000000000:policy/a/b/c", "/a/b/", "c"),
            ("arn:aws:iam::000000000000:policy", "", "arn:aws:iam::000000000000:policy"),
            ("", "", ""),
        ] {
            assert_eq!((path_of(arn), attached(arn.to_owned()).policy_name.as_deref()), (path, Some(name)));
        }
    }

    #[test]
    fn numbers_end_at_the_largest() {
        assert_eq!((number(7), number(u64::MAX)), (7, i32::MAX));
    }
}
