//! The door of STS: temporary credentials.

use berth_aws::protocol::{Form, Operation, Sensitive, Timestamp, query};
use berth_aws::sts::STS;
use berth_aws::sts::shapes::{self as sts, Credentials, operations};
use berth_domain::federation::saml::AssumeRoleWithSaml;
use berth_domain::identity::IdentityError;
use berth_domain::sts::{AssumeRole, TemporaryCredentials};
use berth_domain::{Caller, Domain};
use http::StatusCode;

use crate::query::{Failure, read, respond, write};

/// Operations that nobody signs: a token or an assertion speaks for whoever sends them (STS, "Requesting temporary security
/// credentials").
pub(crate) const UNSIGNED: [&str; 2] = ["AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"];

/// Answers one call: the operation that the form names. The status, and the XML of the result or the fault.
pub async fn answer(domain: &Domain, caller: &Caller, form: &Form, request_id: &str) -> (StatusCode, String) {
    let result = match query::operation(&STS, form) {
        Ok(operation) => dispatch(domain, caller, operation, form, request_id).await,
        Err(error) => Err(error.into()),
    };
    respond(&STS, result, request_id)
}

async fn dispatch(
    domain: &Domain,
    caller: &Caller,
    operation: &'static Operation,
    form: &Form,
    id: &str,
) -> Result<String, Failure> {
    match operation.name {
        "AssumeRole" => write(&STS, operation, &assume_role(domain, caller, form).await?, id),
        "AssumeRoleWithSAML" => write(&STS, operation, &assume_role_with_saml(domain, caller, form).await?, id),
        "AssumeRoleWithWebIdentity" => {
            write(&STS, operation, &assume_role_with_web_identity(domain, caller, form).await?, id)
        }
        "GetAccessKeyInfo" => write(&STS, operation, &access_key_info(domain, caller, form).await?, id),
        "GetCallerIdentity" => write(&STS, operation, &caller_identity(domain, caller, form)?, id),
        "GetSessionToken" => write(&STS, operation, &session_token(domain, caller, form)?, id),
        other => Err(IdentityError::Invalid(format!("{other} is not served")).into()),
    }
}

fn caller_identity(domain: &Domain, caller: &Caller, form: &Form) -> Result<sts::GetCallerIdentityResponse, Failure> {
    let _: sts::GetCallerIdentityRequest = read(&operations::GET_CALLER_IDENTITY, form)?;
    let identity = domain.caller_identity(caller)?;
    Ok(sts::GetCallerIdentityResponse {
        user_id: Some(identity.user_id.clone()),
        account: Some(identity.account.as_str().to_owned()),
        arn: Some(identity.arn.clone()),
    })
}

async fn assume_role(domain: &Domain, caller: &Caller, form: &Form) -> Result<sts::AssumeRoleResponse, Failure> {
    let asked: sts::AssumeRoleRequest = read(&operations::ASSUME_ROLE, form)?;
    no_second_factor(asked.serial_number.as_ref().or(asked.token_code.as_ref()))?;
    if asked.provided_contexts.is_some_and(|contexts| !contexts.is_empty()) {
        return Err(IdentityError::Validation("ProvidedContexts are not supported".to_owned()).into());
    }
    let arns = asked.policy_arns.unwrap_or_default();
    let assumed = domain.assume_role(
        caller,
        AssumeRole {
            role_arn: asked.role_arn,
            session_name: asked.role_session_name,
            duration: seconds(asked.duration_seconds),
            policy: asked.policy,
            policy_arns: arns.into_iter().filter_map(|policy| policy.arn).collect(),
            tags: asked.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
            transitive: asked.transitive_tag_keys.unwrap_or_default(),
            external_id: asked.external_id,
            source_identity: asked.source_identity,
        },
    );
    let assumed = assumed.await?;
    let user = sts::AssumedRoleUser { assumed_role_id: assumed.user_id, arn: assumed.arn };
    Ok(sts::AssumeRoleResponse {
        credentials: Some(credentials(&assumed.credentials)),
        assumed_role_user: Some(user),
        packed_policy_size: assumed.packed.and_then(|percent| i32::try_from(percent).ok()),
        source_identity: assumed.source_identity,
        ..sts::AssumeRoleResponse::default()
    })
}

async fn assume_role_with_web_identity(
    domain: &Domain,
    caller: &Caller,
    form: &Form,
) -> Result<sts::AssumeRoleWithWebIdentityResponse, Failure> {
    let asked: sts::AssumeRoleWithWebIdentityRequest = read(&operations::ASSUME_ROLE_WITH_WEB_IDENTITY, form)?;
    if asked.provider_id.is_some() {
        let message = "ProviderId is for access tokens of OAuth 2.0, which are not taken: leave it out";
        return Err(IdentityError::Validation(message.to_owned()).into());
    }
    let session = AssumeRole {
        role_arn: asked.role_arn,
        session_name: asked.role_session_name,
        duration: seconds(asked.duration_seconds),
        policy: asked.policy,
        policy_arns: asked.policy_arns.unwrap_or_default().into_iter().filter_map(|policy| policy.arn).collect(),
        ..AssumeRole::default()
    };
    let given = domain.assume_role_with_web_identity(caller, asked.web_identity_token.reveal(), session).await?;
    let assumed = given.assumed;
    Ok(sts::AssumeRoleWithWebIdentityResponse {
        credentials: Some(credentials(&assumed.credentials)),
        subject_from_web_identity_token: Some(given.subject),
        assumed_role_user: Some(sts::AssumedRoleUser { assumed_role_id: assumed.user_id, arn: assumed.arn }),
        packed_policy_size: assumed.packed.and_then(|percent| i32::try_from(percent).ok()),
        provider: Some(given.provider),
        audience: Some(given.audience),
        source_identity: assumed.source_identity,
        ..sts::AssumeRoleWithWebIdentityResponse::default()
    })
}

async fn assume_role_with_saml(
    domain: &Domain,
    caller: &Caller,
    form: &Form,
) -> Result<sts::AssumeRoleWithSAMLResponse, Failure> {
    let asked: sts::AssumeRoleWithSAMLRequest = read(&operations::ASSUME_ROLE_WITH_SAML, form)?;
    let session = AssumeRoleWithSaml {
        role_arn: asked.role_arn,
        principal_arn: asked.principal_arn,
        assertion: asked.saml_assertion.reveal().to_owned(),
        duration: seconds(asked.duration_seconds),
        policy: asked.policy,
        policy_arns: asked.policy_arns.unwrap_or_default().into_iter().filter_map(|policy| policy.arn).collect(),
    };
    let given = domain.assume_role_with_saml(caller, session).await?;
    let assumed = given.assumed;
    Ok(sts::AssumeRoleWithSAMLResponse {
        credentials: Some(credentials(&assumed.credentials)),
        assumed_role_user: Some(sts::AssumedRoleUser { assumed_role_id: assumed.user_id, arn: assumed.arn }),
        packed_policy_size: assumed.packed.and_then(|percent| i32::try_from(percent).ok()),
        subject: Some(given.subject),
        subject_type: given.subject_type,
        issuer: Some(given.issuer),
        audience: Some(given.audience),
        name_qualifier: Some(given.name_qualifier),
        source_identity: assumed.source_identity,
        ..sts::AssumeRoleWithSAMLResponse::default()
    })
}

fn session_token(domain: &Domain, caller: &Caller, form: &Form) -> Result<sts::GetSessionTokenResponse, Failure> {
    let asked: sts::GetSessionTokenRequest = read(&operations::GET_SESSION_TOKEN, form)?;
    no_second_factor(asked.serial_number.as_ref().or(asked.token_code.as_ref()))?;
    let given = domain.get_session_token(caller, seconds(asked.duration_seconds))?;
    Ok(sts::GetSessionTokenResponse {
        credentials: Some(credentials(&given)),
        ..sts::GetSessionTokenResponse::default()
    })
}

async fn access_key_info(
    domain: &Domain,
    caller: &Caller,
    form: &Form,
) -> Result<sts::GetAccessKeyInfoResponse, Failure> {
    let asked: sts::GetAccessKeyInfoRequest = read(&operations::GET_ACCESS_KEY_INFO, form)?;
    let account = domain.account_of_key(caller, &asked.access_key_id).await?;
    Ok(sts::GetAccessKeyInfoResponse { account: Some(account.as_str().to_owned()) })
}

fn no_second_factor(asked: Option<&String>) -> Result<(), Failure> {
    match asked {
        Some(_) => Err(IdentityError::Validation(
            "There are no second factors here: leave SerialNumber and TokenCode out".to_owned(),
        )
        .into()),
        None => Ok(()),
    }
}

fn seconds(asked: Option<i32>) -> Option<u64> {
    asked.and_then(|seconds| u64::try_from(seconds).ok())
}

fn credentials(given: &TemporaryCredentials) -> Credentials {
    Credentials {
        access_key_id: given.id.as_str().to_owned(),
        secret_access_key: Sensitive::new(given.secret.reveal()),
        session_token: Sensitive::new(given.session_token.reveal()),
        expiration: Timestamp(given.expires_at.as_millis() / 1000 * 1000),
    }
}
