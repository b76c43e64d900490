//! Identity providers of SAML: what an account's administrators say of them (IAM's operations on `SAMLProvider`).

use berth_aws::AccountId;
use berth_federation::saml::{Metadata, MetadataError};
use berth_store::clock::sixteen;
use berth_store::identity::tags as tag_rows;
use berth_store::saml::{self as rows, SamlProviderRecord};
use berth_store::{Timestamp, Transaction};

use crate::Domain;
use crate::access::{Extras, Question};
use crate::caller::Caller;
use crate::error::Error;
use crate::identity::names::saml_provider_name;
use crate::identity::tags::check_tags;
use crate::identity::{IdentityError, account_of};

/// Providers of one account ("IAM and AWS STS quotas": Identity providers (`IdPs`) per AWS account).
const MOST: u64 = 100;
/// Characters of a metadata document, as IAM's shapes have them.
const SHORTEST: usize = 1000;
const LONGEST: usize = 10_000_000;

/// A provider, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlProvider {
    /// Its ARN.
    pub arn: String,
    /// Its unique id.
    pub unique_id: String,
    /// The metadata document; empty in listings.
    pub metadata: String,
    /// When the document says that it ends.
    pub valid_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its tags; empty in listings.
    pub tags: Vec<(String, String)>,
}

impl Domain {
    /// Makes a provider (`CreateSAMLProvider`).
    ///
    /// - `name`: letters, digits and `._-`
    /// - `metadata`: the `EntityDescriptor` that the provider hands out
    ///
    /// Gives its ARN.
    pub async fn create_saml_provider(
        &self,
        caller: &Caller,
        name: &str,
        metadata: String,
        tags: Vec<(String, String)>,
    ) -> Result<String, Error> {
        let account = account_of(caller)?;
        let arn = format!("arn:aws:iam::{account}:saml-provider/{name}");
        let extras = Extras { tags: &tags, more: &[] };
        self.allow_iam(caller, &Question { extras, ..Question::new("iam:CreateSAMLProvider", &arn, &account) })?;
        check_name(name)?;
        check_tags(&tags)?;
        let (metadata, valid_until) = checked(metadata).await?;
        let record = SamlProviderRecord {
            unique_id: hex::encode(sixteen(self.random.as_ref())),
            account,
            name: name.to_owned(),
            metadata,
            valid_until,
            created_at: self.clock.now(),
        };
        self.change_access(move |txn| {
            if !rows::create(txn, &record)? {
                return Err(IdentityError::Exists { kind: "SAMLProvider", name: record.name.clone() }.into());
            }
            if rows::list(txn, &record.account, MOST + 1)?.len() > usize::try_from(MOST).unwrap_or(usize::MAX) {
                let message = format!("Cannot exceed quota for SAMLProvidersPerAccount: {MOST}");
                return Err(IdentityError::Limit(message).into());
            }
            tag_rows::put(txn, &record.unique_id, &tags)?;
            Ok(())
        })
        .await?;
        Ok(arn)
    }

    /// A provider with its metadata (`GetSAMLProvider`).
    pub async fn saml_provider(&self, caller: &Caller, arn: &str) -> Result<SamlProvider, Error> {
        let account = self.allow_saml_provider(caller, "iam:GetSAMLProvider", arn, Extras::default()).await?;
        let arn = arn.to_owned();
        self.database
            .read(move |txn| {
                let record = find(txn, &account, &arn)?;
                let tags = tag_rows::of(txn, &record.unique_id)?;
                Ok(SamlProvider { tags, ..view(record) })
            })
            .await
    }

    /// All providers of the caller's account, by name (`ListSAMLProviders`).
    pub async fn saml_providers(&self, caller: &Caller) -> Result<Vec<SamlProvider>, Error> {
        let account = account_of(caller)?;
        self.allow_iam(caller, &Question::new("iam:ListSAMLProviders", "*", &account))?;
        let found = self.database.read(move |txn| Ok::<_, Error>(rows::list(txn, &account, MOST)?));
        Ok(found.await?.into_iter().map(view).collect())
    }

    /// Gives a provider other metadata, where there is some (`UpdateSAMLProvider`). Sessions that began with it go on.
    pub async fn update_saml_provider(
        &self,
        caller: &Caller,
        arn: &str,
        metadata: Option<String>,
    ) -> Result<(), Error> {
        let account = self.allow_saml_provider(caller, "iam:UpdateSAMLProvider", arn, Extras::default()).await?;
        let arn = arn.to_owned();
        let given = match metadata {
            Some(metadata) => Some(checked(metadata).await?),
            None => None,
        };
        self.change_access(move |txn| {
            let record = find(txn, &account, &arn)?;
            let Some((metadata, valid_until)) = &given else { return Ok(()) };
            Ok(rows::update(txn, &record.unique_id, metadata, *valid_until)?)
        })
        .await
    }

    /// Takes a provider away, and with it every session that began with it (`DeleteSAMLProvider`).
    pub async fn delete_saml_provider(&self, caller: &Caller, arn: &str) -> Result<(), Error> {
        let account = self.allow_saml_provider(caller, "iam:DeleteSAMLProvider", arn, Extras::default()).await?;
        let arn = arn.to_owned();
        self.change_access(move |txn| {
            let record = find(txn, &account, &arn)?;
            Ok(rows::delete(txn, &record.unique_id)?)
        })
        .await
    }

    /// Sets tags of a provider (`TagSAMLProvider`).
    pub async fn tag_saml_provider(&self, caller: &Caller, arn: &str, new: Vec<(String, String)>) -> Result<(), Error> {
        let extras = Extras { tags: &new, more: &[] };
        let account = self.allow_saml_provider(caller, "iam:TagSAMLProvider", arn, extras).await?;
        check_tags(&new)?;
        let arn = arn.to_owned();
        self.change_access(move |txn| {
            let id = find(txn, &account, &arn)?.unique_id;
            tag_rows::put(txn, &id, &new)?;
            check_tags(&tag_rows::of(txn, &id)?)
        })
        .await
    }

    /// Takes tags of a provider away (`UntagSAMLProvider`).
    pub async fn untag_saml_provider(&self, caller: &Caller, arn: &str, keys: Vec<String>) -> Result<(), Error> {
        let more = [("aws:tagkeys", keys.clone())];
        let extras = Extras { more: &more, ..Extras::default() };
        let account = self.allow_saml_provider(caller, "iam:UntagSAMLProvider", arn, extras).await?;
        let arn = arn.to_owned();
        self.change_access(move |txn| {
            let id = find(txn, &account, &arn)?.unique_id;
            Ok(tag_rows::remove(txn, &id, &keys)?)
        })
        .await
    }

    /// The tags of a provider (`ListSAMLProviderTags`).
    pub async fn saml_provider_tags(&self, caller: &Caller, arn: &str) -> Result<Vec<(String, String)>, Error> {
        let account = self.allow_saml_provider(caller, "iam:ListSAMLProviderTags", arn, Extras::default()).await?;
        let arn = arn.to_owned();
        self.database
            .read(move |txn| {
                let id = find(txn, &account, &arn)?.unique_id;
                Ok(tag_rows::of(txn, &id)?)
            })
            .await
    }

    /// Goes on where the caller may do `action` to a provider, whether there is one of that ARN or not.
    async fn allow_saml_provider(
        &self,
        caller: &Caller,
        action: &'static str,
        arn: &str,
        extras: Extras<'_>,
    ) -> Result<AccountId, Error> {
        let account = account_of(caller)?;
        let (of, wanted) = (account.clone(), arn.to_owned());
        let tags = self.database.read(move |txn| match find(txn, &of, &wanted) {
            Ok(record) => Ok(tag_rows::of(txn, &record.unique_id)?),
            Err(Error::Identity(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        });
        let tags = tags.await?;
        self.allow_iam(caller, &Question { resource_tags: &tags, extras, ..Question::new(action, arn, &account) })?;
        Ok(account)
    }
}

/// The provider of an ARN, which is one of the account's.
fn find(txn: &mut dyn Transaction, account: &AccountId, arn: &str) -> Result<SamlProviderRecord, Error> {
    let missing = || IdentityError::NoSuch { kind: "SAMLProvider", name: arn.to_owned() };
    let (of, name) = saml_provider_name(arn).filter(|(of, _)| of == account).ok_or_else(missing)?;
    Ok(rows::find(txn, &of, name)?.ok_or_else(missing)?)
}

fn view(record: SamlProviderRecord) -> SamlProvider {
    SamlProvider {
        arn: record.arn(),
        unique_id: record.unique_id,
        metadata: record.metadata,
        valid_until: record.valid_until,
        created_at: record.created_at,
        tags: Vec::new(),
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=128).contains(&name.len()) && name.bytes().all(is_fine) {
        return Ok(());
    }
    Err(IdentityError::Validation("The name of a SAML provider has up to 128 letters, digits and ._-".to_owned())
        .into())
}

/// The document back, and until when it says that it holds. Long ones take a while to read.
async fn checked(metadata: String) -> Result<(String, Option<Timestamp>), Error> {
    if !(SHORTEST..=LONGEST).contains(&metadata.chars().count()) {
        let message = format!("The metadata document must have {SHORTEST} to {LONGEST} characters");
        return Err(IdentityError::Validation(message).into());
    }
    let read = move || {
        let ends = Metadata::read(&metadata)?.valid_until();
        Ok::<_, MetadataError>((metadata, ends.map(|end| Timestamp::from_millis(end.saturating_mul(1000)))))
    };
    let unread = |error: String| IdentityError::Invalid(format!("Could not parse metadata: {error}"));
    let read = tokio::task::spawn_blocking(read).await.map_err(|error| unread(error.to_string()))?;
    Ok(read.map_err(|error| unread(error.to_string()))?)
}
