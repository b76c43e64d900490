//! Where, as whom and in which region a server is asked, found as AWS's own tools find it.
//!
//! Source: "Standardized credential providers" of the AWS SDKs and Tools Reference Guide. Of the chain there is what a
//! registry at hand can answer: keys, a web identity, a role by either, and a program.

use std::fmt;
use std::path::PathBuf;

use berth_profile::{AwsKeys, Environment, Place, Secret};

use crate::failure::Failure;

const SESSION_NAME: &str = "berth";
/// What gives credentials by ways that are not known here.
const UNKNOWN: [&str; 3] = ["sso_session", "sso_start_url", "login_session"];
/// Roles that are assumed to assume another, at most.
const LONGEST: usize = 5;

/// What the command line gives, and the variables that name the server for it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub endpoint_url: Option<&'a str>,
    pub profile: Option<&'a str>,
    pub region: Option<&'a str>,
    pub url_variables: &'a [&'a str],
    /// What else would help where there are no credentials, for a message.
    pub otherwise: &'a str,
}

/// What was found.
pub struct Found {
    /// The server's address, if any is named.
    pub url: Option<String>,
    /// The region that requests are signed for, if any is named.
    pub region: Option<String>,
    /// Where the access key comes from.
    pub source: Source,
    /// A file with the certificates that are trusted, instead of the system's.
    pub ca_bundle: Option<String>,
}

/// Where an access key comes from.
pub enum Source {
    /// It is there.
    Keys(AwsKeys),
    /// `AssumeRoleWithWebIdentity` at the server.
    WebIdentity(WebIdentity),
    /// `AssumeRole` at the server with the keys of another source.
    Role { role_arn: String, session_name: String, external_id: Option<String>, of: Box<Self> },
    /// What a program prints, `credential_process`.
    Process(Secret),
}

/// A token of an identity provider, and the role that is assumed with it.
pub struct WebIdentity {
    /// The token.
    pub token: WebToken,
    /// The role.
    pub role_arn: String,
    /// The session's name, which records show.
    pub session_name: String,
}

/// Where the token is.
pub enum WebToken {
    /// In a file, which is read anew each time: whoever wrote it exchanges it.
    File(PathBuf),
    /// Here.
    Given(Secret),
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = (&self.url, &self.region, self.source.told());
        f.debug_tuple("Found").field(&told).finish()
    }
}

impl Source {
    /// What the source is, without a secret. Two sources that are told alike give the same identity.
    pub fn told(&self) -> String {
        match self {
            Self::Keys(keys) => format!("the access key {}", keys.access_key_id),
            Self::WebIdentity(WebIdentity { token, role_arn, session_name }) => {
                let from = match token {
                    WebToken::File(path) => path.display().to_string(),
                    WebToken::Given(_) => "a token that was given".to_owned(),
                };
                format!("the role {role_arn} by the web identity in {from} as {session_name}")
            }
            Self::Role { role_arn, session_name, of, .. } => {
                format!("the role {role_arn} as {session_name} by {}", of.told())
            }
            Self::Process(_) => "credential_process".to_owned(),
        }
    }
}

/// Looks in the order of AWS's tools: what the command line says, keys in the environment, a web identity in the environment,
/// the profile. A profile that was asked for by name goes before the environment.
pub fn find(asked: &Asked<'_>, environment: Environment<'_>) -> Result<Found, Failure> {
    let given = if asked.profile.is_some() { None } else { of_environment(environment)? };
    let place = Place::named(asked.profile, environment);
    let values = match (place.values(), &given) {
        (Ok(values), _) => values,
        (Err(_), Some(_)) => berth_profile::Values::default(),
        (Err(reason), None) => return Err(Failure::Usage(reason)),
    };
    let of_profile =
        |name: &str| values.get(name).map(|value| value.reveal().to_owned()).filter(|text| !text.is_empty());
    let said = |given: Option<&str>, variables: &[&str]| {
        given.map(str::to_owned).or_else(|| variables.iter().find_map(|name| environment(name)))
    };
    let url = said(asked.endpoint_url, asked.url_variables).or_else(|| of_profile("endpoint_url"));
    let region = said(asked.region, &["AWS_REGION", "AWS_DEFAULT_REGION"]).or_else(|| of_profile("region"));
    let source = match given {
        Some(source) => source,
        None => profile_source(&place, environment, LONGEST)?.ok_or_else(|| nothing(asked, &place.shown()))?,
    };
    Ok(Found { url, region, source, ca_bundle: environment("AWS_CA_BUNDLE") })
}

fn of_environment(environment: Environment<'_>) -> Result<Option<Source>, Failure> {
    if let Some(keys) = keys_of_environment(environment)? {
        return Ok(Some(Source::Keys(keys)));
    }
    match (environment("AWS_WEB_IDENTITY_TOKEN_FILE"), environment("AWS_ROLE_ARN")) {
        (Some(file), Some(role_arn)) => Ok(Some(Source::WebIdentity(WebIdentity {
            token: WebToken::File(file.into()),
            role_arn,
            session_name: environment("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| SESSION_NAME.to_owned()),
        }))),
        (Some(_), None) => {
            Err(Failure::Usage("AWS_ROLE_ARN is not set, although AWS_WEB_IDENTITY_TOKEN_FILE is".to_owned()))
        }
        (None, _) => Ok(None),
    }
}

fn keys_of_environment(environment: Environment<'_>) -> Result<Option<AwsKeys>, Failure> {
    match (environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY")) {
        (Some(access_key_id), Some(secret)) => Ok(Some(AwsKeys {
            access_key_id,
            secret_access_key: secret.into(),
            session_token: environment("AWS_SESSION_TOKEN").map(Into::into),
        })),
        (None, None) => Ok(None),
        (id, _) => {
            let missing = if id.is_some() { "AWS_SECRET_ACCESS_KEY" } else { "AWS_ACCESS_KEY_ID" };
            Err(Failure::Usage(format!("{missing} is not set, although the other half of the key is")))
        }
    }
}

/// What a profile comes to; nothing where it gives no credentials.
fn profile_source(place: &Place, environment: Environment<'_>, left: usize) -> Result<Option<Source>, Failure> {
    let values = place.values().map_err(Failure::Usage)?;
    let get = |name: &str| values.get(name).map(|value| value.reveal().to_owned()).filter(|value| !value.is_empty());
    let wrong = |text: String| Failure::Usage(format!("profile {}: {text}", place.name()));
    if let Some(unknown) = UNKNOWN.into_iter().find(|name| get(name).is_some()) {
        return Err(wrong(format!(
            "it gets its credentials by {unknown}, which is not known here: berth login gets some from an identity provider"
        )));
    }
    let session_name = get("role_session_name").unwrap_or_else(|| SESSION_NAME.to_owned());
    match (get("role_arn"), get("web_identity_token_file")) {
        (Some(role_arn), Some(file)) => {
            let token = WebToken::File(file.into());
            Ok(Some(Source::WebIdentity(WebIdentity { token, role_arn, session_name })))
        }
        (None, Some(_)) => Err(wrong("it has a web_identity_token_file and no role_arn".to_owned())),
        (Some(role_arn), None) => {
            let of = match (get("source_profile"), get("credential_source").as_deref()) {
                (Some(_), Some(_)) => Err(wrong("it has a source_profile and a credential_source".to_owned())),
                (None, None) => Err(wrong("it has a role_arn and no source_profile".to_owned())),
                (Some(_), None) if left == 0 => Err(wrong("its source_profile never ends".to_owned())),
                // A profile may be its own source: by the keys in it.
                (Some(name), None) if name == place.name() => keys_of(&get, &wrong),
                (Some(name), None) => profile_source(&place.beside(&name), environment, left - 1),
                (None, Some("Environment")) => Ok(keys_of_environment(environment)?.map(Source::Keys)),
                (None, Some(other)) => Err(wrong(format!("its credential_source {other} is not known here"))),
            }?;
            let of = Box::new(
                of.ok_or_else(|| wrong("what its role_arn is to be assumed with gives no credentials".to_owned()))?,
            );
            Ok(Some(Source::Role { role_arn, session_name, external_id: get("external_id"), of }))
        }
        (None, None) => match keys_of(&get, &wrong)? {
            Some(keys) => Ok(Some(keys)),
            None => Ok(get("credential_process").map(|command| Source::Process(Secret::new(&command)))),
        },
    }
}

fn keys_of(get: Environment<'_>, wrong: &dyn Fn(String) -> Failure) -> Result<Option<Source>, Failure> {
    match (get("aws_access_key_id"), get("aws_secret_access_key")) {
        (Some(access_key_id), Some(secret)) => Ok(Some(Source::Keys(AwsKeys {
            access_key_id,
            secret_access_key: secret.into(),
            session_token: get("aws_session_token").map(Into::into),
        }))),
        (None, None) => Ok(None),
        _ => Err(wrong("it gives one half of a key only".to_owned())),
    }
}

fn nothing(asked: &Asked<'_>, places: &str) -> Failure {
    Failure::Usage(match asked.profile {
        Some(name) => format!("profile {name} in {places} has no access key"),
        None => format!(
            "no credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, nor AWS_WEB_IDENTITY_TOKEN_FILE and \
             AWS_ROLE_ARN, and no profile in {places} has an access key{}",
            asked.otherwise
        ),
    })
}

#[cfg(test)]
mod tests;
