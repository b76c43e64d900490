//! Profiles: the credentials and the region that `~/.aws/credentials` and `~/.aws/config` give.
//!
//! They count where the environment itself gives no credentials. The files are read again when they change, so that keys
//! can be exchanged while the registry serves.

mod ini;
mod keys;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use berth_store::BlobStoreError;
use object_store::CredentialProvider;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};

use self::ini::{File, Values};
pub use self::keys::{AwsKeys, AwsProfile};

/// What gives credentials in ways that Berth does not know.
const UNKNOWN: [&str; 6] =
    ["source_profile", "credential_source", "credential_process", "sso_session", "sso_start_url", "login_session"];

/// Looks up a variable of the environment.
type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Fills in what the environment left open: credentials and region.
pub(super) fn fill_in(builder: AmazonS3Builder) -> Result<AmazonS3Builder, BlobStoreError> {
    #[allow(
        clippy::disallowed_methods,
        reason = "what AWS's tools take from the environment is not configuration of ours"
    )]
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let place = Place::of(&environment);
    fill_in_from(builder, place)
        .map_err(|reason| BlobStoreError::Unavailable { action: "looking for credentials".to_owned(), reason })
}

fn fill_in_from(mut builder: AmazonS3Builder, place: Place) -> Result<AmazonS3Builder, String> {
    let has = |builder: &AmazonS3Builder, key| builder.get_config_value(&key).is_some();
    let is_given = has(&builder, AmazonS3ConfigKey::AccessKeyId)
        || has(&builder, AmazonS3ConfigKey::SecretAccessKey)
        || has(&builder, AmazonS3ConfigKey::WebIdentityTokenFile);
    let profile = match place.read() {
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

/// Which profile of which files.
#[derive(Debug, Clone)]
struct Place {
    name: String,
    // Somebody asked for it, so it has to be there.
    is_named: bool,
    files: Vec<(File, PathBuf)>,
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

impl Place {
    fn of(environment: Environment<'_>) -> Self {
        Self::named(None, environment)
    }

    /// The profile that is asked for, or the one that the environment names.
    fn named(name: Option<&str>, environment: Environment<'_>) -> Self {
        let usual = || environment("AWS_PROFILE").or_else(|| environment("AWS_DEFAULT_PROFILE"));
        let name = name.map(str::to_owned).or_else(usual);
        let home = environment("HOME").map(|home| PathBuf::from(home).join(".aws"));
        let file = |kind, variable, usual| {
            let named = environment(variable).map(PathBuf::from);
            named.or_else(|| Some(home.as_ref()?.join(usual))).map(|path| (kind, path))
        };
        let credentials = file(File::Credentials, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let config = file(File::Config, "AWS_CONFIG_FILE", "config");
        let is_named = name.is_some();
        let files = [config, credentials].into_iter().flatten().collect();
        Self { name: name.unwrap_or_else(|| "default".to_owned()), is_named, files }
    }

    fn read(&self) -> Result<Profile, String> {
        self.understand(&self.values()?)
    }

    fn values(&self) -> Result<Values, String> {
        let mut values: Option<Values> = None;
        // The later one, with the credentials, has the last word.
        for (kind, path) in &self.files {
            let text = match std::fs::read_to_string(path) {
                Ok(text) => zeroize::Zeroizing::new(text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(format!("{} cannot be read: {error}", path.display())),
            };
            if let Some(more) = ini::profile(&text, *kind, &self.name) {
                values.get_or_insert_default().extend(more);
            }
        }
        match values {
            Some(values) => Ok(values),
            None if self.is_named => Err(format!("there is no profile {} in {}", self.name, self.shown())),
            None => Ok(Values::default()),
        }
    }

    fn shown(&self) -> String {
        let paths: Vec<_> = self.files.iter().map(|(_, path)| path.display().to_string()).collect();
        if paths.is_empty() { "any file, as HOME is not set".to_owned() } else { paths.join(" or ") }
    }

    fn understand(&self, values: &Values) -> Result<Profile, String> {
        let get =
            |name: &str| values.get(name).map(|value| value.reveal().to_owned()).filter(|value| !value.is_empty());
        Ok(Profile { region: get("region"), source: self.source(&get)? })
    }

    fn source(&self, get: Environment<'_>) -> Result<Source, String> {
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
            (_, _, Some(name)) => Err(self.does_not_know(name)),
            (None, None, None) => Ok(Source::None),
            _ => Err(format!("profile {} gives one half of a key only", self.name)),
        }
    }

    /// The same for who can do nothing but sign with keys.
    fn cannot(&self, name: &str) -> String {
        format!(
            "profile {} gets its credentials by {name}, which this command cannot do: give it aws_access_key_id and \
             aws_secret_access_key",
            self.name
        )
    }

    fn does_not_know(&self, name: &str) -> String {
        format!(
            "profile {} gets its credentials by {name}, which Berth cannot do: give it aws_access_key_id and \
             aws_secret_access_key, or web_identity_token_file and role_arn",
            self.name
        )
    }

    /// Changes with the files.
    fn stamp(&self) -> Stamp {
        let stamp =
            |path: &PathBuf| std::fs::metadata(path).and_then(|about| Ok((about.modified()?, about.len()))).ok();
        self.files.iter().map(|(_, path)| stamp(path)).collect()
    }
}

type Stamp = Vec<Option<(SystemTime, u64)>>;

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
            match self.place.read().map(|profile| profile.source) {
                Ok(Source::Keys(credential)) => known.1 = Arc::new(credential),
                Ok(_) => {
                    tracing::warn!(
                        profile = self.place.name,
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
