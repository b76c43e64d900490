//! Attacks of registries on those who log in to them: what they get is for them alone.

use berth_testkit::Output;
use serde_json::json;

use crate::program::Program;
use crate::sts;
use crate::stub::{Answer, Stub};
use crate::support::attack;

const USER: &str = "importer";
const PASSWORD: &str = "hush-import-password";

/// Imports one repository from a registry, with a login for it.
fn import(server: &berth_testkit::Server, from: &Stub) -> Output {
    let arguments = ["import", "registry", &from.url(), "--repository", "team/app"];
    let mut command = server.berth_command(&server.data(), &arguments);
    let command = command.env("BERTH_IMPORT_USERNAME", USER).env("BERTH_IMPORT_PASSWORD", PASSWORD);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Nothing that it was asked holds the login.
#[track_caller]
fn heard_no_secret(stub: &Stub) {
    let basic = "aW1wb3J0ZXI6aHVzaC1pbXBvcnQtcGFzc3dvcmQ=";
    for asked in stub.asked() {
        let told = asked.text();
        assert!(asked.header("authorization").is_none(), "{told}");
        assert!(!told.contains(basic) && !told.contains("hush") && !told.contains("ASIA"), "{told}");
    }
}

/// The registry asks for a token of a server on another host, which lets nobody in without the password.
#[test]
fn a72_an_import_tells_no_token_server_elsewhere_the_password() {
    attack(|server| {
        let thief = Stub::start(|_| Answer::of(200, json!({ "token": "for-nothing" }).to_string()));
        let realm = format!("{}/token", thief.url());
        let registry = Stub::start(move |_| {
            Answer::of(401, "").with("WWW-Authenticate", &format!("Bearer realm=\"{realm}\",service=\"s\""))
        });
        let output = import(server, &registry);
        assert_ne!(output.code, Some(0), "{output:?}");
        assert!(!thief.asked().is_empty(), "the token server was asked, without the password");
        heard_no_secret(&thief);
        assert!(!format!("{output:?}").contains("hush"), "{output:?}");
        assert!(registry.asked().iter().all(|asked| !asked.text().contains("aW1wb3J0ZXI6")), "nobody asked for Basic");
    });
}

/// The registry takes the login, and sends the client on to another host.
#[test]
fn a72_an_import_takes_its_login_to_no_other_host() {
    attack(|server| {
        let thief = Stub::start(|_| Answer::of(401, "").with("WWW-Authenticate", "Basic realm=\"give\""));
        let target = thief.url();
        let registry = Stub::start(move |asked| match asked.header("authorization") {
            None => Answer::of(401, "").with("WWW-Authenticate", "Basic realm=\"r\""),
            Some(_) => Answer::of(307, "").with("Location", &format!("{target}{}", asked.target)),
        });
        let output = import(server, &registry);
        assert_ne!(output.code, Some(0), "{output:?}");
        assert!(
            registry.asked().iter().any(|asked| asked.header("authorization").is_some()),
            "the registry had the login"
        );
        assert!(!thief.asked().is_empty(), "the redirect was followed");
        heard_no_secret(&thief);
    });
}

/// A registry that sends the helper on is not followed: neither the request's signature nor the token in it goes elsewhere.
#[test]
fn a72_the_credential_helper_follows_nobody() {
    for status in [301, 302, 303, 307, 308] {
        let thief = sts::registry(3600);
        let target = thief.url();
        let registry = Stub::start(move |asked| {
            let is_probe = asked.method == "GET";
            if is_probe { Answer::of(200, "") } else { Answer::of(status, "").with("Location", &format!("{target}/")) }
        });
        let key = Program::new().without_credentials();
        let key = key.env("AWS_ACCESS_KEY_ID", "ASIAAAAAAAAAAAAAAAAA").env("AWS_SECRET_ACCESS_KEY", "hush-secret");
        let key = key.env("AWS_SESSION_TOKEN", "hush-session");
        let pod = Program::new().without_credentials();
        let token = pod.write("token", sts::WEB_TOKEN).display().to_string();
        let pod =
            pod.env("AWS_WEB_IDENTITY_TOKEN_FILE", &token).env("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/r");
        let image = json!({
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest",
            "image": format!("{}/team/app", registry.host()),
        });
        for program in [&key, &pod] {
            for (name, arguments, input) in [
                ("docker-credential-berth", &["get"][..], registry.host()),
                ("berth-credential-provider", &[], image.to_string()),
            ] {
                let output = program.run_as(name, arguments, input.as_bytes());
                assert_eq!(output.code, Some(1), "{status} {name}: {output:?}");
                let told = format!("{output:?}");
                assert!(told.contains(&format!("status {status}")) && !told.contains("hush"), "{told}");
            }
        }
        assert_eq!(thief.asked().len(), 0, "{status}: {:?}", thief.asked());
    }
}
