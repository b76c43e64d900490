//! The door of IAM: a form is read, one function of the domain is called, its answer is written as XML. Beside IAM's
//! operations stand a few of Berth's own ([`berth`]).
//!
//! Begin with [`answer`]. Signatures are checked before, by whoever calls it.

mod accounts;
mod attachments;
pub mod berth;
mod boundaries;
mod details;
mod groups;
mod inline_policies;
mod keys;
mod marker;
mod oidc_providers;
mod policies;
mod principals;
mod saml_providers;
mod simulate;
mod tags;
mod view;

use berth_aws::iam::IAM;
use berth_aws::protocol::query::operation;
use berth_aws::protocol::{Form, Operation, ProtocolError, Service};
use berth_domain::identity::IdentityError;
use berth_domain::principal::IdentityKind;
use berth_domain::{Caller, Domain, Error};
use http::StatusCode;

use self::berth::BERTH;
use crate::query::{self, Failure};

/// What a handler gives.
type Answer<T> = Result<T, Failure>;

/// What every handler works with.
struct Call<'c> {
    domain: &'c Domain,
    caller: &'c Caller,
}

/// Answers one call of IAM: the operation that the form names. (200, XML) or (status, XML of the error).
pub async fn answer(domain: &Domain, caller: &Caller, form: &Form, request_id: &str) -> (StatusCode, String) {
    let call = Call { domain, caller };
    query::respond(&IAM, called(&call, form, request_id).await, request_id)
}

async fn called(call: &Call<'_>, form: &Form, request_id: &str) -> Answer<String> {
    // Strangers hear only that credentials are needed, whatever else is wrong.
    if call.caller.is_anonymous() {
        return Err(Error::Unauthenticated.into());
    }
    let (service, operation) = find(form)?;
    dispatch(call, service, operation, form, request_id).await
}

/// The operation that a form names: one of Berth's own, or one of IAM.
pub(crate) fn find(form: &Form) -> Result<(&'static Service, &'static Operation), ProtocolError> {
    match operation(&BERTH, form) {
        Ok(own) => Ok((&BERTH, own)),
        Err(_) => operation(&IAM, form).map(|operation| (&IAM, operation)),
    }
}

/// Writes the dispatch from a table of operations and handlers.
macro_rules! operations {
    ($($name:literal => $handler:path,)*) => {
        /// The operations that have a handler.
        #[cfg(test)]
        const HANDLED: &[&str] = &[$($name),*];

        async fn dispatch(
            call: &Call<'_>,
            service: &'static Service,
            operation: &'static Operation,
            form: &Form,
            request_id: &str,
        ) -> Answer<String> {
            match operation.name {
                $($name => {
                    let input = query::read(operation, form)?;
                    // Boxed, so that what calls this does not hold room for the largest of all handlers.
                    let output = Box::pin($handler(call, input)).await?;
                    query::write(service, operation, &output, request_id)
                })*
                other => Err(ProtocolError::Answer(format!("{other} has no handler")).into()),
            }
        }
    };
}

operations! {
    "AddClientIDToOpenIDConnectProvider" => oidc_providers::add_client_id,
    "AddUserToGroup" => groups::add_user_to_group,
    "AttachGroupPolicy" => attachments::attach_group_policy,
    "AttachRolePolicy" => attachments::attach_role_policy,
    "AttachUserPolicy" => attachments::attach_user_policy,
    "CreateAccessKey" => keys::create_access_key,
    "CreateAccount" => berth::create_account,
    "CreateAccountAlias" => accounts::create_account_alias,
    "CreateGroup" => principals::create_group,
    "CreateOpenIDConnectProvider" => oidc_providers::create_open_id_connect_provider,
    "CreatePolicy" => policies::create_policy,
    "CreatePolicyVersion" => policies::create_policy_version,
    "CreateRole" => principals::create_role,
    "CreateSAMLProvider" => saml_providers::create_saml_provider,
    "CreateUser" => principals::create_user,
    "DeleteAccessKey" => keys::delete_access_key,
    "DeleteAccount" => berth::delete_account,
    "DeleteAccountAlias" => accounts::delete_account_alias,
    "DeleteGroup" => principals::delete_group,
    "DeleteGroupPolicy" => inline_policies::delete_group_policy,
    "DeleteOpenIDConnectProvider" => oidc_providers::delete_open_id_connect_provider,
    "DeletePolicy" => policies::delete_policy,
    "DeletePolicyVersion" => policies::delete_policy_version,
    "DeleteRole" => principals::delete_role,
    "DeleteRolePermissionsBoundary" => boundaries::delete_role_permissions_boundary,
    "DeleteRolePolicy" => inline_policies::delete_role_policy,
    "DeleteSAMLProvider" => saml_providers::delete_saml_provider,
    "DeleteUser" => principals::delete_user,
    "DeleteUserPermissionsBoundary" => boundaries::delete_user_permissions_boundary,
    "DeleteUserPolicy" => inline_policies::delete_user_policy,
    "DetachGroupPolicy" => attachments::detach_group_policy,
    "DetachRolePolicy" => attachments::detach_role_policy,
    "DetachUserPolicy" => attachments::detach_user_policy,
    "ExplainAccess" => berth::explain_access,
    "GetAccessKeyLastUsed" => keys::get_access_key_last_used,
    "GetAccountAuthorizationDetails" => details::get_account_authorization_details,
    "GetAccountSummary" => accounts::get_account_summary,
    "GetContextKeysForCustomPolicy" => simulate::get_context_keys_for_custom_policy,
    "GetContextKeysForPrincipalPolicy" => simulate::get_context_keys_for_principal_policy,
    "GetGroup" => principals::get_group,
    "GetGroupPolicy" => inline_policies::get_group_policy,
    "GetOpenIDConnectProvider" => oidc_providers::get_open_id_connect_provider,
    "GetPolicy" => policies::get_policy,
    "GetPolicyVersion" => policies::get_policy_version,
    "GetRole" => principals::get_role,
    "GetRolePolicy" => inline_policies::get_role_policy,
    "GetSAMLProvider" => saml_providers::get_saml_provider,
    "GetUser" => principals::get_user,
    "GetUserPolicy" => inline_policies::get_user_policy,
    "ListAccessKeys" => keys::list_access_keys,
    "ListAccountAliases" => accounts::list_account_aliases,
    "ListAccounts" => berth::list_accounts,
    "ListAttachedGroupPolicies" => attachments::list_attached_group_policies,
    "ListAttachedRolePolicies" => attachments::list_attached_role_policies,
    "ListAttachedUserPolicies" => attachments::list_attached_user_policies,
    "ListEntitiesForPolicy" => attachments::list_entities_for_policy,
    "ListGroupPolicies" => inline_policies::list_group_policies,
    "ListGroups" => principals::list_groups,
    "ListGroupsForUser" => groups::list_groups_for_user,
    "ListOpenIDConnectProviderTags" => oidc_providers::list_open_id_connect_provider_tags,
    "ListOpenIDConnectProviders" => oidc_providers::list_open_id_connect_providers,
    "ListPolicies" => policies::list_policies,
    "ListPolicyTags" => tags::list_policy_tags,
    "ListPolicyVersions" => policies::list_policy_versions,
    "ListRolePolicies" => inline_policies::list_role_policies,
    "ListRoleTags" => tags::list_role_tags,
    "ListRoles" => principals::list_roles,
    "ListSAMLProviderTags" => saml_providers::list_saml_provider_tags,
    "ListSAMLProviders" => saml_providers::list_saml_providers,
    "ListUserPolicies" => inline_policies::list_user_policies,
    "ListUserTags" => tags::list_user_tags,
    "ListUsers" => principals::list_users,
    "PutGroupPolicy" => inline_policies::put_group_policy,
    "PutRolePermissionsBoundary" => boundaries::put_role_permissions_boundary,
    "PutRolePolicy" => inline_policies::put_role_policy,
    "PutUserPermissionsBoundary" => boundaries::put_user_permissions_boundary,
    "PutUserPolicy" => inline_policies::put_user_policy,
    "RemoveClientIDFromOpenIDConnectProvider" => oidc_providers::remove_client_id,
    "RemoveUserFromGroup" => groups::remove_user_from_group,
    "SetDefaultPolicyVersion" => policies::set_default_policy_version,
    "SimulateCustomPolicy" => simulate::simulate_custom_policy,
    "SimulatePrincipalPolicy" => simulate::simulate_principal_policy,
    "TagOpenIDConnectProvider" => oidc_providers::tag_open_id_connect_provider,
    "TagPolicy" => tags::tag_policy,
    "TagRole" => tags::tag_role,
    "TagSAMLProvider" => saml_providers::tag_saml_provider,
    "TagUser" => tags::tag_user,
    "UntagOpenIDConnectProvider" => oidc_providers::untag_open_id_connect_provider,
    "UntagPolicy" => tags::untag_policy,
    "UntagRole" => tags::untag_role,
    "UntagSAMLProvider" => saml_providers::untag_saml_provider,
    "UntagUser" => tags::untag_user,
    "UpdateAccessKey" => keys::update_access_key,
    "UpdateAssumeRolePolicy" => principals::update_assume_role_policy,
    "UpdateGroup" => principals::update_group,
    "UpdateOpenIDConnectProviderThumbprint" => oidc_providers::update_thumbprint,
    "UpdateRole" => principals::update_role,
    "UpdateRoleDescription" => principals::update_role_description,
    "UpdateSAMLProvider" => saml_providers::update_saml_provider,
    "UpdateUser" => principals::update_user,
}

impl Call<'_> {
    /// The user that a request names, or the caller's own where it names none.
    fn user_or_own(&self, given: Option<String>) -> Answer<String> {
        let own = || match &self.caller.identity()?.kind {
            IdentityKind::User { name } => Some(name.clone()),
            IdentityKind::Session { .. } => None,
        };
        let message = "Must specify userName when calling with non-User credentials";
        Ok(given.or_else(own).ok_or_else(|| IdentityError::Validation(message.to_owned()))?)
    }
}

/// Refuses a parameter of IAM's that would be given in vain.
fn refuse_parameter(name: &str, is_given: bool) -> Answer<()> {
    if is_given {
        return Err(IdentityError::Invalid(format!("The parameter {name} is not supported.")).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_handler_and_every_handler_an_operation() {
        let names = |service: &Service| service.operations.iter().map(|operation| operation.name).collect::<Vec<_>>();
        let mut all = [names(&IAM), names(&BERTH)].concat();
        all.sort_unstable();
        assert_eq!(HANDLED, all);
    }

    #[test]
    fn no_operation_is_on_both_sides() {
        assert!(BERTH.operations.iter().all(|own| IAM.operation(own.name).is_none()));
        assert!(BERTH.operations.is_sorted_by_key(|own| own.name));
    }

    #[test]
    fn answers_can_go_between_threads() {
        fn ensure_send<T: Send>(_: fn(&'static Domain, &'static Caller, &'static Form) -> T) {}
        ensure_send(|domain, caller, form| answer(domain, caller, form, ""));
    }
}
