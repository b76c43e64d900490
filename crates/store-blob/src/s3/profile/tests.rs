//! Which credentials a profile comes to.

use std::collections::HashMap;
use std::fs;

use object_store::aws::AmazonS3Builder;
use tempfile::TempDir;

use super::*;

/// A home folder with both files, either of which may be missing.
fn home(credentials: Option<&str>, config: Option<&str>) -> TempDir {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join(".aws")).unwrap();
    for (name, text) in [("credentials", credentials), ("config", config)] {
        text.inspect(|text| fs::write(home.path().join(".aws").join(name), text).unwrap());
    }
    home
}

fn place(home: &TempDir, variables: &[(&str, &str)]) -> Place {
    let mut all: HashMap<String, String> = HashMap::from([("HOME".to_owned(), home.path().display().to_string())]);
    all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Place::named(None, &|name| all.get(name).cloned())
}

fn told(profile: &Result<Profile, String>) -> String {
    match profile {
        Err(reason) => reason.split(" in /").next().unwrap().to_owned(),
        Ok(Profile { region, source }) => {
            let region = region.as_deref().unwrap_or("-");
            match source {
                Source::None => format!("{region} nothing"),
                Source::Keys(keys) => format!("{region} {} {} {:?}", keys.key_id, keys.secret_key, keys.token),
                Source::WebIdentity(given) => format!("{region} web identity with {} values", given.len()),
            }
        }
    }
}

const KEYS: &str = "aws_access_key_id = id\naws_secret_access_key = se/cr+et=\n";

#[test]
fn a_profile_is_both_files_together() {
    let with = |section: &str, more: &str| Some(format!("[{section}]\n{more}"));
    let keys = |section: &str| with(section, KEYS);
    let cases = [
        (None, None, "", "- nothing"),
        (None, None, "a", "there is no profile a"),
        (keys("default"), None, "", "- id se/cr+et= None"),
        (keys("default"), with("default", "region = here\n"), "", "here id se/cr+et= None"),
        (keys("a"), with("profile a", "region = here\n"), "a", "here id se/cr+et= None"),
        (keys("a"), keys("default"), "a", "- id se/cr+et= None"),
        (None, keys("profile a"), "a", "- id se/cr+et= None"),
        (keys("a"), with("profile a", "aws_access_key_id = other\n"), "a", "- id se/cr+et= None"),
        (with("a", &format!("{KEYS}aws_session_token = token")), None, "a", "- id se/cr+et= Some(\"token\")"),
        (keys("b"), None, "a", "there is no profile a"),
        (with("a", "aws_access_key_id = id\n"), None, "a", "profile a gives one half of a key only"),
        (
            with("a", "aws_secret_access_key =\naws_access_key_id = id\n"),
            None,
            "a",
            "profile a gives one half of a key only",
        ),
        (None, with("profile a", "region = here\n"), "a", "here nothing"),
        (
            None,
            with("profile a", "web_identity_token_file = /t\nrole_arn = arn\n"),
            "a",
            "- web identity with 2 values",
        ),
        (
            None,
            with("profile a", "web_identity_token_file = /t\nrole_arn = arn\nrole_session_name = me\n"),
            "a",
            "- web identity with 3 values",
        ),
    ];
    for (credentials, config, name, expected) in cases {
        let home = home(credentials.as_deref(), config.as_deref());
        let place = place(&home, &[("AWS_PROFILE", name)].into_iter().filter(|_| !name.is_empty()).collect::<Vec<_>>());
        assert_eq!(told(&read(&place)), expected, "{credentials:?} {config:?}");
    }
}

#[test]
fn what_berth_cannot_do_is_told() {
    for (name, more) in UNKNOWN.map(|name| (name, "")).into_iter().chain([("source_profile", KEYS)]) {
        let home = home(Some(&format!("[default]\n{more}{name} = something\n")), None);
        let reason = read(&place(&home, &[])).unwrap_err();
        assert!(reason.contains(name) && !reason.contains("se/cr+et="), "{reason}");
    }
}

#[test]
fn the_files_and_the_profile_can_be_named() {
    let home = home(Some("[default]\naws_access_key_id = wrong\n"), None);
    let elsewhere = home.path().join("elsewhere");
    fs::write(&elsewhere, format!("[old]\n{KEYS}")).unwrap();
    let path = elsewhere.display().to_string();
    for (profile, file) in
        [("AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE"), ("AWS_DEFAULT_PROFILE", "AWS_SHARED_CREDENTIALS_FILE")]
    {
        assert!(told(&read(&place(&home, &[(profile, "old"), (file, &path)]))).contains("id se/cr+et="));
    }
    fs::write(&elsewhere, format!("[profile old]\n{KEYS}")).unwrap();
    let named = place(&home, &[("AWS_PROFILE", "old"), ("AWS_CONFIG_FILE", &path)]);
    assert!(told(&read(&named)).contains("id se/cr+et="));
}

#[test]
fn what_the_environment_gives_goes_first() {
    let home = home(Some("[default]\nregion = here\ncredential_process = x\n"), None);
    let given = AmazonS3Builder::new().with_access_key_id("own").with_secret_access_key("own");
    let builder = fill_in_from(given, place(&home, &[])).unwrap();
    assert_eq!(builder.get_config_value(&AmazonS3ConfigKey::AccessKeyId).as_deref(), Some("own"));
    assert!(fill_in_from(AmazonS3Builder::new(), place(&home, &[])).unwrap_err().contains("credential_process"));
    fs::write(home.path().join(".aws/credentials"), format!("[default]\nregion = here\n{KEYS}")).unwrap();
    let region = |builder: AmazonS3Builder| {
        let filled = fill_in_from(builder, place(&home, &[])).unwrap();
        filled.get_config_value(&AmazonS3ConfigKey::Region)
    };
    assert_eq!(region(AmazonS3Builder::new()).as_deref(), Some("here"));
    assert_eq!(region(AmazonS3Builder::new().with_region("there")).as_deref(), Some("there"));
}

#[tokio::test]
async fn keys_that_are_exchanged_are_read_again_and_half_a_file_does_no_harm() {
    let home = home(Some(&format!("[default]\n{KEYS}")), None);
    let place = place(&home, &[]);
    let Source::Keys(keys) = read(&place).unwrap().source else { panic!("no keys") };
    let rotating = Rotating::new(place, keys);
    let file = home.path().join(".aws/credentials");
    let steps = [
        ("[default]\naws_access_key_id = half\n", "id"),
        ("", "id"),
        ("[default]\naws_access_key_id = new\naws_secret_access_key = new\n", "new"),
    ];
    for (text, id) in steps {
        fs::write(&file, text).unwrap();
        assert_eq!(rotating.get_credential().await.unwrap().key_id, id, "{text:?}");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(rotating.get_credential().await.unwrap().key_id, "new");
}
