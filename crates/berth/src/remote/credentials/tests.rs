//! What is found, from which place, in which order.

use super::*;

const CONFIG: &str = "[default]\nregion = of-default\naws_access_key_id = D\naws_secret_access_key = hush\n\
                      [profile a]\nendpoint_url = http://of-a\naws_access_key_id = A\naws_secret_access_key = hush\n\
                      aws_session_token = tok\n[profile none]\nregion = of-none\n\
                      [profile role]\nrole_arn = R\nsource_profile = a\n\
                      [profile chain]\nrole_arn = C\nsource_profile = role\nrole_session_name = me\n\
                      [profile self]\nrole_arn = S\nsource_profile = self\naws_access_key_id = X\naws_secret_access_key = hush\n\
                      [profile web]\nrole_arn = W\nweb_identity_token_file = /t\n\
                      [profile process]\ncredential_process = give hush\n\
                      [profile env]\nrole_arn = E\ncredential_source = Environment\n\
                      [profile round]\nrole_arn = O\nsource_profile = about\n[profile about]\nrole_arn = O\nsource_profile = round\n\
                      [profile half]\naws_access_key_id = H\n[profile sso]\nsso_session = s\n\
                      [profile lonely]\nrole_arn = L\n[profile machine]\nrole_arn = M\ncredential_source = Ec2InstanceMetadata\n\
                      [profile empty]\nrole_arn = M\nsource_profile = none\n";
const NONE: Asked<'static> = Asked {
    endpoint_url: None,
    profile: None,
    region: None,
    url_variables: &["BERTH_URL", "AWS_ENDPOINT_URL"],
    otherwise: "; or --so",
};

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
const WEB: [(&str, &str); 2] = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), ("AWS_ROLE_ARN", "arn")];

fn named(profile: &str) -> Asked<'_> {
    Asked { profile: Some(profile), ..NONE }
}

#[test]
fn everything_is_found_in_awss_order() {
    let all = Asked { endpoint_url: Some("http://said"), region: Some("said"), ..NONE };
    let with = |more: &[(&'static str, &'static str)]| [&KEY[..], more].concat();
    let urls = [("BERTH_URL", "http://berth"), ("AWS_ENDPOINT_URL", "http://aws")];
    let regions = [("AWS_REGION", "r"), ("AWS_DEFAULT_REGION", "d")];
    for (asked, variables, expected) in [
        (NONE, vec![], ("D", None, Some("of-default"))),
        (NONE, with(&[]), ("E", None, Some("of-default"))),
        (NONE, with(&[("AWS_PROFILE", "a")]), ("E", Some("http://of-a"), None)),
        (NONE, vec![("AWS_PROFILE", "a")], ("A", Some("http://of-a"), None)),
        (named("a"), with(&[]), ("A", Some("http://of-a"), None)),
        (NONE, with(&urls), ("E", Some("http://berth"), Some("of-default"))),
        (NONE, with(&urls[1..]), ("E", Some("http://aws"), Some("of-default"))),
        (NONE, with(&regions), ("E", None, Some("r"))),
        (NONE, with(&regions[1..]), ("E", None, Some("d"))),
        (all, with(&[urls, regions].concat()), ("E", Some("http://said"), Some("said"))),
        // A profile that is not there does no harm where keys are.
        (NONE, with(&[("AWS_PROFILE", "missing")]), ("E", None, None)),
    ] {
        let found = found(asked, CONFIG, &variables).unwrap();
        assert!(!format!("{found:?}").contains("hush"));
        let Source::Keys(keys) = found.source else { panic!("no keys") };
        let got = (keys.access_key_id.as_str(), found.url.as_deref(), found.region.as_deref());
        assert_eq!(got, expected, "{asked:?} {variables:?}");
        assert_eq!(keys.session_token.is_some(), got.0 == "A");
    }
}

#[test]
fn keys_go_before_a_web_identity_and_that_before_a_profile() {
    let session = [("AWS_ROLE_SESSION_NAME", "s")];
    let web = "the role arn by the web identity in /token as";
    for (asked, variables, expected) in [
        (NONE, [&KEY[..], &WEB].concat(), "the access key E".to_owned()),
        (NONE, WEB.to_vec(), format!("{web} berth")),
        (NONE, [&WEB[..], &session].concat(), format!("{web} s")),
        (NONE, [&WEB[..], &[("AWS_PROFILE", "a")]].concat(), format!("{web} berth")),
        (NONE, WEB[1..].to_vec(), "the access key D".to_owned()),
        (named("a"), WEB.to_vec(), "the access key A".to_owned()),
        (named("role"), vec![], "the role R as berth by the access key A".to_owned()),
        (named("chain"), vec![], "the role C as me by the role R as berth by the access key A".to_owned()),
        (named("self"), vec![], "the role S as berth by the access key X".to_owned()),
        (named("web"), vec![], "the role W by the web identity in /t as berth".to_owned()),
        (named("process"), vec![], "credential_process".to_owned()),
        (named("env"), KEY.to_vec(), "the role E as berth by the access key E".to_owned()),
    ] {
        let found = found(asked, CONFIG, &variables).unwrap();
        assert_eq!(found.source.told(), expected, "{asked:?} {variables:?}");
    }
}

#[test]
fn what_is_missing_is_told() {
    for (asked, config, variables, words) in [
        (NONE, "", &[][..], &["AWS_ACCESS_KEY_ID", "AWS_ROLE_ARN", ".aws/config", ".aws/credentials", "; or --so"][..]),
        (NONE, "", &KEY[..1], &["AWS_SECRET_ACCESS_KEY is not set"]),
        (NONE, "", &KEY[1..], &["AWS_ACCESS_KEY_ID is not set"]),
        (NONE, CONFIG, &WEB[..1], &["AWS_ROLE_ARN is not set"]),
        (named("none"), CONFIG, &[], &["profile none", "no access key"]),
        (named("b"), CONFIG, &KEY, &["no profile b"]),
        (named("round"), CONFIG, &[], &["never ends"]),
        (named("half"), CONFIG, &[], &["profile half", "one half"]),
        (named("sso"), CONFIG, &[], &["sso_session", "berth login"]),
        (named("lonely"), CONFIG, &[], &["no source_profile"]),
        (named("machine"), CONFIG, &[], &["Ec2InstanceMetadata"]),
        (named("empty"), CONFIG, &[], &["gives no credentials"]),
    ] {
        let failure = found(asked, config, variables).unwrap_err();
        assert_eq!(failure.code(), 2);
        assert!(words.iter().all(|word| failure.to_string().contains(word)), "{failure}");
        assert!(!failure.to_string().contains("hush"));
    }
}
