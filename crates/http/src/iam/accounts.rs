//! The caller's account: its alias, and what it holds.

use berth_aws::iam::shapes as s;
use berth_domain::identity::accounts::AccountSummary;
use berth_domain::identity::{attachments, groups, inline_policies, keys, policies, principals};
use berth_store::identity::Kind;

use super::marker::{Cut, Paging};
use super::{Answer, Call};

pub(super) async fn create_account_alias(call: &Call<'_>, input: s::CreateAccountAliasRequest) -> Answer<()> {
    Ok(call.domain.set_account_alias(call.caller, &input.account_alias).await?)
}

pub(super) async fn delete_account_alias(call: &Call<'_>, input: s::DeleteAccountAliasRequest) -> Answer<()> {
    Ok(call.domain.delete_account_alias(call.caller, &input.account_alias).await?)
}

pub(super) async fn list_account_aliases(
    call: &Call<'_>,
    input: s::ListAccountAliasesRequest,
) -> Answer<s::ListAccountAliasesResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let aliases = call.domain.account_alias(call.caller).await?.into_iter().collect();
    let Cut { items, is_truncated, marker } = at.of_list(aliases, Clone::clone);
    Ok(s::ListAccountAliasesResponse { account_aliases: items, is_truncated, marker })
}

pub(super) async fn get_account_summary(
    call: &Call<'_>,
    _: s::GetAccountSummaryRequest,
) -> Answer<s::GetAccountSummaryResponse> {
    let held = call.domain.account_summary(call.caller).await?;
    let figures = figures(held).into_iter().map(|(name, count)| (name.to_owned(), super::view::number(count)));
    Ok(s::GetAccountSummaryResponse { summary_map: Some(figures.collect()) })
}

/// What IAM tells of an account, as far as Berth has such things; there are no second factors, certificates or root keys.
fn figures(held: AccountSummary) -> [(&'static str, u64); 25] {
    let attached = attachments::MAX_ATTACHED as u64;
    let inline = |kind| inline_policies::quota(kind) as u64;
    [
        ("Users", held.users),
        ("Groups", held.groups),
        ("Roles", held.roles),
        ("Policies", held.policies),
        ("AccessKeysPerUserQuota", keys::MAX_KEYS as u64),
        ("GroupsPerUserQuota", groups::MAX_GROUPS_PER_USER),
        ("VersionsPerPolicyQuota", policies::MAX_VERSIONS as u64),
        ("PolicySizeQuota", policies::DOCUMENT as u64),
        ("AssumeRolePolicySizeQuota", principals::TRUST_POLICY as u64),
        ("UserPolicySizeQuota", inline(Kind::User)),
        ("GroupPolicySizeQuota", inline(Kind::Group)),
        ("RolePolicySizeQuota", inline(Kind::Role)),
        ("AttachedPoliciesPerUserQuota", attached),
        ("AttachedPoliciesPerGroupQuota", attached),
        ("AttachedPoliciesPerRoleQuota", attached),
        ("GlobalEndpointTokenVersion", 2),
        ("MFADevices", 0),
        ("MFADevicesInUse", 0),
        ("AccountMFAEnabled", 0),
        ("AccountAccessKeysPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("SigningCertificatesPerUserQuota", 0),
        ("ServerCertificates", 0),
        ("InstanceProfiles", 0),
        ("Providers", held.providers),
    ]
}
