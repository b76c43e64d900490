//! `berth login`: what it writes, prints and refuses. The attacks on it are among the attacks, by the number a68.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "support/identity_provider.rs"]
mod identity_provider;
#[path = "support/program.rs"]
mod program;
#[path = "support/sts.rs"]
mod sts;
#[path = "support/stub.rs"]
mod stub;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use berth_testkit::Output;
use identity_provider::{Bent, CLIENT, IdentityProvider, ROLE, begin};
use program::Program;
use serde_json::{Value, json};
use stub::{Answer, Stub};

fn nobody() -> Program {
    Program::new().without_credentials()
}

/// A login from beginning to end.
fn login(program: &Program, more: &[&str]) -> (Output, String) {
    let (provider, registry) = (IdentityProvider::start(Bent::default()), sts::registry(3600));
    let waiting = begin(program, &provider, &registry.url(), more);
    let (code, state) = (provider.consent(&waiting.parameters), waiting.state());
    let (status, page) = waiting.visit(&[("code", &code), ("state", &state)]);
    assert_eq!(status, 200, "{page}");
    (waiting.end(), registry.url())
}

#[test]
fn a_profile_is_written_beside_others() {
    let program = nobody();
    fs::create_dir(program.path(".aws")).unwrap();
    let others = "# mine\n[default]\naws_access_key_id = D\naws_secret_access_key = S\n";
    program.write(".aws/credentials", &format!("{others}[people]\nrole_arn = old\nregion = eu\n"));
    let (output, registry) = login(&program, &["--profile", "people"]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(0), "profile people holds until 2030-01-01T00:00:00Z: set AWS_PROFILE=people\n")
    );
    assert!(!output.stderr.contains("hush"), "{output:?}");
    let file = program.path(".aws/credentials");
    let expected = format!(
        "{others}[people]\naws_access_key_id = ASIAAAAAAAAAAAAAAAAA\naws_secret_access_key = {}\n\
         aws_session_token = hush-session-token\nendpoint_url = {registry}\nregion = eu\n",
        sts::SESSION_SECRET
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_written_profile_is_what_the_credential_helper_takes() {
    let program = nobody();
    let (provider, registry) = (IdentityProvider::start(Bent::default()), sts::registry(3600));
    let waiting = begin(&program, &provider, &registry.url(), &[]);
    let (code, state) = (provider.consent(&waiting.parameters), waiting.state());
    assert_eq!(waiting.visit(&[("code", &code), ("state", &state)]).0, 200);
    assert_eq!(waiting.end().code, Some(0));
    let program = program.env("AWS_PROFILE", "berth");
    let output = program.run_as("docker-credential-berth", &["get"], registry.host().as_bytes());
    let found: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(found["Secret"], sts::PASSWORD);
}

#[test]
fn what_is_printed_is_not_written() {
    let program = nobody();
    let (output, registry) = login(&program, &["--format", "export"]);
    let expected = format!(
        "export AWS_ACCESS_KEY_ID='ASIAAAAAAAAAAAAAAAAA'\nexport AWS_SECRET_ACCESS_KEY='{}'\n\
         export AWS_SESSION_TOKEN='hush-session-token'\nexport AWS_ENDPOINT_URL='{registry}'\n",
        sts::SESSION_SECRET
    );
    assert_eq!((output.code, output.stdout), (Some(0), expected));
    let (output, _) = login(&program, &["--format", "json"]);
    let expected = json!({
        "Version": 1, "AccessKeyId": "ASIAAAAAAAAAAAAAAAAA", "SecretAccessKey": sts::SESSION_SECRET,
        "SessionToken": "hush-session-token", "Expiration": "2030-01-01T00:00:00Z",
    });
    assert_eq!(serde_json::from_str::<Value>(&output.stdout).unwrap(), expected);
    let (output, _) = login(&program, &["--json"]);
    let told: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&told["profile"], output.stdout.contains("hush")), (&json!("berth"), false));
    assert!(program.path(".aws/credentials").exists());
}

#[test]
fn a_registry_that_says_no_leaves_nothing() {
    let program = nobody();
    let refuses = Stub::start(|_| {
        let fault = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>No.</Message></Error>\
                     <RequestId>r</RequestId></ErrorResponse>";
        Answer::of(403, fault)
    });
    let provider = IdentityProvider::start(Bent::default());
    let waiting = begin(&program, &provider, &refuses.url(), &[]);
    let (code, state) = (provider.consent(&waiting.parameters), waiting.state());
    let (status, page) = waiting.visit(&[("code", &code), ("state", &state)]);
    assert!(status == 400 && page.contains("AccessDenied"), "{page}");
    let output = waiting.end();
    assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""));
    assert!(!program.path(".aws").exists());
}

#[test]
fn what_cannot_begin_is_told() {
    let elsewhere = IdentityProvider::start(Bent::default());
    let (target, other) = (elsewhere.issuer(), elsewhere.issuer());
    let redirects =
        Stub::start(move |asked| Answer::of(302, "").with("Location", &format!("{target}{}", asked.target)));
    let lies = Stub::start(move |_| {
        let document = json!({ "issuer": other, "authorization_endpoint": "https://a", "token_endpoint": "https://b" });
        Answer::of(200, document.to_string())
    });
    let (silent, huge) =
        (Stub::start(|_| Answer::of(404, "")), Stub::start(|_| Answer::of(200, "x".repeat(2_000_000))));
    let (redirects, lies, silent, huge) = (redirects.url(), lies.url(), silent.url(), huge.url());
    let http = "--allow-http-issuer";
    let registry = ["--endpoint-url", "http://127.0.0.1:1"];
    for (issuer, more, code, words) in [
        (lies.as_str(), &registry[..], 2, "is not of https"),
        ("http://login.example.com", &[registry[0], registry[1], http], 2, "is not of https"),
        ("login.example.com", &registry, 2, "is no URL"),
        ("https://u:hush@login.example.com", &registry, 2, "holds a user"),
        ("https://login.example.com/?a=b", &registry, 2, "has a query"),
        (&lies, &[registry[0], registry[1], http], 3, "calls itself"),
        (&redirects, &[registry[0], registry[1], http], 3, "status 302"),
        (&silent, &[registry[0], registry[1], http], 3, "status 404"),
        (&huge, &[registry[0], registry[1], http], 3, "too long"),
        (&lies, &[http], 2, "--endpoint-url"),
        (&lies, &["--endpoint-url", "nonsense", http], 2, "no URL"),
        (&lies, &[registry[0], registry[1], "--issuer-ca", "/nowhere"], 2, "is not of https"),
        ("https://127.0.0.1:1", &[registry[0], registry[1], "--issuer-ca", "/nowhere"], 2, "--issuer-ca names"),
    ] {
        let arguments =
            [&["login", "--issuer", issuer, "--client-id", CLIENT, "--role-arn", ROLE, "--no-browser"], more].concat();
        let output = nobody().run(&arguments);
        assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{arguments:?}: {output:?}");
        assert!(output.stderr.contains(words), "{words}: {output:?}");
    }
    assert_eq!(elsewhere.exchanges().len(), 0);
}
