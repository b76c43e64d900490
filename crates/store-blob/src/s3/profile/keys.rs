//! Profiles for commands that sign requests themselves.

use std::fmt;

use zeroize::Zeroizing;

use super::{Place, Source};

/// What a profile of `~/.aws/credentials` and `~/.aws/config` gives.
#[derive(Debug, Default)]
pub struct AwsProfile {
    /// The region.
    pub region: Option<String>,
    /// The address that requests go to, `endpoint_url`.
    pub endpoint_url: Option<String>,
    /// The access key, where the profile has one.
    pub keys: Option<AwsKeys>,
    /// The files that were looked at, for a message.
    pub places: String,
}

/// An access key. Its secret and token are never printed.
#[derive(Clone)]
pub struct AwsKeys {
    /// The id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: Zeroizing<String>,
    /// The token of temporary credentials.
    pub session_token: Option<Zeroizing<String>>,
}

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKeys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl AwsProfile {
    /// Reads the profile `name`, else the one that `AWS_PROFILE` names, else `default`; `environment` looks up a variable.
    /// Errors are texts for people: a file that cannot be read, a profile that is not there although it was named, one that
    /// gives half a key, or one that gets its credentials in a way that is not known here, such as `credential_process`.
    /// Source: "Configuration and credential file settings in the AWS CLI".
    pub fn read(name: Option<&str>, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let place = Place::named(name, environment);
        let values = place.values()?;
        let endpoint_url = values.get("endpoint_url").map(|value| value.reveal().to_owned());
        let profile = place.understand(&values)?;
        let keys = match profile.source {
            Source::None => None,
            Source::Keys(keys) => Some(AwsKeys {
                access_key_id: keys.key_id,
                secret_access_key: keys.secret_key.into(),
                session_token: keys.token.map(Zeroizing::new),
            }),
            Source::WebIdentity(_) => return Err(place.cannot("web_identity_token_file")),
        };
        let endpoint_url = endpoint_url.filter(|url| !url.is_empty());
        Ok(Self { region: profile.region, endpoint_url, keys, places: place.shown() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: Option<&str>, config: &str, profile: Option<&'static str>) -> Result<AwsProfile, String> {
        let home = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/config"), config).unwrap();
        let path = home.path().display().to_string();
        AwsProfile::read(name, &|variable| match variable {
            "HOME" => Some(path.clone()),
            "AWS_PROFILE" => profile.map(str::to_owned),
            _ => None,
        })
    }

    #[test]
    fn a_profile_is_chosen_by_name_then_by_variable() {
        let keys = |id: &str| format!("aws_access_key_id={id}\naws_secret_access_key=hush\n");
        let config = format!(
            "[default]\n{}[profile a]\n{}endpoint_url=http://here\nregion=r\n[profile b]\n{}",
            keys("D"),
            keys("A"),
            keys("B")
        );
        for (name, variable, id) in [(None, None, "D"), (None, Some("b"), "B"), (Some("a"), Some("b"), "A")] {
            let profile = read(name, &config, variable).unwrap();
            assert_eq!(profile.keys.as_ref().unwrap().access_key_id, id);
            assert_eq!(profile.endpoint_url.is_some(), id == "A");
            assert!(!format!("{profile:?}").contains("hush"));
        }
        assert!(read(Some("c"), &config, None).unwrap_err().contains("no profile c"));
        assert!(read(None, "", None).unwrap().keys.is_none());
    }

    #[test]
    fn what_cannot_be_done_is_told() {
        for (values, word) in [
            ("credential_process=x", "credential_process"),
            ("web_identity_token_file=/t\nrole_arn=arn", "web_identity_token_file"),
            ("aws_access_key_id=A", "one half"),
        ] {
            let reason = read(None, &format!("[default]\n{values}\n"), None).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
    }
}
