//! Profiles: the credentials and the region that `~/.aws/credentials` and `~/.aws/config` give.
//!
//! They count where the environment itself gives no credentials. The files are read again when they change, so that keys
//! can be exchanged while the registry serves.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use berth_profile::{Environment, Place, Stamp};
use berth_store::BlobStoreError;
use object_store::CredentialProvider;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};

/// What gives credentials in ways that Berth does not know.
const UNKNOWN: [&str; 6] =
    ["source_profile", "credential_source", "credential_process", "sso_session", "sso_start_url", "login_session"];

/// Fills in what the environment left open: credentials and region.
pub(super) fn fill_in(builder: AmazonS3Builder) -> Result<AmazonS3Builder, BlobStoreError> {
    #[allow(
        clippy::disallowed_methods,
        reason = "what AWS's tools take from the environment is not configuration of ours"
    )]
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let place = Place::named(None, &environment);
    fill_in_from(builder, place)
        .map_err(|reason| BlobStoreError::Unavailable { action: "looking for credentials".to_owned(), reason })
}

fn fill_in_from(mut builder: AmazonS3Builder, place: Place) -> Result<AmazonS3Builder, String> {
    let has = |builder: &AmazonS3Builder, key| builder.get_config_value(&key).is_some();
    let is_given = has(&builder, AmazonS3ConfigKey::AccessKeyId)
        || has(&builder, AmazonS3ConfigKey::SecretAccessKey)
        || has(&builder, AmazonS3ConfigKey::WebIdentityTokenFile);
    let profile = match read(&place) {
        Ok(profile) => profile,
        Err(_) if is_given => return Ok(builder),
        Err(reason) => return Err(reason),
    };
    if let Some(region) = profile.region.as_ref().filter(|_| !has(&builder, AmazonS3ConfigKey::Region)) {
        builder = builder.with_region(region);
    }
    if is_given {
        return Ok(builder);
    }
    Ok(match profile.source {
        Source::Keys(credential) => builder.with_credentials(Arc::new(Rotating::new(place, credential))),
        Source::WebIdentity(values) => {
            values.into_iter().fold(builder, |builder, (key, value)| builder.with_config(key, value))
        }
        Source::None => builder,
    })
}

/// What a profile says.
#[derive(Debug, Default)]
struct Profile {
    region: Option<String>,
    source: Source,
}

/// Where credentials come from.
#[derive(Debug, Default)]
enum Source {
    /// From somewhere else.
    #[default]
    None,
    Keys(AwsCredential),
    WebIdentity(Vec<(AmazonS3ConfigKey, String)>),
}

fn read(place: &Place) -> Result<Profile, String> {
    let values = place.values()?;
    let get = |name: &str| values.get(name).map(|value| value.reveal().to_owned()).filter(|value| !value.is_empty());
    Ok(Profile { region: get("region"), source: source(place, &get)? })
}

fn source(place: &Place, get: Environment<'_>) -> Result<Source, String> {
    if let (Some(file), Some(role)) = (get("web_identity_token_file"), get("role_arn")) {
        let mut given = vec![(AmazonS3ConfigKey::WebIdentityTokenFile, file), (AmazonS3ConfigKey::RoleArn, role)];
        given.extend(get("role_session_name").map(|name| (AmazonS3ConfigKey::RoleSessionName, name)));
        return Ok(Source::WebIdentity(given));
    }
    // A role that is assumed with the keys is somebody else than the keys.
    let unknown = UNKNOWN.into_iter().find(|name| get(name).is_some());
    match (get("aws_access_key_id"), get("aws_secret_access_key"), unknown) {
        (Some(key_id), Some(secret_key), None) => {
            Ok(Source::Keys(AwsCredential { key_id, secret_key, token: get("aws_session_token") }))
        }
        (_, _, Some(name)) => Err(does_not_know(place, name)),
        (None, None, None) => Ok(Source::None),
        _ => Err(format!("profile {} gives one half of a key only", place.name())),
    }
}

fn does_not_know(place: &Place, name: &str) -> String {
    format!(
        "profile {} gets its credentials by {name}, which Berth cannot do for a bucket: give it aws_access_key_id and \
         aws_secret_access_key, or web_identity_token_file and role_arn",
        place.name()
    )
}

/// Keys of a profile, as its files have them now.
#[derive(Debug)]
struct Rotating {
    place: Place,
    known: Mutex<(Stamp, Arc<AwsCredential>)>,
}

impl Rotating {
    fn new(place: Place, credential: AwsCredential) -> Self {
        let stamp = place.stamp();
        Self { place, known: Mutex::new((stamp, Arc::new(credential))) }
    }
}

#[async_trait]
impl CredentialProvider for Rotating {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let stamp = self.place.stamp();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != stamp {
            // A file that is being written is read again when it is whole.
            known.0 = stamp;
            match read(&self.place).map(|profile| profile.source) {
                Ok(Source::Keys(credential)) => known.1 = Arc::new(credential),
                Ok(_) => {
                    tracing::warn!(
                        profile = self.place.name(),
                        "the profile has no keys any more; the old ones are kept"
                    );
                }
                Err(reason) => tracing::warn!(reason, "the profile cannot be read again; the old keys are kept"),
            }
        }
        Ok(Arc::clone(&known.1))
    }
}

#[cfg(test)]
mod tests;
