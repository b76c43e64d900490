//! `AssumeRoleWithSAML`: the session of a role for whom a SAML identity provider vouches.
//!
//! Attributes and condition keys are AWS's ("Configure SAML assertions for the authentication response"; "Available keys for SAML-based
//! AWS STS federation").

use berth_aws::AccountId;
use berth_federation::saml::{Claims, Expected, Metadata, ResponseError, verify};
use berth_store::Timestamp;
use berth_store::saml::{self as rows, SamlProviderRecord};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

use super::FederationError;
use super::attributes::{self, Asked};
use super::session::Vouched;
use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;
use crate::identity::names::{PrincipalArn, saml_provider_name};
use crate::sts::{AssumeRole, AssumedRole};

const ACTION: &str = "sts:AssumeRoleWithSAML";

/// What `AssumeRoleWithSAML` asks for.
#[derive(Debug, Clone, Default)]
pub struct AssumeRoleWithSaml {
    /// The ARN of the role.
    pub role_arn: String,
    /// The ARN of the provider.
    pub principal_arn: String,
    /// The response, in base64.
    pub assertion: String,
    /// How long the session shall last, in seconds.
    pub duration: Option<u64>,
    /// What the role is narrowed to.
    pub policy: Option<String>,
    /// Managed policies that narrow it.
    pub policy_arns: Vec<String>,
}

/// What `AssumeRoleWithSAML` gives.
#[derive(Debug, Clone)]
pub struct SamlSession {
    /// The credentials, and whose they are.
    pub assumed: AssumedRole,
    /// `NameID` of the subject.
    pub subject: String,
    /// `persistent`, `transient`, or the whole format.
    pub subject_type: Option<String>,
    /// The provider's `entityID`.
    pub issuer: String,
    /// The address that the assertion was sent to.
    pub audience: String,
    /// What tells the subject from others of the same name: base64 of a hash of issuer, account and provider.
    pub name_qualifier: String,
}

impl Domain {
    /// Credentials of a role for whom a SAML provider vouches (`AssumeRoleWithSAML`). The call is not signed: the assertion is what
    /// opens. It does so once. Of the caller only the circumstances count.
    pub async fn assume_role_with_saml(
        &self,
        caller: &Caller,
        asked: AssumeRoleWithSaml,
    ) -> Result<SamlSession, Error> {
        let from = caller.circumstances.source_ip;
        self.slowed(None, from, self.exchange_assertion(caller, asked)).await
    }

    async fn exchange_assertion(&self, caller: &Caller, asked: AssumeRoleWithSaml) -> Result<SamlSession, Error> {
        let provider = self.saml_provider_of(&asked.principal_arn).await?;
        let now = self.clock.now();
        let claims = self.verified(&provider, asked.assertion.clone(), now).await?;
        ensure_same_account(&provider.account, &asked.role_arn)?;
        if !attributes::names_pair(&claims, &asked.role_arn, &asked.principal_arn) {
            return Err(FederationError::NotAuthorized(ACTION).into());
        }
        let session = Asked::read(&claims)?;
        let vouched = vouched(&provider, &claims, &session, now);
        let role = AssumeRole {
            role_arn: asked.role_arn,
            session_name: session.session_name,
            duration: asked.duration,
            policy: asked.policy,
            policy_arns: asked.policy_arns,
            ..AssumeRole::default()
        };
        let assumed = self.assume_vouched(ACTION, vouched, role, &caller.circumstances).await?;
        // Last, so that what is refused does not use the assertion up; nothing leaves before this is written.
        self.use_once(&provider, &claims, now).await?;
        Ok(SamlSession {
            assumed,
            subject_type: subject_type(&claims),
            name_qualifier: name_qualifier(&provider, &claims),
            subject: claims.subject,
            issuer: claims.issuer,
            audience: claims.recipient,
        })
    }

    async fn saml_provider_of(&self, arn: &str) -> Result<SamlProviderRecord, Error> {
        let missing = || FederationError::InvalidToken("Specified provider doesn't exist".to_owned());
        let (account, name) = saml_provider_name(arn).ok_or_else(missing)?;
        let name = name.to_owned();
        let found = self.database.read(move |txn| Ok::<_, Error>(rows::find(txn, &account, &name)?)).await?;
        Ok(found.ok_or_else(missing)?)
    }

    /// Judges the response. Elsewhere, because metadata may be long.
    async fn verified(&self, provider: &SamlProviderRecord, response: String, now: Timestamp) -> Result<Claims, Error> {
        let (metadata, now) = (provider.metadata.clone(), now.as_millis().div_euclid(1000));
        let (audiences, recipients) = (self.settings.saml_audiences.clone(), self.settings.saml_recipients.clone());
        let judged = tokio::task::spawn_blocking(move || {
            let metadata = Metadata::read(&metadata).map_err(|error| FederationError::Rejected(error.to_string()))?;
            let expected = Expected { metadata: &metadata, audiences: &audiences, recipients: &recipients, now };
            verify(&response, &expected).map_err(refusal)
        });
        let judged =
            judged.await.map_err(|_| FederationError::Rejected("the assertion could not be judged".to_owned()))?;
        Ok(judged?)
    }

    async fn use_once(&self, provider: &SamlProviderRecord, claims: &Claims, now: Timestamp) -> Result<(), Error> {
        let (arn, hash) = (provider.arn(), hash(claims));
        let until = Timestamp::from_millis(claims.usable_until.saturating_mul(1000));
        let is_first =
            self.database.write(move |txn| Ok::<_, Error>(rows::use_assertion(txn, &arn, hash, now, until)?));
        if is_first.await? {
            return Ok(());
        }
        Err(FederationError::InvalidToken("The SAML assertion was used already".to_owned()).into())
    }
}

/// The kinds of refusals that STS has.
fn refusal(error: ResponseError) -> FederationError {
    match error {
        ResponseError::Expired(_) => FederationError::Expired(error.to_string()),
        ResponseError::Status(_) => FederationError::Rejected(error.to_string()),
        other => FederationError::InvalidToken(other.to_string()),
    }
}

/// A provider vouches for roles of its own account only.
fn ensure_same_account(account: &AccountId, role_arn: &str) -> Result<(), Error> {
    match PrincipalArn::parse(role_arn) {
        Some(role) if role.account == *account => Ok(()),
        _ => Err(FederationError::NotAuthorized(ACTION).into()),
    }
}

/// What tells an assertion from all others of a provider: whose it is, and its ID.
fn hash(claims: &Claims) -> [u8; 32] {
    let (issuer, id) = (&claims.issuer, &claims.assertion_id);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, format!("{}:{issuer}{id}", issuer.len()).as_bytes()).as_ref());
    hash
}

fn vouched(provider: &SamlProviderRecord, claims: &Claims, session: &Asked, now: Timestamp) -> Vouched {
    let left = |end: i64| u64::try_from(end.saturating_sub(now.as_millis().div_euclid(1000))).unwrap_or_default();
    Vouched {
        provider_arn: provider.arn(),
        provider_id: provider.unique_id.clone(),
        subject: claims.subject.clone(),
        audience: claims.recipient.clone(),
        keys: keys(provider, claims),
        tags: session.tags.clone(),
        transitive: session.transitive.clone(),
        source_identity: session.source_identity.clone(),
        longest: session.longest.into_iter().chain(claims.session_until.map(left)).min(),
    }
}

fn keys(provider: &SamlProviderRecord, claims: &Claims) -> Vec<(String, Vec<String>)> {
    let mut keys = attributes::condition_keys(claims);
    let mut add = |key: &str, value: String| keys.push((format!("saml:{key}"), vec![value]));
    add("aud", claims.recipient.clone());
    add("iss", claims.issuer.clone());
    add("sub", claims.subject.clone());
    add("namequalifier", name_qualifier(provider, claims));
    add("doc", format!("{}/{}", provider.account, provider.name));
    if let Some(kind) = subject_type(claims) {
        add("sub_type", kind);
    }
    keys
}

/// The last part of SAML's own formats; others whole.
fn subject_type(claims: &Claims) -> Option<String> {
    let format = claims.subject_format.as_deref()?;
    let short = format.strip_prefix("urn:oasis:names:tc:SAML:2.0:nameid-format:");
    Some(short.unwrap_or(format).to_owned())
}

/// The hash is AWS's, and names: nothing is secured by it.
fn name_qualifier(provider: &SamlProviderRecord, claims: &Claims) -> String {
    use base64::Engine as _;
    let text = format!("{}{}/{}", claims.issuer, provider.account, provider.name);
    base64::engine::general_purpose::STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> SamlProviderRecord {
        SamlProviderRecord {
            unique_id: "u".to_owned(),
            account: AccountId::parse("123456789012").unwrap(),
            name: "MySAMLIdP".to_owned(),
            metadata: String::new(),
            valid_until: None,
            created_at: Timestamp::from_millis(0),
        }
    }

    fn claims(format: Option<&str>) -> Claims {
        Claims {
            subject: "alice".to_owned(),
            subject_format: format.map(str::to_owned),
            issuer: "https://example.com/saml".to_owned(),
            audience: "a".to_owned(),
            recipient: "r".to_owned(),
            assertion_id: "i".to_owned(),
            attributes: Vec::new(),
            usable_until: 100,
            session_until: Some(900),
        }
    }

    /// `BASE64 ( SHA1 ( "https://example.com/saml" + "123456789012" + "/MySAMLIdP" ) )`, as the API's reference has it; by openssl.
    #[test]
    fn the_name_qualifier_is_the_hash_of_the_reference() {
        assert_eq!(name_qualifier(&provider(), &claims(None)), "1uAJanUnBc2XeUkHURMht+xam2c=");
    }

    #[test]
    fn formats_are_shortened_where_they_are_those_of_saml() {
        let kind = |format| subject_type(&claims(format));
        assert_eq!(kind(Some("urn:oasis:names:tc:SAML:2.0:nameid-format:transient")).as_deref(), Some("transient"));
        let email = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
        assert_eq!(kind(Some(email)).as_deref(), Some(email));
        assert_eq!(kind(None), None);
    }

    #[test]
    fn a_session_ends_with_that_of_the_provider() {
        let longest = |asked: Option<u64>, now: i64| {
            let session = Asked { longest: asked, ..Asked::default() };
            vouched(&provider(), &claims(None), &session, Timestamp::from_millis(now * 1000)).longest
        };
        assert_eq!(longest(None, 0), Some(900));
        assert_eq!(longest(Some(3600), 100), Some(800));
        assert_eq!(longest(Some(700), 100), Some(700));
        assert_eq!(longest(None, 1000), Some(0));
    }
}
