//! Everything of the caller's account, kind by kind.

use berth_aws::iam::shapes as s;
use berth_domain::identity::details::{PolicyDetails, PrincipalDetails};
use berth_domain::repositories::Page;
use berth_store::identity::Kind;

use super::marker::{Cut, Paging};
use super::{Answer, Call, view};

/// What `Filter` calls the kinds of things, and the letter of each in markers, in the order in which they are listed.
const SECTIONS: [(&str, char); 5] =
    [("User", 'a'), ("Group", 'b'), ("Role", 'c'), ("LocalManagedPolicy", 'd'), ("AWSManagedPolicy", 'e')];

/// One thing of an account.
enum Entry {
    Principal(PrincipalDetails),
    Policy(PolicyDetails),
}

pub(super) async fn get_account_authorization_details(
    call: &Call<'_>,
    input: s::GetAccountAuthorizationDetailsRequest,
) -> Answer<s::GetAccountAuthorizationDetailsResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let filter = input.filter.unwrap_or_default();
    let Cut { items, is_truncated, marker } = Paging::page(page(call, &filter, &at).await?, |(key, _)| key.clone());
    let mut answer = s::GetAccountAuthorizationDetailsResponse {
        user_detail_list: Some(Vec::new()),
        group_detail_list: Some(Vec::new()),
        role_detail_list: Some(Vec::new()),
        policies: Some(Vec::new()),
        is_truncated,
        marker,
    };
    for (_, entry) in items {
        put(&mut answer, entry);
    }
    Ok(answer)
}

/// What follows behind a marker, with its keys, through all sections that are wanted.
async fn page(call: &Call<'_>, filter: &[String], at: &Paging) -> Answer<Page<(String, Entry)>> {
    let (section, last) = at.last.split_at_checked(1).unwrap_or(("", ""));
    let limit = usize::try_from(at.limit).unwrap_or(usize::MAX);
    let mut items = Vec::new();
    for (word, letter) in SECTIONS {
        let letter = letter.to_string();
        let is_wanted = filter.is_empty() || filter.iter().any(|wanted| wanted == word);
        let missing = (limit + 1).saturating_sub(items.len());
        if !is_wanted || missing == 0 || letter.as_str() < section {
            continue;
        }
        let last = if letter == section { last } else { "" };
        let found = fetch(call, word, last, missing as u64).await?;
        items.extend(found.into_iter().map(|entry| (letter.clone() + entry.name(), entry)));
    }
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(Page { items, more })
}

async fn fetch(call: &Call<'_>, section: &str, last: &str, limit: u64) -> Answer<Vec<Entry>> {
    let kind = match section {
        "User" => Kind::User,
        "Group" => Kind::Group,
        "Role" => Kind::Role,
        "LocalManagedPolicy" => {
            let found = call.domain.policy_details(call.caller, last, limit).await?;
            return Ok(found.into_iter().map(Entry::Policy).collect());
        }
        _ => {
            let found = call.domain.managed_policy_details(call.caller, last, limit).await?;
            return Ok(found.into_iter().map(Entry::Policy).collect());
        }
    };
    let found = call.domain.principal_details(call.caller, kind, last, limit).await?;
    Ok(found.into_iter().map(Entry::Principal).collect())
}

impl Entry {
    fn name(&self) -> &str {
        match self {
            Self::Principal(details) => &details.record.name,
            Self::Policy((policy, _)) => &policy.name,
        }
    }
}

fn put(answer: &mut s::GetAccountAuthorizationDetailsResponse, entry: Entry) {
    match entry {
        Entry::Policy(details) => answer.policies.get_or_insert_default().push(policy(details)),
        Entry::Principal(details) => match details.record.kind {
            Kind::User => answer.user_detail_list.get_or_insert_default().push(user(details)),
            Kind::Group => answer.group_detail_list.get_or_insert_default().push(group(details)),
            Kind::Role => answer.role_detail_list.get_or_insert_default().push(role(details)),
        },
    }
}

fn inline(policies: Vec<(String, String)>) -> Vec<s::PolicyDetail> {
    policies.into_iter().map(view::inline).collect()
}

fn attached(arns: Vec<String>) -> Vec<s::AttachedPolicy> {
    arns.into_iter().map(view::attached).collect()
}

fn user(details: PrincipalDetails) -> s::UserDetail {
    let record = details.record;
    s::UserDetail {
        arn: Some(record.arn()),
        path: Some(record.path),
        user_name: Some(record.name),
        user_id: Some(record.unique_id),
        create_date: Some(view::date(record.created_at)),
        user_policy_list: Some(inline(details.inline)),
        group_list: Some(details.groups),
        attached_managed_policies: Some(attached(details.attached)),
        permissions_boundary: view::boundary(record.boundary.as_deref()),
        tags: Some(view::tags(details.tags)),
    }
}

fn group(details: PrincipalDetails) -> s::GroupDetail {
    let record = details.record;
    s::GroupDetail {
        arn: Some(record.arn()),
        path: Some(record.path),
        group_name: Some(record.name),
        group_id: Some(record.unique_id),
        create_date: Some(view::date(record.created_at)),
        group_policy_list: Some(inline(details.inline)),
        attached_managed_policies: Some(attached(details.attached)),
    }
}

fn role(details: PrincipalDetails) -> s::RoleDetail {
    let record = details.record;
    s::RoleDetail {
        arn: Some(record.arn()),
        path: Some(record.path),
        role_name: Some(record.name),
        role_id: Some(record.unique_id),
        create_date: Some(view::date(record.created_at)),
        assume_role_policy_document: record.trust_policy.as_deref().map(view::document),
        instance_profile_list: Some(Vec::new()),
        role_policy_list: Some(inline(details.inline)),
        attached_managed_policies: Some(attached(details.attached)),
        permissions_boundary: view::boundary(record.boundary.as_deref()),
        tags: Some(view::tags(details.tags)),
        role_last_used: None,
    }
}

fn policy((view, versions): PolicyDetails) -> s::ManagedPolicyDetail {
    let shown = view::whole_policy(view);
    s::ManagedPolicyDetail {
        policy_name: shown.policy_name,
        policy_id: shown.policy_id,
        arn: shown.arn,
        path: shown.path,
        default_version_id: shown.default_version_id,
        attachment_count: shown.attachment_count,
        permissions_boundary_usage_count: shown.permissions_boundary_usage_count,
        is_attachable: shown.is_attachable,
        description: shown.description,
        create_date: shown.create_date,
        update_date: shown.update_date,
        policy_version_list: Some(versions.iter().map(view::whole_version).collect()),
    }
}
