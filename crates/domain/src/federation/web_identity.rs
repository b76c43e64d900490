//! Credentials of a role for a token of OpenID Connect (STS `AssumeRoleWithWebIdentity`). Nobody has signed such a call: the token
//! is all that speaks for whoever sends it.

use berth_aws::AccountId;
use berth_federation::oidc::{Claims, Issuer, Token, TokenError};
use berth_store::federation::{self as rows, OidcProviderRecord};
use berth_store::identity::Kind;

use super::FederationError;
use super::session::Vouched;
use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;
use crate::identity::IdentityError;
use crate::identity::names::PrincipalArn;
use crate::sts::{AssumeRole, AssumedRole};

/// What `AssumeRoleWithWebIdentity` gives.
#[derive(Debug, Clone)]
pub struct WebIdentitySession {
    /// The session.
    pub assumed: AssumedRole,
    /// `sub` of the token.
    pub subject: String,
    /// The client id that the token is for.
    pub audience: String,
    /// The ARN of the provider.
    pub provider: String,
}

impl Domain {
    /// Credentials of a role for whom a token speaks. The role's account must have a provider for the token's issuer, and the
    /// role must trust it. Of the caller only the circumstances count; tags and source identity come from the token alone.
    pub async fn assume_role_with_web_identity(
        &self,
        caller: &Caller,
        token: &str,
        asked: AssumeRole,
    ) -> Result<WebIdentitySession, Error> {
        let from = caller.circumstances.source_ip;
        self.slowed(None, from, self.exchange_token(caller, token, asked)).await
    }

    async fn exchange_token(
        &self,
        caller: &Caller,
        token: &str,
        asked: AssumeRole,
    ) -> Result<WebIdentitySession, Error> {
        let Some(role) = PrincipalArn::parse(&asked.role_arn).filter(|known| known.kind == Kind::Role) else {
            return Err(IdentityError::Validation(format!("{} is invalid", asked.role_arn)).into());
        };
        let token = Token::read(token).map_err(refused)?;
        let (issuer, provider) = self.provider_for(role.account, &token).await?;
        let keys = self.keys_of(&issuer, &token).await?;
        let now = self.clock.now().as_millis().div_euclid(1000);
        let claims = token.verify(&issuer, &keys, &provider.client_ids, now).map_err(refused)?;
        let vouched = vouched(&provider, claims);
        let (subject, audience) = (vouched.subject.clone(), vouched.audience.clone());
        let action = "sts:AssumeRoleWithWebIdentity";
        let assumed = self.assume_vouched(action, vouched, asked, &caller.circumstances).await?;
        Ok(WebIdentitySession { assumed, subject, audience, provider: provider.arn() })
    }

    /// The provider of the role's account for the issuer that a token claims.
    async fn provider_for(&self, account: AccountId, token: &Token<'_>) -> Result<(Issuer, OidcProviderRecord), Error> {
        let claimed = token.claimed_issuer().map_err(refused)?;
        let Ok(issuer) = Issuer::parse(claimed) else {
            return Err(
                FederationError::InvalidToken("The issuer of the token is no https:// address".to_owned()).into()
            );
        };
        let url = issuer.without_scheme().to_owned();
        let found = self.database.read(move |txn| rows::find_oidc(txn, &account, &url).map_err(Error::from)).await?;
        let Some(record) = found else {
            let message = format!("No OpenIDConnect provider found in your account for {issuer}");
            return Err(FederationError::InvalidToken(message).into());
        };
        Ok((issuer, record))
    }
}

fn vouched(provider: &OidcProviderRecord, claims: Claims) -> Vouched {
    Vouched {
        provider_arn: provider.arn(),
        provider_id: provider.unique_id.clone(),
        subject: claims.subject,
        audience: claims.audience,
        keys: claims.keys,
        tags: claims.tags,
        transitive: claims.transitive,
        source_identity: claims.source_identity,
        longest: None,
    }
}

fn refused(error: TokenError) -> FederationError {
    match error {
        TokenError::Expired { .. } => FederationError::Expired(error.to_string()),
        other => FederationError::InvalidToken(other.to_string()),
    }
}
