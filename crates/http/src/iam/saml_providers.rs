//! Identity providers of SAML.

use berth_aws::iam::shapes as s;

use super::marker::{Cut, Paging};
use super::{Answer, Call, refuse_parameter, view};

pub(super) async fn create_saml_provider(
    call: &Call<'_>,
    input: s::CreateSAMLProviderRequest,
) -> Answer<s::CreateSAMLProviderResponse> {
    refuse_encryption(input.assertion_encryption_mode.is_some(), input.add_private_key.is_some())?;
    refuse_parameter("ContextProvider", input.context_provider.is_some())?;
    refuse_parameter("IdentityCenterInstanceArn", input.identity_center_instance_arn.is_some())?;
    let tags = view::pairs(input.tags.unwrap_or_default());
    let made = call.domain.create_saml_provider(call.caller, &input.name, input.saml_metadata_document, tags.clone());
    Ok(s::CreateSAMLProviderResponse { saml_provider_arn: Some(made.await?), tags: view::tags_or_none(tags) })
}

/// Encrypted assertions would need a private key here, and what it would hide was signed and sent over TLS.
fn refuse_encryption(mode: bool, key: bool) -> Answer<()> {
    refuse_parameter("AssertionEncryptionMode", mode)?;
    refuse_parameter("AddPrivateKey", key)
}

pub(super) async fn get_saml_provider(
    call: &Call<'_>,
    input: s::GetSAMLProviderRequest,
) -> Answer<s::GetSAMLProviderResponse> {
    let found = call.domain.saml_provider(call.caller, &input.saml_provider_arn).await?;
    Ok(s::GetSAMLProviderResponse {
        // As IAM's shape has it: digits and capital letters.
        saml_provider_uuid: Some(found.unique_id.to_ascii_uppercase()),
        saml_metadata_document: Some(found.metadata),
        create_date: Some(view::date(found.created_at)),
        valid_until: found.valid_until.map(view::date),
        tags: view::tags_or_none(found.tags),
        ..s::GetSAMLProviderResponse::default()
    })
}

pub(super) async fn list_saml_providers(
    call: &Call<'_>,
    _: s::ListSAMLProvidersRequest,
) -> Answer<s::ListSAMLProvidersResponse> {
    let found = call.domain.saml_providers(call.caller).await?;
    let entries = found.into_iter().map(|provider| s::SAMLProviderListEntry {
        arn: Some(provider.arn),
        valid_until: provider.valid_until.map(view::date),
        create_date: Some(view::date(provider.created_at)),
        ..s::SAMLProviderListEntry::default()
    });
    Ok(s::ListSAMLProvidersResponse { saml_provider_list: Some(entries.collect()) })
}

pub(super) async fn update_saml_provider(
    call: &Call<'_>,
    input: s::UpdateSAMLProviderRequest,
) -> Answer<s::UpdateSAMLProviderResponse> {
    refuse_encryption(input.assertion_encryption_mode.is_some(), input.add_private_key.is_some())?;
    refuse_parameter("RemovePrivateKey", input.remove_private_key.is_some())?;
    refuse_parameter("ContextProvider", input.context_provider.is_some())?;
    refuse_parameter("IdentityCenterInstanceArn", input.identity_center_instance_arn.is_some())?;
    let arn = input.saml_provider_arn;
    call.domain.update_saml_provider(call.caller, &arn, input.saml_metadata_document).await?;
    Ok(s::UpdateSAMLProviderResponse { saml_provider_arn: Some(arn) })
}

pub(super) async fn delete_saml_provider(call: &Call<'_>, input: s::DeleteSAMLProviderRequest) -> Answer<()> {
    Ok(call.domain.delete_saml_provider(call.caller, &input.saml_provider_arn).await?)
}

pub(super) async fn tag_saml_provider(call: &Call<'_>, input: s::TagSAMLProviderRequest) -> Answer<()> {
    let tags = view::pairs(input.tags);
    Ok(call.domain.tag_saml_provider(call.caller, &input.saml_provider_arn, tags).await?)
}

pub(super) async fn untag_saml_provider(call: &Call<'_>, input: s::UntagSAMLProviderRequest) -> Answer<()> {
    Ok(call.domain.untag_saml_provider(call.caller, &input.saml_provider_arn, input.tag_keys).await?)
}

pub(super) async fn list_saml_provider_tags(
    call: &Call<'_>,
    input: s::ListSAMLProviderTagsRequest,
) -> Answer<s::ListSAMLProviderTagsResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let tags = view::tags(call.domain.saml_provider_tags(call.caller, &input.saml_provider_arn).await?);
    let Cut { items, is_truncated, marker } = at.of_list(tags, |tag| tag.key.clone());
    Ok(s::ListSAMLProviderTagsResponse { tags: items, is_truncated, marker })
}
