//! Access keys of users. Where no user is named, it is the caller.

use berth_aws::iam::shapes as s;
use berth_aws::protocol::Sensitive;
use berth_domain::identity::IdentityError;
use berth_store::access_keys::{AccessKeyRecord, LastUsed};

use super::marker::{Cut, Paging};
use super::{Answer, Call, view};

pub(super) const ACTIVE: &str = "Active";
const INACTIVE: &str = "Inactive";
/// What there is to tell of a key that was never used.
const NEVER: &str = "N/A";

pub(super) async fn create_access_key(
    call: &Call<'_>,
    input: s::CreateAccessKeyRequest,
) -> Answer<s::CreateAccessKeyResponse> {
    let user_name = call.user_or_own(input.user_name)?;
    let (key, record) = call.domain.create_access_key(call.caller, &user_name).await?;
    let access_key = s::AccessKey {
        user_name,
        access_key_id: key.id.as_str().to_owned(),
        status: status(record.is_active),
        secret_access_key: Sensitive::new(key.secret.reveal()),
        create_date: Some(view::date(record.created_at)),
    };
    Ok(s::CreateAccessKeyResponse { access_key })
}

pub(super) async fn list_access_keys(
    call: &Call<'_>,
    input: s::ListAccessKeysRequest,
) -> Answer<s::ListAccessKeysResponse> {
    let at = Paging::read(input.marker.as_deref(), input.max_items)?;
    let user = call.user_or_own(input.user_name)?;
    let keys = call.domain.list_access_keys(call.caller, &user).await?;
    let Cut { items, is_truncated, marker } = at.of_list(keys, order).map(|key| metadata(&user, &key));
    Ok(s::ListAccessKeysResponse { access_key_metadata: items, is_truncated, marker })
}

/// The oldest is the first.
fn order(key: &AccessKeyRecord) -> String {
    format!("{:020}/{}", key.created_at.as_millis(), key.id.as_str())
}

fn metadata(user: &str, key: &AccessKeyRecord) -> s::AccessKeyMetadata {
    s::AccessKeyMetadata {
        user_name: Some(user.to_owned()),
        access_key_id: Some(key.id.as_str().to_owned()),
        status: Some(status(key.is_active)),
        create_date: Some(view::date(key.created_at)),
    }
}

pub(super) async fn update_access_key(call: &Call<'_>, input: s::UpdateAccessKeyRequest) -> Answer<()> {
    let is_active = match input.status.as_str() {
        ACTIVE => true,
        INACTIVE => false,
        other => return Err(IdentityError::Invalid(format!("The status of a key cannot be set to {other}.")).into()),
    };
    let user = call.user_or_own(input.user_name)?;
    Ok(call.domain.set_access_key_active(call.caller, &user, &input.access_key_id, is_active).await?)
}

pub(super) async fn delete_access_key(call: &Call<'_>, input: s::DeleteAccessKeyRequest) -> Answer<()> {
    let user = call.user_or_own(input.user_name)?;
    Ok(call.domain.delete_access_key(call.caller, &user, &input.access_key_id).await?)
}

pub(super) async fn get_access_key_last_used(
    call: &Call<'_>,
    input: s::GetAccessKeyLastUsedRequest,
) -> Answer<s::GetAccessKeyLastUsedResponse> {
    let (owner, used) = call.domain.access_key_last_used(call.caller, &input.access_key_id).await?;
    Ok(s::GetAccessKeyLastUsedResponse { user_name: Some(owner), access_key_last_used: Some(last_used(used)) })
}

fn last_used(used: Option<LastUsed>) -> s::AccessKeyLastUsed {
    let Some(LastUsed { at, service, region }) = used else {
        let (service_name, region) = (NEVER.to_owned(), NEVER.to_owned());
        return s::AccessKeyLastUsed { last_used_date: None, service_name, region };
    };
    s::AccessKeyLastUsed { last_used_date: Some(view::date(at)), service_name: service, region }
}

fn status(is_active: bool) -> String {
    let word = if is_active { ACTIVE } else { INACTIVE };
    word.to_owned()
}
