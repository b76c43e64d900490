//! Identities from the command line, against a server and against its data folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "support/program.rs"]
mod program;
#[path = "support/mod.rs"]
mod support;

use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Output, Server};
use program::Program;
use serde_json::{Value, json};
use support::builder;

const PUSH: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [{ "Effect": "Allow", "Action": "ecr:PutImage", "Resource": "arn:aws:ecr:*:*:repository/team/*" }]
}"#;
const TRUST: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [{ "Effect": "Allow", "Principal": { "AWS": "000000000000" }, "Action": "sts:AssumeRole" }]
}"#;
const USER: &str = "arn:aws:iam::000000000000:user";
const POLICY: &str = "arn:aws:iam::000000000000:policy";

/// A terminal of somebody who has a key: nothing of the caller's own AWS configuration reaches it.
fn terminal(server: &Server, id: &str, secret: &str) -> Program {
    let program = stranger(server);
    program.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret)
}

/// A terminal without credentials.
fn stranger(server: &Server) -> Program {
    let program = Program::new();
    let home = program.path("").display().to_string();
    let unset =
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
    let more = ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE"];
    let program =
        unset.into_iter().chain(more).chain(["AWS_SHARED_CREDENTIALS_FILE"]).fold(program, |p, name| p.env(name, ""));
    let program = program.env("HOME", &home).env("BERTH_URL", &format!("http://{}", server.addr()));
    program.write("push.json", PUSH);
    program.write("trust.json", TRUST);
    program
}

fn administrator(server: &Server) -> Program {
    terminal(server, ADMIN_ID, ADMIN_SECRET)
}

/// Runs to exit code 0 and gives what was printed.
#[track_caller]
fn ok(program: &Program, arguments: &[&str]) -> String {
    let output = program.run(arguments);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{arguments:?}: {output:?}");
    output.stdout.trim_end().to_owned()
}

/// The same, with the answer as JSON.
#[track_caller]
fn json_of(program: &Program, arguments: &[&str]) -> Value {
    let text = ok(program, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

/// Fails with an exit code and these words; nothing is on standard output.
#[track_caller]
fn fails(program: &Program, arguments: &[&str], code: i32, words: &[&str]) -> Output {
    let output = program.run(arguments);
    assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{arguments:?}: {output:?}");
    assert!(words.iter().all(|word| output.stderr.contains(word)), "{arguments:?}: {words:?}: {output:?}");
    assert!(!output.stderr.contains(ADMIN_SECRET), "{output:?}");
    output
}

#[test]
fn users_groups_and_policies_come_and_go() {
    let server = builder().start();
    let admin = administrator(&server);
    let made = ok(&admin, &["policy", "create", "push", "push.json"]);
    assert!(made.contains(&format!("{POLICY}/push")), "{made}");
    ok(
        &admin,
        &["user", "create", "alice", "--path", "/team/", "--boundary", "push", "--tag", "a=b", "--tag", "c=d=e"],
    );
    ok(&admin, &["group", "create", "devs"]);
    ok(&admin, &["group", "add", "devs", "alice"]);
    ok(&admin, &["group", "attach", "devs", "push"]);
    ok(&admin, &["user", "attach", "alice", &format!("{POLICY}/push")]);
    ok(&admin, &["user", "put-policy", "alice", "own", "push.json"]);

    let alice = json_of(&admin, &["user", "show", "alice"]);
    assert_eq!(alice["Arn"], format!("{USER}/team/alice"));
    assert_eq!(alice["Groups"], json!(["devs"]));
    assert_eq!(alice["AttachedPolicies"], json!([format!("{POLICY}/push")]));
    assert_eq!(alice["InlinePolicies"]["own"], serde_json::from_str::<Value>(PUSH).unwrap());
    assert_eq!(alice["PermissionsBoundary"]["PermissionsBoundaryArn"], format!("{POLICY}/push"));
    assert_eq!(alice["Tags"].as_array().unwrap().len(), 2, "{alice}");
    let text = ok(&admin, &["user", "show", "alice"]);
    assert!(text.contains("a=b, c=d=e") && text.contains("inline policy own"), "{text}");
    assert_eq!(json_of(&admin, &["group", "show", "devs"])["Users"], json!(["alice"]));
    let listed = ok(&admin, &["user", "list"]);
    assert!(listed.starts_with("USER") && listed.contains("alice") && listed.contains("administrator"), "{listed}");
    assert!(!ok(&admin, &["policy", "list"]).contains("arn:aws:iam::aws:"));
    assert!(ok(&admin, &["policy", "list", "--all"]).contains("arn:aws:iam::aws:"));

    fails(&admin, &["policy", "delete", "push"], 2, &["DeleteConflict"]);
    assert_eq!(json_of(&admin, &["policy", "show", "push"])["DefaultVersionId"], "v1", "it stays as it is");
    fails(&admin, &["user", "delete", "alice"], 2, &["DeleteConflict"]);
    ok(&admin, &["user", "boundary", "alice", "--none"]);
    ok(&admin, &["user", "delete-policy", "alice", "own"]);
    ok(&admin, &["user", "detach", "alice", "push"]);
    ok(&admin, &["group", "remove", "devs", "alice"]);
    ok(&admin, &["user", "delete", "alice"]);
    ok(&admin, &["group", "delete", "devs", "--force"]);
    ok(&admin, &["policy", "delete", "push"]);
    assert_eq!(json_of(&admin, &["policy", "list"]), json!([]));
    assert_eq!(json_of(&admin, &["group", "list"]), json!([]));
}

#[test]
fn a_policy_keeps_five_versions() {
    let server = builder().start();
    let admin = administrator(&server);
    ok(&admin, &["policy", "create", "push", "push.json"]);
    for version in 2..=12 {
        admin.write("next.json", &PUSH.replace("team", &format!("team{version}")));
        assert_eq!(json_of(&admin, &["policy", "update", "push", "next.json"])["VersionId"], format!("v{version}"));
    }
    let shown = json_of(&admin, &["policy", "show", "push"]);
    assert!(shown["Document"].to_string().contains("repository/team12/*"), "{shown}");
    ok(&admin, &["policy", "delete", &format!("{POLICY}/push")]);
}

#[test]
fn keys_are_made_disabled_and_deleted() {
    let server = builder().start();
    let admin = administrator(&server);
    ok(&admin, &["user", "create", "alice"]);
    let key = json_of(&admin, &["key", "create", "alice"]);
    let (id, secret) = (key["AccessKeyId"].as_str().unwrap(), key["SecretAccessKey"].as_str().unwrap());
    let alice = terminal(&server, id, secret);
    fails(&alice, &["user", "list"], 3, &["AccessDenied", "iam:ListUsers"]);
    assert!(!ok(&admin, &["key", "list", "alice"]).contains(secret));
    ok(&admin, &["key", "disable", "alice", id]);
    assert_eq!(json_of(&admin, &["key", "list", "alice"])[0]["Status"], "Inactive");
    fails(&alice, &["user", "list"], 3, &["InvalidClientTokenId", "check the key"]);
    ok(&admin, &["key", "enable", "alice", id]);
    fails(&alice, &["user", "list"], 3, &["AccessDenied"]);
    ok(&admin, &["user", "delete", "alice", "--force"]);
    fails(&alice, &["user", "list"], 3, &["InvalidClientTokenId"]);
    let wrong = terminal(&server, ADMIN_ID, "TestkitSecret/SomethingElse0123456789abc");
    fails(&wrong, &["user", "list"], 3, &["SignatureDoesNotMatch", "check the secret access key"]);
}

#[test]
fn roles_are_assumed() {
    let server = builder().start();
    let admin = administrator(&server);
    ok(&admin, &["policy", "create", "push", "push.json"]);
    ok(&admin, &["role", "create", "ci", "--trust", "trust.json", "--max-session", "7200", "--description", "for CI"]);
    ok(&admin, &["role", "attach", "ci", "push"]);
    ok(&admin, &["role", "put-policy", "ci", "own", "push.json"]);
    ok(&admin, &["role", "trust", "ci", "trust.json"]);
    let shown = json_of(&admin, &["role", "show", "ci"]);
    assert_eq!((&shown["MaxSessionDuration"], &shown["Description"]), (&json!(7200), &json!("for CI")), "{shown}");
    assert_eq!(shown["AssumeRolePolicyDocument"], serde_json::from_str::<Value>(TRUST).unwrap());
    let arn = shown["Arn"].as_str().unwrap();
    let assumed = json_of(&admin, &["role", "assume", arn, "--session-name", "build-1", "--duration", "900"]);
    let part = |name: &str| assumed["Credentials"][name].as_str().unwrap().to_owned();
    let ci = terminal(&server, &part("AccessKeyId"), &part("SecretAccessKey"))
        .env("AWS_SESSION_TOKEN", &part("SessionToken"));
    fails(&ci, &["user", "list"], 3, &["AccessDenied", "assumed-role/ci/build-1"]);
    let exports = ok(&admin, &["role", "assume", arn, "--session-name", "build-2", "--export"]);
    let names: Vec<&str> = exports.lines().map(|line| line.split('=').next().unwrap()).collect();
    let expected = ["export AWS_ACCESS_KEY_ID", "export AWS_SECRET_ACCESS_KEY", "export AWS_SESSION_TOKEN"];
    assert_eq!(names, expected);
    fails(&admin, &["role", "delete", "ci"], 2, &["DeleteConflict"]);
    ok(&admin, &["role", "delete", "ci", "--force"]);
    assert_eq!(json_of(&admin, &["role", "list"]), json!([]));
}

#[test]
fn a_login_password_opens_the_registry() {
    let server = builder().start();
    let password = ok(&administrator(&server), &["login-password"]);
    let client = berth_testkit::Client::login(server.addr(), "AWS", &password);
    client.get("/v2/").expect(200);
    fails(&stranger(&server), &["login-password"], 2, &["no credentials"]);
}

#[test]
fn explanations_tell_which_policy_decides() {
    let server = builder().start();
    let admin = administrator(&server);
    ok(&admin, &["user", "create", "alice"]);
    ok(&admin, &["user", "put-policy", "alice", "own", "push.json"]);
    let explain = |resource: &str| {
        admin.run(&["iam", "explain", "--principal", "alice", "--action", "ecr:PutImage", "--resource", resource])
    };
    let allowed = explain("team/app");
    assert_eq!((allowed.code, allowed.stderr.as_str()), (Some(0), ""), "{allowed:?}");
    assert!(allowed.stdout.contains("own"), "{allowed:?}");
    let refused = explain("other/app");
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), ""), "{refused:?}");
    let arn = format!("{USER}/alice");
    let resource = "arn:aws:ecr:us-east-1:000000000000:repository/team/app";
    let all = ["iam", "explain", "--principal", &arn, "--action", "ecr:PutImage", "--resource", resource];
    let told = json_of(&admin, &[&all[..], &["--context", "aws:SourceIp=10.0.0.1"]].concat());
    assert_eq!(told["EvalDecision"], "allowed", "{told}");
    let nobody = ["iam", "explain", "--principal", "nobody", "--action", "ecr:PutImage", "--resource", "*"];
    fails(&admin, &nobody, 2, &["NoSuchEntity", "nobody"]);
}

#[test]
fn an_explanation_may_be_about_a_private_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("builders.json");
    let pulls = r#""Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage","Resource":"*"}"#;
    std::fs::write(&policy, format!(r#"{{"Version":"2012-10-17",{pulls}}}"#)).unwrap();
    let server = builder()
        .env("BERTH_LISTENER__BUILDERS__LISTEN", "127.0.0.1:0")
        .env("BERTH_LISTENER__BUILDERS__ENDPOINT_POLICY", policy.to_str().unwrap())
        .env("BERTH_LISTENER__BUILDERS__ENDPOINT_ID", "vpce-builders")
        .start();
    let admin = administrator(&server);
    let about = |action, endpoint: &[&'static str]| {
        let asked = ["iam", "explain", "--principal", "administrator", "--action", action, "--resource", "team/app"];
        [&asked[..], endpoint].concat()
    };
    assert!(ok(&admin, &about("ecr:PutImage", &[])).contains("is allowed"));
    let by_builders = ["--endpoint", "builders"];
    assert!(ok(&admin, &about("ecr:BatchGetImage", &by_builders)).contains("\n  endpoint:builders"));
    let refused = admin.run(&about("ecr:PutImage", &by_builders));
    assert_eq!((refused.code, refused.stderr.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.stdout.contains("no statement of endpoint policy endpoint:builders allows it"), "{refused:?}");
    let other = about("ecr:PutImage", &["--endpoint", "other"]);
    fails(&admin, &other, 2, &["ValidationError", "There is no endpoint with the name other"]);
    // The data folder alone says the same by its configuration.
    let locally = |asked: Vec<&str>| server.berth(&[&asked[..], &["--local"]].concat());
    let arn = format!("{USER}/administrator");
    let asked = ["iam", "explain", "--principal", &arn, "--action", "ecr:PutImage", "--resource", "team/app"];
    let refused = locally([&asked[..], &by_builders].concat());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stdout.contains("endpoint:builders allows it"), "{refused:?}");
    // What has nothing to do with endpoints goes on without their files.
    std::fs::remove_file(&policy).unwrap();
    assert_eq!(locally(asked.to_vec()).code, Some(0));
    let without = locally([&asked[..], &by_builders].concat());
    assert!(without.code == Some(3) && without.stderr.contains("builders.json"), "{without:?}");
}

#[test]
fn credentials_come_from_a_profile_too() {
    let server = builder().start();
    let program = stranger(&server);
    std::fs::create_dir(program.path(".aws")).unwrap();
    program.write(
        ".aws/credentials",
        &format!("[work]\naws_access_key_id = {ADMIN_ID}\naws_secret_access_key = {ADMIN_SECRET}\n"),
    );
    assert!(ok(&program, &["user", "list", "--profile", "work"]).contains("administrator"));
    fails(&program, &["user", "list"], 2, &["no credentials", "AWS_ACCESS_KEY_ID", ".aws/credentials"]);
    fails(&program, &["user", "list", "--profile", "home"], 2, &["no profile home"]);
    let program = program.env("AWS_PROFILE", "work");
    assert!(ok(&program, &["user", "list"]).contains("administrator"));
}

#[test]
fn a_certificate_of_ones_own_is_trusted_where_it_is_named() {
    let folder = Program::new();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = folder.write("cert.pem", &made.cert.pem()).display().to_string();
    let key = folder.write("key.pem", &made.signing_key.serialize_pem()).display().to_string();
    let serving = folder.serve(&["--tls-cert", &certificate, "--tls-key", &key]);
    let line = serving.stdout();
    let url = line.trim_end().strip_prefix("berth ready url=").unwrap();
    let asked = |bundle: &str| {
        let program = Program::new().env("AWS_ACCESS_KEY_ID", "AKIAUNKNOWNUNKNOWN23");
        let program = program.env("AWS_SECRET_ACCESS_KEY", "x").env("AWS_CA_BUNDLE", bundle);
        fails(&program, &["user", "list", "--endpoint-url", url], if bundle == "none.pem" { 2 } else { 3 }, &[]).stderr
    };
    assert!(asked(&certificate).contains("InvalidClientTokenId"), "the server was heard");
    let refused = asked("");
    assert!(refused.contains("cannot be reached") && refused.contains("AWS_CA_BUNDLE"), "{refused}");
    assert!(asked("none.pem").contains("none.pem, which AWS_CA_BUNDLE names"));
}

#[test]
fn a_data_folder_needs_no_key() {
    let server = builder().start();
    let data = server.data().display().to_string();
    let program = stranger(&server);
    let local = |arguments: &[&str]| {
        let output = server.berth(&[arguments, &["--local"]].concat());
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{arguments:?}: {output:?}");
        output.stdout.trim_end().to_owned()
    };
    assert!(local(&["user", "list"]).contains("administrator"));
    let made = local(&["account", "create", "123456789012", "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!((&made["UserName"], made["SecretAccessKey"].as_str().unwrap().len()), (&json!("administrator"), 40));
    let other = terminal(&server, made["AccessKeyId"].as_str().unwrap(), made["SecretAccessKey"].as_str().unwrap());
    ok(&other, &["user", "create", "bob"]);
    assert!(local(&["user", "list", "--account", "123456789012"]).contains("user/bob"));
    assert!(!local(&["user", "list"]).contains("bob"));
    assert!(local(&["account", "list"]).contains("123456789012"));
    fails(&other, &["account", "list"], 3, &["AccessDenied"]);
    let refused = server.berth(&["account", "delete", "123456789012", "--local"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("DeleteConflict"), "{refused:?}");
    let file = program.write("tags.toml", "[users.bob]\ntags = { a = \"b\" }\n");
    let applied = local(&["iam", "apply", file.to_str().unwrap(), "--account", "123456789012"]);
    assert_eq!(applied, "~ user bob: tag a=b");
    for wrong in [
        &["user", "list", "--local", "--endpoint-url", "http://127.0.0.1:1"][..],
        &["user", "list", "--local", "--data-dir", "nowhere"],
        &["user", "list", "--data-dir", &data],
        &["user", "list", "--account", "123456789012"],
        &["user", "list", "--local", "--data-dir", &data, "--account", "1"],
        &[
            "role",
            "assume",
            "arn:aws:iam::000000000000:role/ci",
            "--session-name",
            "ab",
            "--local",
            "--data-dir",
            &data,
        ],
        &["login-password", "--local"],
    ] {
        fails(&program, wrong, 2, &[]);
    }
}

const WANTED: &str = r#"
[policies.push]
document_file = "push.json"

[policies.pull.document]
Version = "2012-10-17"
Statement = [{ Effect = "Allow", Action = ["ecr:BatchGetImage"], Resource = "*" }]

[groups.devs]
policies = ["push"]

[users.alice]
path = "/team/"
groups = ["devs"]
boundary = "push"
tags = { team = "a" }

[users.alice.inline_policies.own]
document_file = "push.json"

[roles.ci]
trust_file = "trust.json"
policies = ["pull"]
max_session = 7200
"#;

#[test]
fn a_file_is_applied_once() {
    let server = builder().start();
    let admin = administrator(&server);
    admin.write("wanted.toml", WANTED);
    let expected = "+ policy pull\n+ policy push\n+ group devs\n+ user alice\n+ role ci\n\
        ~ group devs: attach arn:aws:iam::000000000000:policy/push\n~ user alice: put inline policy own\n\
        ~ user alice: join group devs\n~ role ci: attach arn:aws:iam::000000000000:policy/pull";
    let apply = ["iam", "apply", "wanted.toml"];
    let dry = ["iam", "apply", "wanted.toml", "--dry-run"];
    for _ in 0..2 {
        assert_eq!(ok(&admin, &dry), expected, "nothing is changed by looking");
    }
    assert_eq!(ok(&admin, &apply), expected);
    for again in [&apply[..], &dry] {
        assert_eq!(ok(&admin, again), "nothing to change");
    }
    assert_eq!(json_of(&admin, &apply), json!({ "changes": [], "applied": true }));

    ok(&admin, &["user", "create", "carol"]);
    ok(&admin, &["key", "create", "carol"]);
    ok(&admin, &["group", "add", "devs", "carol"]);
    admin.write("wanted.toml", &WANTED.replace("team = \"a\"", "team = \"b\"").replace("groups = [\"devs\"]", ""));
    let kept = admin.run(&apply);
    assert_eq!((kept.code, kept.stdout.as_str()), (Some(0), "~ user alice: tag team=b\n"), "{kept:?}");
    assert!(kept.stderr.contains("2 more changes") && kept.stderr.contains("--prune"), "{kept:?}");
    let pruned = ok(&admin, &[&apply[..], &["--prune"]].concat());
    assert_eq!(pruned, "~ user alice: leave group devs\n- user carol");
    assert_eq!(ok(&admin, &[&apply[..], &["--prune"]].concat()), "nothing to change");
    assert!(ok(&admin, &["user", "list"]).contains("administrator"));
    admin.write("nothing.toml", "");
    ok(&admin, &["iam", "apply", "nothing.toml", "--prune"]);
    let users = json_of(&admin, &["user", "list"]);
    assert_eq!((users.as_array().unwrap().len(), &users[0]["UserName"]), (1, &json!("administrator")));
}

#[test]
fn a_file_that_is_wrong_changes_nothing() {
    let server = builder().start();
    let admin = administrator(&server);
    admin.write("bad.json", "{ \"Version\": \"2012-10-17\" ");
    let cases: [(&str, &[&str]); 7] = [
        ("[users.alice]\n[users.bob]\ngroup = []\n", &["line 3, column 1", "unknown field `group`"]),
        ("[users.alice\n", &["line 1"]),
        ("[users.alice]\n[policies.p]\ndocument_file = 'bad.json'\n", &["policies.p", "no policy", "line 1"]),
        ("[users.alice]\n[policies.p]\ndocument_file = 'none.json'\n", &["policies.p", "cannot be read"]),
        ("[users.alice]\npolicies = ['none']\n", &["users.alice", "no policy none"]),
        ("[users.alice]\ngroups = ['none']\n", &["users.alice", "no group none"]),
        ("[users.alice]\n[users.'a b']\n", &["+ user a b"]),
    ];
    for (text, words) in cases {
        admin.write("wrong.toml", text);
        fails(&admin, &["iam", "apply", "wrong.toml"], 2, words);
        fails(&admin, &["user", "show", "alice"], 2, &["NoSuchEntity"]);
    }
    fails(&admin, &["iam", "apply", "missing.toml"], 2, &["missing.toml"]);
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    let server = builder().start();
    let admin = administrator(&server);
    admin.write("bad.json", "{}");
    admin.write("odd.json", &PUSH.replace("ecr:PutImage", "ecr:PutImages"));
    fails(&admin, &["user", "show", "nobody"], 2, &["NoSuchEntity", "nobody"]);
    fails(&admin, &["user", "create", "administrator"], 2, &["EntityAlreadyExists"]);
    fails(&admin, &["user", "create", "a b"], 2, &["ValidationError"]);
    fails(&admin, &["policy", "create", "bad", "bad.json"], 2, &["bad.json is no policy"]);
    fails(&admin, &["policy", "create", "bad", "none.json"], 2, &["none.json cannot be read"]);
    fails(&admin, &["user", "attach", "administrator", "none"], 2, &["no policy none", "policy list --all"]);
    fails(&admin, &["user", "create", "x", "--tag", "novalue"], 2, &["KEY=VALUE"]);
    let warned = admin.run(&["policy", "create", "odd", "odd.json"]);
    assert!(warned.code == Some(0) && warned.stderr.starts_with("warning: odd.json: "), "{warned:?}");
    let refused = admin.run(&["user", "show", "nobody", "--json"]);
    let refused: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(refused["code"], "NoSuchEntity");
    let elsewhere = ["user", "list", "--endpoint-url", "http://127.0.0.1:1"];
    fails(&admin, &elsewhere, 3, &["http://127.0.0.1:1/", "refused", "--endpoint-url"]);
    fails(&admin, &["user", "list", "--endpoint-url", "127.0.0.1:5000"], 2, &["http://host:port"]);
    let no_api = format!("http://{}/healthz", server.addr());
    fails(&admin, &["user", "list", "--endpoint-url", &no_api], 3, &["does not answer as Berth does"]);
}
