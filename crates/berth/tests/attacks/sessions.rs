//! A62, A63: sessions that want more than they were given.

use berth_testkit::aws::{ACCOUNT, AwsClient, expect_fault, fault_code, now};
use berth_testkit::{Client, empty_index};
use serde_json::json;

use crate::people::{admin, all_of, assume, bearer, by_login, document, pulls_of, role, user};
use crate::support::attack;

const EVERYTHING: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

fn trusted() -> [String; 3] {
    ["user/alice", "role/boss", "role/puller"].map(|name| format!("arn:aws:iam::{ACCOUNT}:{name}"))
}

/// What whoever wants other credentials tries.
fn mint(session: &AwsClient, boss: &str) -> Vec<(&'static str, berth_testkit::Reply)> {
    let wide = document(&json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]));
    let trust = document(&json!([{ "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole" }]));
    let policy = [("PolicyName", "more"), ("PolicyDocument", wide.as_str())];
    vec![
        ("a key", session.iam("CreateAccessKey", &[("UserName", "alice")])),
        ("a key of the administrator", session.iam("CreateAccessKey", &[("UserName", "administrator")])),
        ("a user", session.iam("CreateUser", &[("UserName", "mallory")])),
        ("a policy of the role", session.iam("PutRolePolicy", &[&[("RoleName", "puller")], &policy[..]].concat())),
        ("all rights", session.iam("AttachRolePolicy", &[("RoleName", "puller"), ("PolicyArn", EVERYTHING)])),
        ("trust", session.iam("UpdateAssumeRolePolicy", &[("RoleName", "boss"), ("PolicyDocument", &trust)])),
        ("a session token", session.sts("GetSessionToken", &[])),
        ("the wider role", session.sts("AssumeRole", &[("RoleArn", boss), ("RoleSessionName", "again")])),
    ]
}

#[test]
fn a62_a_session_policy_gives_nothing() {
    attack(|server| {
        let (admin, owner) = (admin(server), server.client());
        for name in ["team/a", "private/x"] {
            owner.push_manifest(name, "latest", &empty_index(name)).expect(201);
        }
        let trusted = trusted();
        let trusted: Vec<&str> = trusted.iter().map(String::as_str).collect();
        // The wider role does not trust the narrower one.
        let boss = role(&admin, "boss", &trusted[..1], &json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]));
        let puller = role(&admin, "puller", &trusted, &pulls_of("team/*"));
        let alice = user(server, "alice", &json!([{ "Effect": "Allow", "Action": "sts:*", "Resource": puller }]));
        let wide = document(&json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]));
        let managed = [("PolicyArns.member.1.arn", EVERYTHING)];
        for wider in
            [&[("Policy", wide.as_str())][..], &managed, &[&[("Policy", wide.as_str())], &managed[..]].concat()]
        {
            let session = assume(&alice, &puller, wider);
            let login = by_login(server, &session);
            let scopes = ["repository:team/a:*", "repository:private/x:*"];
            for caller in [&login, &Client::bearer(server.addr(), &bearer(&login, &scopes))] {
                caller.manifest("team/a", "latest").expect(200);
                caller.manifest("private/x", "latest").expect_any(&[401, 403]);
                caller.push_manifest("team/a", "pushed", &empty_index("x")).expect_any(&[401, 403]);
                caller.delete("/v2/team/a/manifests/latest").expect_any(&[401, 403]);
            }
            for (what, reply) in mint(&session, &boss) {
                assert_eq!((what, fault_code(&reply).as_deref()), (what, Some("AccessDenied")));
            }
        }
    });
}

#[test]
fn a62_nothing_that_a_narrowed_session_makes_is_wider() {
    attack(|server| {
        let (admin, owner) = (admin(server), server.client());
        for name in ["team/a", "private/x"] {
            owner.push_manifest(name, "latest", &empty_index(name)).expect(201);
        }
        let trusted = trusted();
        let trusted: Vec<&str> = trusted.iter().map(String::as_str).collect();
        let everything = json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]);
        let boss = role(&admin, "boss", &trusted, &everything);
        role(&admin, "puller", &trusted, &pulls_of("team/*"));
        let alice = user(server, "alice", &all_of("none/*"));
        let narrow = document(&pulls_of("team/*"));
        let narrowed = assume(&alice, &boss, &[("Policy", &narrow), ("DurationSeconds", "900")]);
        for (what, reply) in mint(&narrowed, &boss) {
            assert_eq!((what, fault_code(&reply).as_deref()), (what, Some("AccessDenied")));
        }
        let login = by_login(server, &narrowed);
        for caller in [&login, &Client::bearer(server.addr(), &bearer(&login, &["repository:private/x:*"]))] {
            caller.manifest("private/x", "latest").expect_any(&[401, 403]);
            caller.push_manifest("private/x", "pushed", &empty_index("x")).expect_any(&[401, 403]);
        }
        login.manifest("team/a", "latest").expect(200);
        login.push_manifest("team/a", "pushed", &empty_index("x")).expect(403);
        // What it logs in with ends with it.
        let reply = narrowed.ecr("GetAuthorizationToken", "{}").expect(200).json();
        let ends = reply["authorizationData"][0]["expiresAt"].as_f64().unwrap();
        #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
        let left = ends - now() as f64;
        assert!(left <= 901.0, "{left} seconds");
        // The same role without a session policy can do all that, so it was the session policy that refused.
        let whole = assume(&alice, &boss, &[]);
        for (what, reply) in mint(&whole, &boss).into_iter().filter(|(what, _)| *what != "a session token") {
            assert_eq!((what, reply.status), (what, 200), "{}", reply.text());
        }
    });
}

#[test]
fn a63_a_chain_of_roles_lasts_an_hour_at_most() {
    attack(|server| {
        let admin = admin(server);
        let trusted = trusted();
        let trusted: Vec<&str> = trusted.iter().map(String::as_str).collect();
        let everything = json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]);
        let boss = role(&admin, "boss", &trusted, &everything);
        let puller = role(&admin, "puller", &trusted, &everything);
        let alice = user(server, "alice", &everything);
        let ask = |by: &AwsClient, role: &str, seconds: &str| {
            let parameters = [("RoleArn", role), ("RoleSessionName", "session"), ("DurationSeconds", seconds)];
            by.sts("AssumeRole", &parameters)
        };
        let refused = |by: &AwsClient, role: &str, seconds: &str| {
            expect_fault(&ask(by, role, seconds), 400, "ValidationError");
        };
        for seconds in ["900", "43200"] {
            ask(&alice, &boss, seconds).expect(200);
        }
        for seconds in ["43201", "899", "0", "-1", "2147483648", "1e3", "3600.5"] {
            let reply = ask(&alice, &boss, seconds);
            assert!(reply.status == 400, "{seconds}: {}", reply.text());
        }
        let first = assume(&alice, &boss, &[("DurationSeconds", "43200")]);
        let second = assume(&first, &puller, &[]);
        for by in [&first, &second] {
            for seconds in ["3601", "43200"] {
                refused(by, &boss, seconds);
                refused(by, &puller, seconds);
            }
            ask(by, &puller, "3600").expect(200);
        }
        // A role's own limit counts too.
        admin.iam("UpdateRole", &[("RoleName", "puller"), ("MaxSessionDuration", "3600")]).expect(200);
        refused(&alice, &puller, "3601");
    });
}

#[test]
fn a63_the_name_of_a_session_is_checked() {
    attack(|server| {
        let admin = admin(server);
        let everything = json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]);
        let boss = role(&admin, "boss", &[&trusted()[0]], &everything);
        let alice = user(server, "alice", &everything);
        let ask = |name: &str| alice.sts("AssumeRole", &[("RoleArn", boss.as_str()), ("RoleSessionName", name)]);
        let long = "n".repeat(65);
        let bad =
            ["", "n", &long, "a b", "a/b", "a:b", "../x", "é", "a\nb", "a\0b", "<b>", "a*", "${aws:username}", "a%2fb"];
        for name in bad {
            expect_fault(&ask(name), 400, "ValidationError");
        }
        for name in ["ab", &long[1..], "a+b=c,d.e@f-g_h"] {
            ask(name).expect(200);
        }
        expect_fault(&alice.sts("AssumeRole", &[("RoleArn", boss.as_str())]), 400, "ValidationError");
    });
}
