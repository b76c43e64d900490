//! docker's credential helper and the kubelet's credential provider, by their protocols.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "support/program.rs"]
mod program;
#[path = "support/sts.rs"]
mod sts;
#[path = "support/stub.rs"]
mod stub;
#[path = "support/mod.rs"]
mod support;

use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Output, Server};
use program::Program;
use serde_json::{Value, json};
use stub::{Answer, Stub};
use support::builder;

const DOCKER: &str = "docker-credential-berth";
const KUBELET: &str = "berth-credential-provider";
const NOT_FOUND: &str = "credentials not found in native keychain\n";
const ROLE: &str = "arn:aws:iam::000000000000:role/puller";

fn nobody() -> Program {
    Program::new().without_credentials()
}

/// Somebody with a key in the environment.
fn with_key() -> Program {
    nobody().env("AWS_ACCESS_KEY_ID", ADMIN_ID).env("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET)
}

fn with_web_identity(token: &str) -> Program {
    let program = nobody();
    let path = program.write("token", token).display().to_string();
    program.env("AWS_WEB_IDENTITY_TOKEN_FILE", &path).env("AWS_ROLE_ARN", ROLE)
}

fn get(program: &Program, server: &str) -> Output {
    program.run_as(DOCKER, &["get"], server.as_bytes())
}

/// The login that docker is given.
#[track_caller]
fn login(program: &Program, server: &str) -> (String, String) {
    let output = get(program, server);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(answer["ServerURL"], server.trim());
    assert_eq!(answer.as_object().unwrap().len(), 3, "{answer}");
    (answer["Username"].as_str().unwrap().to_owned(), answer["Secret"].as_str().unwrap().to_owned())
}

#[track_caller]
fn refuses(output: &Output, words: &[&str]) {
    assert_eq!(output.code, Some(1), "{output:?}");
    let told = format!("{}{}", output.stdout, output.stderr);
    assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
    assert!(!told.contains("hush") && !told.contains(ADMIN_SECRET), "{told}");
}

fn opens(server: &Server, (user, password): &(String, String)) {
    Client::login(server.addr(), user, password).get("/v2/").expect(200);
}

#[test]
fn docker_gets_a_login_that_opens_the_registry() {
    let server = builder().start();
    let host = server.addr().to_string();
    for address in [host.clone(), format!("http://{host}"), format!("http://{host}/v2/"), format!("  {host}\n")] {
        let program = with_key();
        let output = get(&program, &address);
        let answer: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        let found = (answer["Username"].as_str().unwrap().to_owned(), answer["Secret"].as_str().unwrap().to_owned());
        assert_eq!((answer["ServerURL"].as_str(), found.0.as_str()), (Some(address.trim()), "AWS"));
        opens(&server, &found);
    }
    let program = with_key();
    let output = program.run_as("berth", &["credential-helper", "docker", "get"], host.as_bytes());
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[test]
fn a_link_by_the_helpers_name_is_the_helper() {
    let program = nobody();
    let link = program.path(DOCKER);
    std::os::unix::fs::symlink(berth_testkit::berth_binary("BERTH_TEST_BIN", env!("CARGO_BIN_EXE_berth")), &link)
        .unwrap();
    let output = std::process::Command::new(link).arg("version").output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("docker-credential-berth (https://") && told.contains(" v0."), "{told}");
}

#[test]
fn profiles_roles_and_programs_give_logins() {
    let server = builder().start();
    let host = server.addr().to_string();
    let admin = with_key().env("BERTH_URL", server.url());
    admin.write(
        "trust.json",
        &json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": "000000000000" }, "Action": "sts:AssumeRole" }] })
        .to_string(),
    );
    let rights = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "ecr:*", "Resource": "*" }] });
    admin.write("rights.json", &rights.to_string());
    for arguments in [
        &["role", "create", "puller", "--trust", "trust.json"][..],
        &["policy", "create", "all", "rights.json"],
        &["role", "attach", "puller", "all"],
    ] {
        let output = admin.run(arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
    }
    let keys = format!("aws_access_key_id = {ADMIN_ID}\naws_secret_access_key = {ADMIN_SECRET}\n");
    let printed = json!({ "Version": 1, "AccessKeyId": ADMIN_ID, "SecretAccessKey": ADMIN_SECRET });
    for (name, config) in [
        ("keys", format!("[profile keys]\n{keys}")),
        ("role", format!("[profile source]\n{keys}[profile role]\nrole_arn = {ROLE}\nsource_profile = source\n")),
        ("itself", format!("[profile itself]\nrole_arn = {ROLE}\nsource_profile = itself\n{keys}")),
        ("program", format!("[profile program]\ncredential_process = printf %s '{printed}'\n")),
    ] {
        let program = nobody().env("AWS_PROFILE", name);
        std::fs::create_dir(program.path(".aws")).unwrap();
        program.write(".aws/config", &config);
        opens(&server, &login(&program, &host));
    }
}

#[test]
fn a_web_identity_is_exchanged_at_the_registry_itself() {
    let registry = sts::registry(3600);
    let program = with_web_identity(&format!("{}\n", sts::WEB_TOKEN)).env("AWS_ROLE_SESSION_NAME", "pod-7");
    assert_eq!(login(&program, &registry.host()), ("AWS".to_owned(), sts::PASSWORD.to_owned()));
    let asked = registry.asked();
    let [.., first, second] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(sts::operations(&registry)[asked.len() - 2..], ["AssumeRoleWithWebIdentity", "GetAuthorizationToken"]);
    let form = stub::pairs(&first.body);
    let expected = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "pod-7"),
        ("WebIdentityToken", sts::WEB_TOKEN),
    ];
    assert_eq!(form.len(), expected.len(), "{form:?}");
    for (name, value) in expected {
        assert_eq!(first.form(name).as_deref(), Some(value));
    }
    assert!(first.header("authorization").is_none());
    assert!(second.header("authorization").unwrap().contains("Credential=ASIAAAAAAAAAAAAAAAAA/"), "{second:?}");
    assert_eq!(second.header("x-amz-security-token"), Some("hush-session-token"));
}

#[test]
fn docker_is_told_what_failed() {
    let registry = sts::registry(3600);
    let here = registry.host();
    let server = builder().start();
    let real = server.addr().to_string();
    let wrong_key =
        || nobody().env("AWS_ACCESS_KEY_ID", ADMIN_ID).env("AWS_SECRET_ACCESS_KEY", "hush".repeat(10).as_str());
    let closed = Stub::start(|_| Answer::of(500, "")).host().replace("127.0.0.1", "127.0.0.2");
    for (program, server, words) in [
        (nobody(), here.as_str(), &["no credentials", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"][..]),
        (wrong_key(), &real, &[&real, "InvalidSignatureException"]),
        (with_web_identity("hush.wrong.token"), &here, &["InvalidIdentityToken", "AssumeRoleWithWebIdentity"]),
        (with_web_identity("  "), &here, &["token", "is empty"]),
        (with_web_identity(&"x".repeat(70_000)), &here, &["more than 65536 bytes"]),
        (nobody().env("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere").env("AWS_ROLE_ARN", ROLE), &here, &["/nowhere"]),
        (with_key(), &closed, &["cannot be reached", "BERTH_URL"]),
        (with_key(), "http://registry.example.com", &["plain HTTP"]),
        (with_key().env("BERTH_URL", "nonsense"), &here, &["nonsense", "no URL"]),
        (with_key().env("AWS_PROFILE", "x").env("AWS_ACCESS_KEY_ID", ""), &here, &["AWS_ACCESS_KEY_ID is not set"]),
    ] {
        let output = get(&program, server);
        refuses(&output, words);
        assert_eq!((output.stdout.lines().count(), output.stderr.clone()), (1, format!("{DOCKER}: {}", output.stdout)));
    }
}

/// docker waits for its helper, so that the helper must not wait for a registry that has fallen silent.
#[test]
fn a_silent_registry_is_given_up() {
    let silent = Stub::start(|_| {
        std::thread::sleep(std::time::Duration::from_mins(2));
        Answer::of(200, "")
    });
    refuses(&get(&with_key(), &silent.url()), &["no answer within 10 seconds"]);
}

#[test]
fn the_login_of_one_registry_is_not_given_for_another() {
    let registry = sts::registry(3600);
    let hub = "https://index.docker.io/v1/";
    for (program, server, is_ours) in [
        (with_key(), registry.host().as_str(), true),
        (with_key(), hub, false),
        (nobody(), hub, false),
        (with_key().env("BERTH_URL", &registry.url()), &registry.host(), true),
        (with_key().env("BERTH_URL", &registry.url()), "evil.example.com", false),
        (with_key().env("AWS_ENDPOINT_URL_ECR", &registry.url()), "evil.example.com", false),
        (with_key().env("AWS_ENDPOINT_URL", &registry.url()), "evil.example.com", false),
        (
            with_key().env("BERTH_URL", &registry.url()).env("BERTH_CREDENTIAL_HOSTS", "*.dkr.ecr.*.example.org"),
            "1.dkr.ecr.eu.example.org",
            true,
        ),
        (with_key().env("BERTH_CREDENTIAL_HOSTS", "*.example.org"), &registry.host(), false),
        (with_key(), "no host", false),
    ] {
        if is_ours {
            assert_eq!(login(&program, server).1, sts::PASSWORD);
        } else {
            let output = get(&program, server);
            assert_eq!(
                (output.code, output.stdout.as_str(), output.stderr.as_str()),
                (Some(1), NOT_FOUND, ""),
                "{server}"
            );
        }
    }
}

#[test]
fn the_other_actions_are_those_of_the_protocol() {
    let program = with_key();
    let stored = r#"{"ServerURL":"registry.example.com","Username":"me","Secret":"hush"}"#;
    for (arguments, input, code, told) in [
        (&["list"][..], "", 0, "{}\n"),
        (&["erase"], "registry.example.com", 0, ""),
        (&["erase"], "", 1, "no credentials server URL\n"),
        (&["get"], "", 1, "no credentials server URL\n"),
        (&["get"], " \n", 1, "no credentials server URL\n"),
        (&["store"], "", 1, "the credentials on standard input are no JSON of the protocol\n"),
        (&["store"], "[1]", 1, "the credentials on standard input are no JSON of the protocol\n"),
        (&["store"], r#"{"Username":"me","Secret":"hush"}"#, 1, "no credentials server URL\n"),
        (&["store"], r#"{"ServerURL":"x","Secret":"hush"}"#, 1, "no credentials username\n"),
        (&["fly"], "", 1, "docker-credential-berth: unknown action: fly\n"),
        (&[], "", 1, "Usage: docker-credential-berth <store|get|erase|list|version>\n"),
        (&["get", "more"], "", 1, "Usage: docker-credential-berth <store|get|erase|list|version>\n"),
    ] {
        let output = program.run_as(DOCKER, arguments, input.as_bytes());
        assert_eq!(
            (output.code, output.stdout.as_str(), output.stderr.as_str()),
            (Some(code), told, ""),
            "{arguments:?}"
        );
    }
    refuses(&program.run_as(DOCKER, &["store"], stored.as_bytes()), &["stores no logins", "credHelpers"]);
    for action in ["get", "erase", "store"] {
        refuses(&program.run_as(DOCKER, &[action], &vec![b'x'; 300_000]), &["too long"]);
        refuses(&program.run_as(DOCKER, &[action], b"\xff\xfe"), &["no text"]);
    }
}

#[test]
fn a_token_is_kept_for_its_life_and_forgotten_on_demand() {
    let registry = sts::registry(3600);
    let count = || sts::operations(&registry).iter().filter(|name| *name == "GetAuthorizationToken").count();
    let program = with_key();
    for _ in 0..2 {
        assert_eq!(login(&program, &registry.host()).1, sts::PASSWORD);
        assert_eq!(count(), 1);
    }
    // Somebody else on the same machine gets a token of their own.
    let other = program.env("AWS_ACCESS_KEY_ID", "AKIABBBBBBBBBBBBBBBB");
    login(&other, &registry.host());
    assert_eq!(count(), 2);
    assert_eq!(other.run_as(DOCKER, &["erase"], registry.host().as_bytes()).code, Some(0));
    login(&other, &registry.host());
    assert_eq!(count(), 3);
    let off = other.env("BERTH_CREDENTIAL_CACHE", "off");
    login(&off, &registry.host());
    assert_eq!(count(), 4);
    // One that is over already is not kept.
    let short = sts::registry(0);
    let program = with_key();
    login(&program, &short.host());
    login(&program, &short.host());
    assert_eq!(sts::operations(&short).iter().filter(|name| *name == "GetAuthorizationToken").count(), 2);
}

fn request(image: &str) -> Value {
    json!({ "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest", "image": image })
}

#[track_caller]
fn answer(program: &Program, request: &Value) -> Value {
    let output = program.run_as(KUBELET, &[], request.to_string().as_bytes());
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn the_kubelet_gets_a_login_for_the_images_registry() {
    let registry = sts::registry(1000);
    let program = with_key();
    let host = registry.host();
    let found = answer(&program, &request(&format!("{host}/team/app:1")));
    let seconds = found["cacheDuration"].as_str().unwrap().to_owned();
    assert!(["15m0s", "14m59s", "14m58s", "14m57s", "14m56s", "14m55s"].contains(&seconds.as_str()), "{seconds}");
    let expected = json!({
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Registry",
        "cacheDuration": seconds,
        "auth": { &host: { "username": "AWS", "password": sts::PASSWORD } },
    });
    assert_eq!(found, expected);
    let again = program.run_as(
        "berth",
        &["credential-helper", "kubelet"],
        request(&format!("{host}/a")).to_string().as_bytes(),
    );
    assert_eq!(again.code, Some(0), "{again:?}");
    // Nothing is kept on disk for the kubelet, which keeps answers itself.
    assert!(!program.path(".cache").exists());
    let tokens = sts::operations(&registry).iter().filter(|name| *name == "GetAuthorizationToken").count();
    assert_eq!(tokens, 2);
}

#[test]
fn images_of_others_get_no_login() {
    let registry = sts::registry(1000);
    let program = with_key().env("BERTH_URL", &registry.url());
    for image in ["busybox", "library/busybox:1", "registry.example.com/app", "docker.io/library/busybox"] {
        let found = answer(&program, &request(image));
        assert_eq!((&found["auth"], found["cacheDuration"].as_str()), (&json!({}), Some("0s")), "{image}");
    }
    assert_eq!(sts::operations(&registry), Vec::<String>::new());
}

#[test]
fn the_token_of_a_service_account_is_the_identity() {
    let registry = sts::registry(1000);
    let image = format!("{}/team/app:1", registry.host());
    let with = |annotations: Value| {
        let mut asked = request(&image);
        asked["serviceAccountToken"] = sts::WEB_TOKEN.into();
        asked["serviceAccountAnnotations"] = annotations;
        asked
    };
    // Also where the node itself has credentials: the pod's identity goes first.
    let found = answer(&with_key(), &with(json!({ "berth.dev/role-arn": ROLE })));
    assert_eq!(found["auth"][registry.host()]["password"], sts::PASSWORD);
    let asked = registry.asked();
    let first = asked.iter().find(|asked| asked.form("Action").is_some()).unwrap();
    assert_eq!(
        (first.form("RoleArn").as_deref(), first.form("WebIdentityToken").as_deref()),
        (Some(ROLE), Some(sts::WEB_TOKEN))
    );
    answer(&nobody(), &with(json!({ "eks.amazonaws.com/role-arn": ROLE })));
    let output = with_key().run_as(KUBELET, &[], with(json!({})).to_string().as_bytes());
    refuses(&output, &["berth.dev/role-arn", "requiredServiceAccountAnnotationKeys"]);
    assert_eq!(output.stdout, "");
}

#[test]
fn requests_that_are_none_are_refused() {
    let with = |name: &str, value: Value| {
        let mut asked = request("registry.example.com/app");
        asked[name] = value;
        asked.to_string()
    };
    let program = with_key();
    for (input, word) in [
        (String::new(), "no JSON"),
        ("{".to_owned(), "no JSON"),
        ("[]".to_owned(), "no CredentialProviderRequest"),
        ("{}".to_owned(), "no CredentialProviderRequest"),
        (with("kind", json!("Pod")), "is not CredentialProviderRequest"),
        (with("apiVersion", json!("credentialprovider.kubelet.k8s.io/v1alpha1")), "is not CredentialProviderRequest"),
        (with("image", json!("")), "names no image"),
        (with("image", json!(7)), "no CredentialProviderRequest"),
        (with("serviceAccountAnnotations", json!({ "a": 1 })), "no CredentialProviderRequest"),
        ("x".repeat(300_000), "too long"),
    ] {
        let output = program.run_as(KUBELET, &[], input.as_bytes());
        refuses(&output, &[word]);
        assert_eq!(output.stdout, "");
    }
    let version = program.run_as(KUBELET, &["--version"], b"");
    assert!(version.stdout.starts_with("berth-credential-provider 0."), "{version:?}");
}
