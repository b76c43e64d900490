//! Where, as whom and in which region a server is asked, found as AWS's own tools find it.

use std::fmt;

use berth_store_blob::s3::{AwsKeys, AwsProfile};

use crate::failure::Failure;

/// Where a server listens that was told nothing else.
const USUAL_URL: &str = "http://127.0.0.1:5000";
const USUAL_REGION: &str = "us-east-1";

/// What the command line gives.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    pub endpoint_url: Option<&'a str>,
    pub profile: Option<&'a str>,
    pub region: Option<&'a str>,
}

/// What was found.
pub struct Found {
    /// The server's address.
    pub url: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The access key.
    pub keys: AwsKeys,
    /// A file with the certificates that are trusted, instead of the system's.
    pub ca_bundle: Option<String>,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("url", &self.url).field("region", &self.region).finish_non_exhaustive()
    }
}

/// Looks in the order of AWS's tools: what the command line says, the environment, the profile. A profile that was asked for
/// by name goes before keys in the environment. `environment` gives variables that are set and not empty.
pub fn find(asked: &Asked<'_>, environment: &dyn Fn(&str) -> Option<String>) -> Result<Found, Failure> {
    let given = asked.profile.is_none().then(|| of_environment(environment)).transpose()?.flatten();
    let profile = match (AwsProfile::read(asked.profile, environment), &given) {
        (Ok(profile), _) => profile,
        (Err(_), Some(_)) => AwsProfile::default(),
        (Err(reason), None) => return Err(Failure::Usage(reason)),
    };
    let AwsProfile { region, endpoint_url, keys, places } = profile;
    let said = |given: Option<&str>, variables: &[&str]| {
        given.map(str::to_owned).or_else(|| variables.iter().find_map(|name| environment(name)))
    };
    let url = said(asked.endpoint_url, &["BERTH_URL", "AWS_ENDPOINT_URL"]).or(endpoint_url);
    let region = said(asked.region, &["AWS_REGION", "AWS_DEFAULT_REGION"]).or(region);
    Ok(Found {
        url: url.unwrap_or_else(|| USUAL_URL.to_owned()),
        region: region.unwrap_or_else(|| USUAL_REGION.to_owned()),
        keys: given.or(keys).ok_or_else(|| nothing(asked.profile, &places))?,
        ca_bundle: environment("AWS_CA_BUNDLE"),
    })
}

fn of_environment(environment: &dyn Fn(&str) -> Option<String>) -> Result<Option<AwsKeys>, Failure> {
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

fn nothing(profile: Option<&str>, places: &str) -> Failure {
    Failure::Usage(match profile {
        Some(name) => format!("profile {name} in {places} has no access key"),
        None => format!(
            "no credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and no profile in {places} has an \
             access key; beside the data folder, --local needs none"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[default]\nregion = of-default\naws_access_key_id = D\naws_secret_access_key = hush\n\
                          [profile a]\nendpoint_url = http://of-a\naws_access_key_id = A\naws_secret_access_key = hush\n\
                          aws_session_token = tok\n[profile none]\nregion = of-none\n";

    fn found(asked: Asked<'_>, config: &str, variables: &[(&str, &str)]) -> Result<Found, Failure> {
        let home = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/config"), config).unwrap();
        let path = home.path().display().to_string();
        find(&asked, &|name| {
            let known = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            known.or_else(|| (name == "HOME").then(|| path.clone()))
        })
    }

    const KEY: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "hush")];

    #[test]
    fn everything_is_found_in_awss_order() {
        let none = Asked::default();
        let named = Asked { profile: Some("a"), ..none };
        let all = Asked { endpoint_url: Some("http://said"), region: Some("said"), ..none };
        let with = |more: &[(&'static str, &'static str)]| [&KEY[..], more].concat();
        let urls = [("BERTH_URL", "http://berth"), ("AWS_ENDPOINT_URL", "http://aws")];
        let regions = [("AWS_REGION", "r"), ("AWS_DEFAULT_REGION", "d")];
        for (asked, variables, expected) in [
            (none, vec![], ("D", USUAL_URL, "of-default")),
            (none, with(&[]), ("E", USUAL_URL, "of-default")),
            (none, with(&[("AWS_PROFILE", "a")]), ("E", "http://of-a", USUAL_REGION)),
            (none, vec![("AWS_PROFILE", "a")], ("A", "http://of-a", USUAL_REGION)),
            (named, with(&[]), ("A", "http://of-a", USUAL_REGION)),
            (none, with(&urls), ("E", "http://berth", "of-default")),
            (none, with(&urls[1..]), ("E", "http://aws", "of-default")),
            (none, with(&regions), ("E", USUAL_URL, "r")),
            (none, with(&regions[1..]), ("E", USUAL_URL, "d")),
            (all, with(&[urls, regions].concat()), ("E", "http://said", "said")),
            // A profile that is not there does no harm where keys are.
            (none, with(&[("AWS_PROFILE", "missing")]), ("E", USUAL_URL, USUAL_REGION)),
        ] {
            let found = found(asked, CONFIG, &variables).unwrap();
            let got = (found.keys.access_key_id.as_str(), found.url.as_str(), found.region.as_str());
            assert_eq!(got, expected, "{asked:?} {variables:?}");
            assert_eq!(found.keys.session_token.is_some(), got.0 == "A");
            assert!(!format!("{found:?}").contains("hush"));
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let none = Asked::default();
        for (asked, config, variables, words) in [
            (none, "", &[][..], &["AWS_ACCESS_KEY_ID", ".aws/config", ".aws/credentials", "--local"][..]),
            (none, "", &KEY[..1], &["AWS_SECRET_ACCESS_KEY is not set"]),
            (none, "", &KEY[1..], &["AWS_ACCESS_KEY_ID is not set"]),
            (Asked { profile: Some("none"), ..none }, CONFIG, &[], &["profile none", "no access key"]),
            (Asked { profile: Some("b"), ..none }, CONFIG, &KEY, &["no profile b"]),
        ] {
            let failure = found(asked, config, variables).unwrap_err();
            assert_eq!(failure.code(), 2);
            assert!(words.iter().all(|word| failure.to_string().contains(word)), "{failure}");
        }
    }
}
