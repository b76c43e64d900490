//! The issuers of OpenID Connect that an account trusts (IAM, `...OpenIDConnectProvider`).

use berth_aws::AccountId;
use berth_federation::oidc::Issuer;
use berth_store::clock::sixteen;
use berth_store::federation::{self as rows, OidcProviderRecord};
use berth_store::identity::tags as tag_rows;
use berth_store::{Transaction, properties};
use berth_transfer::outbound::OutboundError;

use super::issuers::property;
use crate::Domain;
use crate::access::{Extras, Question};
use crate::caller::Caller;
use crate::error::Error;
use crate::identity::tags::check_tags;
use crate::identity::{IdentityError, account_of};

/// Providers of an account, client ids of a provider, and fingerprints ("IAM and STS quotas").
const MOST_PROVIDERS: u64 = 100;
const MOST_CLIENT_IDS: usize = 100;
const MOST_THUMBPRINTS: usize = 5;
/// Characters of a fingerprint: SHA-1 in hexadecimal.
const THUMBPRINT: usize = 40;

/// What is to be made (`CreateOpenIDConnectProvider`).
#[derive(Debug, Clone, Default)]
pub struct NewOidcProvider {
    /// The issuer, `https://HOST/PATH`.
    pub url: String,
    /// For whom tokens may be made.
    pub client_ids: Vec<String>,
    /// Fingerprints. They are kept and told, and nothing rests on them: certificates are checked by their authorities.
    pub thumbprints: Vec<String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
}

/// A provider with its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProvider {
    /// The row.
    pub record: OidcProviderRecord,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

impl Domain {
    /// Trusts an issuer (`CreateOpenIDConnectProvider`). Its host must be one that is reached from here, unless its keys are in a
    /// file.
    pub async fn create_oidc_provider(&self, caller: &Caller, new: NewOidcProvider) -> Result<OidcProvider, Error> {
        let account = account_of(caller)?;
        let url = new.url.strip_prefix("https://").unwrap_or(&new.url).to_owned();
        let record = OidcProviderRecord {
            unique_id: hex::encode(sixteen(self.random.as_ref())),
            account: account.clone(),
            url,
            client_ids: without_repeats(new.client_ids),
            thumbprints: without_repeats(new.thumbprints),
            created_at: self.clock.now(),
        };
        let (arn, extras) = (record.arn(), Extras { tags: &new.tags, more: &[] });
        self.allow_iam(
            caller,
            &Question { extras, ..Question::new("iam:CreateOpenIDConnectProvider", &arn, &account) },
        )?;
        check_lists(&record)?;
        check_tags(&new.tags)?;
        self.check_issuer(&new.url).await?;
        let made = OidcProvider { record, tags: new.tags };
        self.change_access(move |txn| create(txn, &made).map(|()| made.clone())).await
    }

    /// Refuses what is no issuer, and one that is where nobody is asked from here.
    async fn check_issuer(&self, url: &str) -> Result<(), Error> {
        let invalid = |why: &dyn std::fmt::Display| {
            let text = format!("Invalid Open ID Connect Provider URL: {why}");
            Error::from(IdentityError::Validation(text))
        };
        let issuer = Issuer::parse(url).map_err(|error| invalid(&error))?;
        if self.settings.federation.key_file(issuer.as_str()).is_some() {
            return Ok(());
        }
        match self.issuers.outbound().check(&issuer.discovery_address()).await {
            // Who cannot be found now may be found when it is asked, and is judged then.
            Ok(()) | Err(OutboundError::Unresolved(_) | OutboundError::Timeout(_)) => Ok(()),
            Err(error) => Err(invalid(&error)),
        }
    }

    /// A provider (`GetOpenIDConnectProvider`).
    pub async fn get_oidc_provider(&self, caller: &Caller, arn: &str) -> Result<OidcProvider, Error> {
        let account = self.allow_on_provider(caller, "iam:GetOpenIDConnectProvider", arn, Extras::default()).await?;
        let arn = arn.to_owned();
        self.database
            .read(move |txn| {
                let record = existing(txn, &account, &arn)?;
                let tags = tag_rows::of(txn, &record.unique_id)?;
                Ok(OidcProvider { record, tags })
            })
            .await
    }

    /// All providers of the caller's account (`ListOpenIDConnectProviders`): at most 100.
    pub async fn list_oidc_providers(&self, caller: &Caller) -> Result<Vec<OidcProviderRecord>, Error> {
        let account = account_of(caller)?;
        let arn = format!("arn:aws:iam::{account}:oidc-provider/*");
        self.allow_iam(caller, &Question::new("iam:ListOpenIDConnectProviders", &arn, &account))?;
        self.database.read(move |txn| Ok(rows::list_oidc(txn, &account, MOST_PROVIDERS)?)).await
    }

    /// Trusts an issuer no more, and ends the sessions that began with it (`DeleteOpenIDConnectProvider`). One that is not there
    /// is no error.
    pub async fn delete_oidc_provider(&self, caller: &Caller, arn: &str) -> Result<(), Error> {
        let account = self.allow_on_provider(caller, "iam:DeleteOpenIDConnectProvider", arn, Extras::default()).await?;
        let arn = arn.to_owned();
        self.change_access(move |txn| {
            let Some(record) = find(txn, &account, &arn)? else { return Ok(()) };
            rows::delete_oidc(txn, &record.unique_id)?;
            if !rows::is_oidc_used(txn, &record.url)? {
                properties::remove(txn, &property(&record.url))?;
            }
            Ok(())
        })
        .await
    }

    /// Adds a client id; one that is there already is no error (`AddClientIDToOpenIDConnectProvider`).
    pub async fn add_oidc_client_id(&self, caller: &Caller, arn: &str, client_id: &str) -> Result<(), Error> {
        let client_id = client_id.to_owned();
        self.change_provider(caller, "iam:AddClientIDToOpenIDConnectProvider", arn, move |record| {
            record.client_ids.push(client_id.clone());
            record.client_ids = without_repeats(std::mem::take(&mut record.client_ids));
        })
        .await
    }

    /// Takes a client id away; one that is not there is no error (`RemoveClientIDFromOpenIDConnectProvider`).
    pub async fn remove_oidc_client_id(&self, caller: &Caller, arn: &str, client_id: &str) -> Result<(), Error> {
        let client_id = client_id.to_owned();
        self.change_provider(caller, "iam:RemoveClientIDFromOpenIDConnectProvider", arn, move |record| {
            record.client_ids.retain(|known| *known != client_id);
        })
        .await
    }

    /// Replaces the fingerprints (`UpdateOpenIDConnectProviderThumbprint`).
    pub async fn set_oidc_thumbprints(&self, caller: &Caller, arn: &str, list: Vec<String>) -> Result<(), Error> {
        self.change_provider(caller, "iam:UpdateOpenIDConnectProviderThumbprint", arn, move |record| {
            record.thumbprints = without_repeats(list.clone());
        })
        .await
    }

    async fn change_provider<F>(&self, caller: &Caller, action: &'static str, arn: &str, change: F) -> Result<(), Error>
    where
        F: Fn(&mut OidcProviderRecord) + Send + 'static,
    {
        let account = self.allow_on_provider(caller, action, arn, Extras::default()).await?;
        let arn = arn.to_owned();
        self.change_access(move |txn| {
            let mut record = existing(txn, &account, &arn)?;
            change(&mut record);
            check_lists(&record)?;
            Ok(rows::update_oidc(txn, &record)?)
        })
        .await
    }

    /// Sets tags (`TagOpenIDConnectProvider`).
    pub async fn tag_oidc_provider(&self, caller: &Caller, arn: &str, new: Vec<(String, String)>) -> Result<(), Error> {
        let extras = Extras { tags: &new, more: &[] };
        let account = self.allow_on_provider(caller, "iam:TagOpenIDConnectProvider", arn, extras).await?;
        check_tags(&new)?;
        let arn = arn.to_owned();
        self.change_access(move |txn| {
            let id = existing(txn, &account, &arn)?.unique_id;
            tag_rows::put(txn, &id, &new)?;
            check_tags(&tag_rows::of(txn, &id)?)
        })
        .await
    }

    /// Takes tags away (`UntagOpenIDConnectProvider`).
    pub async fn untag_oidc_provider(&self, caller: &Caller, arn: &str, keys: Vec<String>) -> Result<(), Error> {
        let more = [("aws:tagkeys", keys.clone())];
        let extras = Extras { tags: &[], more: &more };
        let account = self.allow_on_provider(caller, "iam:UntagOpenIDConnectProvider", arn, extras).await?;
        let arn = arn.to_owned();
        self.change_access(move |txn| {
            let id = existing(txn, &account, &arn)?.unique_id;
            Ok(tag_rows::remove(txn, &id, &keys)?)
        })
        .await
    }

    /// All tags (`ListOpenIDConnectProviderTags`).
    pub async fn tags_of_oidc_provider(&self, caller: &Caller, arn: &str) -> Result<Vec<(String, String)>, Error> {
        let action = "iam:ListOpenIDConnectProviderTags";
        let account = self.allow_on_provider(caller, action, arn, Extras::default()).await?;
        let arn = arn.to_owned();
        self.database
            .read(move |txn| {
                let id = existing(txn, &account, &arn)?.unique_id;
                Ok(tag_rows::of(txn, &id)?)
            })
            .await
    }

    /// Goes on where the caller may do `action` to a provider of its account, whether that is there or not.
    async fn allow_on_provider(
        &self,
        caller: &Caller,
        action: &'static str,
        arn: &str,
        extras: Extras<'_>,
    ) -> Result<AccountId, Error> {
        let account = account_of(caller)?;
        let (of, wanted) = (account.clone(), arn.to_owned());
        let tags = self
            .database
            .read(move |txn| {
                let record = find(txn, &of, &wanted)?;
                Ok::<_, Error>(record.map_or(Ok(Vec::new()), |record| tag_rows::of(txn, &record.unique_id))?)
            })
            .await?;
        self.allow_iam(caller, &Question { resource_tags: &tags, extras, ..Question::new(action, arn, &account) })?;
        Ok(account)
    }
}

/// The provider of an ARN in an account; none where the ARN is another account's, or of something else.
fn find(txn: &mut dyn Transaction, account: &AccountId, arn: &str) -> Result<Option<OidcProviderRecord>, Error> {
    match arn.strip_prefix(&format!("arn:aws:iam::{account}:oidc-provider/")) {
        Some(url) => Ok(rows::find_oidc(txn, account, url)?),
        None => Ok(None),
    }
}

fn existing(txn: &mut dyn Transaction, account: &AccountId, arn: &str) -> Result<OidcProviderRecord, Error> {
    let missing = || IdentityError::NoSuch { kind: "OpenIDConnect provider", name: arn.to_owned() };
    Ok(find(txn, account, arn)?.ok_or_else(missing)?)
}

fn create(txn: &mut dyn Transaction, new: &OidcProvider) -> Result<(), Error> {
    let record = &new.record;
    if rows::list_oidc(txn, &record.account, MOST_PROVIDERS)?.len() as u64 >= MOST_PROVIDERS {
        let message = format!("Cannot exceed quota for OpenIdConnectProvidersPerAccount: {MOST_PROVIDERS}");
        return Err(IdentityError::Limit(message).into());
    }
    if !rows::create_oidc(txn, record)? {
        let name = format!("https://{}", record.url);
        return Err(IdentityError::Exists { kind: "Provider", name }.into());
    }
    Ok(tag_rows::put(txn, &record.unique_id, &new.tags)?)
}

/// The first of each, in the order in which they were given.
fn without_repeats(list: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(list.len());
    for text in list {
        if !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept
}

fn check_lists(record: &OidcProviderRecord) -> Result<(), Error> {
    if record.client_ids.len() > MOST_CLIENT_IDS {
        let message = format!("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {MOST_CLIENT_IDS}");
        return Err(IdentityError::Limit(message).into());
    }
    let is_thumbprint = |text: &String| text.len() == THUMBPRINT && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if record.thumbprints.len() > MOST_THUMBPRINTS || !record.thumbprints.iter().all(is_thumbprint) {
        let message = "Thumbprint list must contain fewer than 6 entries of 40 hexadecimal digits.";
        return Err(IdentityError::Invalid(message.to_owned()).into());
    }
    Ok(())
}
