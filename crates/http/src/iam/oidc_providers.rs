//! Issuers of OpenID Connect that the account trusts.

use berth_aws::iam::shapes as s;
use berth_domain::federation::oidc_providers::NewOidcProvider;

use super::marker::{Cut, Paging};
use super::{Answer, Call, refuse_parameter, view};

pub(super) async fn create_open_id_connect_provider(
    call: &Call<'_>,
    input: s::CreateOpenIDConnectProviderRequest,
) -> Answer<s::CreateOpenIDConnectProviderResponse> {
    refuse_parameter("ContextProvider", input.context_provider.is_some())?;
    refuse_parameter("IdentityCenterInstanceArn", input.identity_center_instance_arn.is_some())?;
    let new = NewOidcProvider {
        url: input.url,
        client_ids: input.client_id_list.unwrap_or_default(),
        thumbprints: input.thumbprint_list.unwrap_or_default(),
        tags: view::pairs(input.tags.unwrap_or_default()),
    };
    let made = call.domain.create_oidc_provider(call.caller, new).await?;
    Ok(s::CreateOpenIDConnectProviderResponse {
        open_id_connect_provider_arn: Some(made.record.arn()),
        tags: view::tags_or_none(made.tags),
    })
}

pub(super) async fn get_open_id_connect_provider(
    call: &Call<'_>,
    input: s::GetOpenIDConnectProviderRequest,
) -> Answer<s::GetOpenIDConnectProviderResponse> {
    let found = call.domain.get_oidc_provider(call.caller, &input.open_id_connect_provider_arn).await?;
    Ok(s::GetOpenIDConnectProviderResponse {
        url: Some(found.record.url),
        client_id_list: Some(found.record.client_ids),
        thumbprint_list: Some(found.record.thumbprints),
        create_date: Some(view::date(found.record.created_at)),
        tags: view::tags_or_none(found.tags),
        ..s::GetOpenIDConnectProviderResponse::default()
    })
}

pub(super) async fn list_open_id_connect_providers(
    call: &Call<'_>,
    _: s::ListOpenIDConnectProvidersRequest,
) -> Answer<s::ListOpenIDConnectProvidersResponse> {
    let found = call.domain.list_oidc_providers(call.caller).await?;
    let entry = |arn| s::OpenIDConnectProviderListEntry { arn: Some(arn), ..Default::default() };
    let entries = found.iter().map(|record| entry(record.arn())).collect();
    Ok(s::ListOpenIDConnectProvidersResponse { open_id_connect_provider_list: Some(entries) })
}

pub(super) async fn delete_open_id_connect_provider(
    call: &Call<'_>,
    input: s::DeleteOpenIDConnectProviderRequest,
) -> Answer<()> {
    Ok(call.domain.delete_oidc_provider(call.caller, &input.open_id_connect_provider_arn).await?)
}

pub(super) async fn add_client_id(call: &Call<'_>, input: s::AddClientIDToOpenIDConnectProviderRequest) -> Answer<()> {
    let arn = &input.open_id_connect_provider_arn;
    Ok(call.domain.add_oidc_client_id(call.caller, arn, &input.client_id).await?)
}

pub(super) async fn remove_client_id(
    call: &Call<'_>,
    input: s::RemoveClientIDFromOpenIDConnectProviderRequest,
) -> Answer<()> {
    let arn = &input.open_id_connect_provider_arn;
    Ok(call.domain.remove_oidc_client_id(call.caller, arn, &input.client_id).await?)
}

pub(super) async fn update_thumbprint(
    call: &Call<'_>,
    input: s::UpdateOpenIDConnectProviderThumbprintRequest,
) -> Answer<()> {
    let arn = &input.open_id_connect_provider_arn;
    Ok(call.domain.set_oidc_thumbprints(call.caller, arn, input.thumbprint_list).await?)
}

pub(super) async fn tag_open_id_connect_provider(
    call: &Call<'_>,
    input: s::TagOpenIDConnectProviderRequest,
) -> Answer<()> {
    let arn = &input.open_id_connect_provider_arn;
    Ok(call.domain.tag_oidc_provider(call.caller, arn, view::pairs(input.tags)).await?)
}

pub(super) async fn untag_open_id_connect_provider(
    call: &Call<'_>,
    input: s::UntagOpenIDConnectProviderRequest,
) -> Answer<()> {
    let arn = &input.open_id_connect_provider_arn;
    Ok(call.domain.untag_oidc_provider(call.caller, arn, input.tag_keys).await?)
}

pub(super) async fn list_open_id_connect_provider_tags(
    call: &Call<'_>,
    input: s::ListOpenIDConnectProviderTagsRequest,
) -> Answer<s::ListOpenIDConnectProviderTagsResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let arn = &input.open_id_connect_provider_arn;
    let tags = view::tags(call.domain.tags_of_oidc_provider(call.caller, arn).await?);
    let Cut { items, is_truncated, marker } = at.of_list(tags, |tag| tag.key.clone());
    Ok(s::ListOpenIDConnectProviderTagsResponse { tags: items, is_truncated, marker })
}
