//! A50 to A55: what log-ins tell, withstand, and lose.

use std::time::{Duration, Instant};

use berth_testkit::aws::{AwsClient, Keys, expect_fault};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, MIB, Reply, Server, empty_index, sha256, within};
use serde_json::json;
use tempfile::TempDir;

use crate::people::{admin, all_of, allow, assume, bearer, by_key, by_login, face, pulls_of, role, user};
use crate::support::{attack, attack_on, builder, with_defaults};

/// How long it may take until a right that was taken away is gone everywhere.
const REVOKED_WITHIN: Duration = Duration::from_mins(1);

/// Every kind of request about a repository.
fn routes(repository: &str) -> Vec<(&'static str, String)> {
    let digest = sha256(b"content");
    let upload = "00000000-0000-4000-8000-000000000000";
    let mut routes = vec![
        ("GET", format!("/v2/{repository}/tags/list")),
        ("GET", format!("/v2/{repository}/referrers/{digest}")),
        ("PUT", format!("/v2/{repository}/manifests/latest")),
        ("POST", format!("/v2/{repository}/blobs/uploads/")),
        ("POST", format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={repository}")),
    ];
    for method in ["GET", "HEAD", "DELETE"] {
        routes.push((method, format!("/v2/{repository}/manifests/latest")));
        routes.push((method, format!("/v2/{repository}/blobs/{digest}")));
    }
    for method in ["GET", "PATCH", "PUT", "DELETE"] {
        routes.push((method, format!("/v2/{repository}/blobs/uploads/{upload}")));
    }
    routes
}

/// The medians of how long two requests take, asked in turns.
fn medians(times: usize, first: impl Fn() -> Reply, second: impl Fn() -> Reply) -> [Duration; 2] {
    let clocked = |ask: &dyn Fn() -> Reply| {
        let began = Instant::now();
        ask();
        began.elapsed()
    };
    let mut taken = [Vec::new(), Vec::new()];
    for _ in 0..times {
        taken[0].push(clocked(&first));
        taken[1].push(clocked(&second));
    }
    taken.map(|mut taken| {
        taken.sort_unstable();
        taken[taken.len() / 2]
    })
}

#[test]
fn a50_a_private_repository_and_none_look_alike() {
    for challenge in ["basic", "bearer"] {
        attack_on(builder().setting("auth.challenge", challenge), |server| {
            let (known, unknown) = ("hidden/known", "hidden/wrong");
            let owner = server.client();
            owner.push_blob(known, b"content");
            owner.push_manifest(known, "latest", &empty_index("known")).expect(201);
            let alice = user(server, "alice", &all_of("team/*"));
            let key = by_key(server, &alice);
            let scopes = [format!("repository:{known}:pull,push"), format!("repository:{unknown}:pull,push")];
            let token = bearer(&key, &[&scopes[0], &scopes[1]]);
            let callers = [
                server.anonymous(),
                key.clone(),
                by_login(server, &alice),
                Client::bearer(server.addr(), &token),
                Client::login(server.addr(), ADMIN_ID, "wrong"),
            ];
            for caller in &callers {
                for ((method, one), (_, other)) in routes(known).into_iter().zip(routes(unknown)) {
                    let ask = |target: &str| caller.request(method, target, &[], &[]);
                    let (one_reply, other_reply) = (ask(&one), ask(&other));
                    assert!(matches!(one_reply.status, 401 | 403), "{method} {one}: {one_reply:?}");
                    assert_eq!(face(&one_reply, known), face(&other_reply, unknown), "{method} {one}");
                }
            }
            // Times are told, not judged: on a machine with other work they say little.
            let get = |repository: &str| key.manifest(repository, "latest");
            println!("medians, known and unknown repository: {:?}", medians(200, || get(known), || get(unknown)));
        });
    }
}

#[test]
fn a51_an_unknown_user_and_a_wrong_password_look_alike() {
    attack(|server| {
        let alice = user(server, "alice", &all_of("team/*"));
        let unknown = "AKIAAAAAAAAAAAAAAAAA";
        let ask = |id: &str, password: &str, target: &str| Client::login(server.addr(), id, password).get(target);
        for target in ["/v2/", "/v2/team/a/tags/list", "/v2/_catalog", "/token?service=berth", "/metrics"] {
            let wrong = "x".repeat(40);
            let seen = face(&ask(&alice.keys.id, &wrong, target), &alice.keys.id);
            assert_eq!(seen.0, 401, "{target}");
            for (id, password) in [
                (unknown, wrong.as_str()),
                (unknown, &alice.keys.secret),
                (&alice.keys.id, ""),
                ("alice", &wrong),
                ("administrator", &wrong),
                ("root", "root"),
                ("AWS", &wrong),
            ] {
                assert_eq!(face(&ask(id, password, target), id), seen, "{target} {id}");
            }
        }
        let known = || ask(&alice.keys.id, "wrong", "/v2/");
        println!(
            "medians, wrong password and unknown user: {:?}",
            medians(200, known, || ask(unknown, "wrong", "/v2/"))
        );
    });
}

/// What a thousand attempts get: how many were told that the password is wrong, and how many to wait.
fn thousand(attempt: impl Fn(usize) -> (u16, bool)) -> (usize, usize) {
    let answers: Vec<(u16, bool)> = (0..1_000).map(attempt).collect();
    let count = |wanted: fn(&(u16, bool)) -> bool| answers.iter().filter(|answer| wanted(answer)).count();
    let (wrong, slowed) = (count(|(_, waits)| !waits), count(|(_, waits)| *waits));
    assert_eq!(wrong + slowed, 1_000);
    (wrong, slowed)
}

/// An answer of the registry's door, and whether it says to wait.
fn at_registry(reply: &Reply) -> (u16, bool) {
    if reply.status == 429 {
        let wait: u64 = reply.header("retry-after").expect("how long to wait").parse().unwrap();
        assert!((1..=60).contains(&wait), "{reply:?}");
        assert_eq!(reply.json()["errors"][0]["code"], "TOOMANYREQUESTS");
        return (429, true);
    }
    assert_eq!(reply.status, 401, "{reply:?}");
    (401, false)
}

/// An answer of the door of AWS's APIs, and whether it says to wait.
fn at_api(reply: &Reply, wrong: &str) -> (u16, bool) {
    if reply.text().contains("ThrottlingException") {
        expect_fault(reply, 400, "ThrottlingException");
        assert!(reply.text().contains("Rate exceeded"), "{}", reply.text());
        assert!(reply.header("retry-after").expect("how long to wait").parse::<u64>().unwrap() >= 1);
        return (400, true);
    }
    assert!(reply.text().contains(wrong), "{}", reply.text());
    (reply.status, false)
}

/// A server that believes what the tests say of their address.
fn behind_a_proxy() -> berth_testkit::ServerBuilder {
    with_defaults().setting("server.trusted_proxies", "127.0.0.0/8")
}

fn from(address: &str) -> (&str, &str) {
    ("x-forwarded-for", address)
}

#[test]
fn a52_a_thousand_wrong_passwords_are_slowed_and_shut_nobody_out() {
    attack_on(behind_a_proxy(), |server| {
        let alice = user(server, "alice", &all_of("team/*"));
        let bob = by_key(server, &user(server, "bob", &all_of("team/*")));
        let (here, there) = (from("192.0.2.1"), from("192.0.2.2"));
        let ask = |client: &Client, address| client.request("GET", "/v2/", &[address], b"");
        let (wrong, slowed) = thousand(|number| {
            if number % 50 == 0 {
                ask(&bob, here).expect(200);
            }
            let guess = Client::login(server.addr(), &alice.keys.id, &format!("wrong {number}"));
            at_registry(&ask(&guess, here))
        });
        assert!((10..30).contains(&wrong), "{wrong} were compared, {slowed} were not");
        let right = by_key(server, &alice);
        assert_eq!(ask(&right, here).status, 429, "from there even the right one waits: nothing is compared");
        ask(&right, there).expect(200);
        ask(&right, from("2001:db8::1")).expect(200);
        ask(&bob, here).expect(200);
    });
}

#[test]
fn a52_a_thousand_wrong_signatures_are_slowed_and_shut_nobody_out() {
    attack_on(with_defaults(), |server| {
        let alice = user(server, "alice", &all_of("team/*"));
        let bob = user(server, "bob", &all_of("team/*"));
        let (wrong, slowed) = thousand(|number| {
            if number % 50 == 0 {
                bob.sts("GetCallerIdentity", &[]).expect(200);
            }
            let guess = alice.with(Keys::new(&alice.keys.id, &format!("{number:0>40}")));
            at_api(&guess.sts("GetCallerIdentity", &[]), "SignatureDoesNotMatch")
        });
        assert!((10..30).contains(&wrong), "{wrong} were compared, {slowed} were not");
        // The same key at another door, which counts with it.
        assert_eq!(by_key(server, &alice).get("/v2/").status, 429);
        let guess = alice.with(Keys::new(&alice.keys.id, &"x".repeat(40)));
        expect_fault(&guess.ecr("GetAuthorizationToken", "{}"), 400, "ThrottlingException");
        bob.sts("GetCallerIdentity", &[]).expect(200);
        by_key(server, &bob).get("/v2/").expect(200);
    });
}

#[test]
fn a52_an_address_that_tries_many_names_is_slowed_and_shuts_nobody_out() {
    attack_on(behind_a_proxy(), |server| {
        let bob = by_key(server, &user(server, "bob", &all_of("team/*")));
        let here = from("2001:db8:1:2::1");
        let (wrong, slowed) = thousand(|number| {
            let name = format!("AKIA{number:A>16}").replace(|c: char| c.is_ascii_digit(), "B");
            let guess = Client::login(server.addr(), &format!("{name}{number}"), "wrong");
            // Every address of the network is one.
            let address = format!("2001:db8:1:2::{number:x}");
            at_registry(&guess.request("GET", "/v2/", &[from(&address)], b""))
        });
        assert!((100..200).contains(&wrong), "{wrong} were told apart, {slowed} were not");
        bob.request("GET", "/v2/", &[here], b"").expect(200);
        bob.request("GET", "/token?service=berth", &[here], b"").expect(200);
        let guess = Client::login(server.addr(), "somebody", "wrong");
        guess.request("GET", "/v2/", &[from("2001:db8:1:3::1")], b"").expect(401);
    });
}

#[test]
fn a87_nobody_has_another_address_by_saying_so() {
    attack_on(with_defaults(), |server| {
        let alice = user(server, "alice", &all_of("team/*"));
        let (wrong, _) = thousand(|number| {
            let guess = Client::login(server.addr(), &alice.keys.id, "wrong");
            let address = format!("192.0.2.{}", number % 250);
            at_registry(&guess.request("GET", "/v2/", &[from(&address)], b""))
        });
        assert!((10..30).contains(&wrong), "{wrong} were compared");
    });
}

#[test]
fn a51_slowed_names_look_alike_too() {
    attack_on(behind_a_proxy(), |server| {
        let alice = user(server, "alice", &all_of("team/*"));
        let unknown = "AKIAAAAAAAAAAAAAAAAA";
        for number in 0..40 {
            let ask = |id: &str| {
                let reply = Client::login(server.addr(), id, "wrong").request("GET", "/v2/", &[from("192.0.2.9")], b"");
                face(&reply, id)
            };
            let (known, unknown, named) = (ask(&alice.keys.id), ask(unknown), ask("alice"));
            // The clock may tick between them: how long to wait is a second less then.
            assert_eq!((known.0, &known.2.len()), (unknown.0, &unknown.2.len()), "{number}");
            assert_eq!((known.0, &known.2.len()), (named.0, &named.2.len()), "{number}");
        }
    });
}

#[test]
fn a53_a_password_counts_to_its_last_byte() {
    attack(|server| {
        let alice = user(server, "alice", &all_of("team/*"));
        let login = |password: &str| Client::login(server.addr(), &alice.keys.id, password).get("/v2/");
        let secret = alice.keys.secret.as_str();
        login(secret).expect(200);
        for length in [41, 64, 72, 73, 128, 256, 4_096] {
            login(&format!("{secret:x<length$}")).expect(401);
        }
        for length in [0, 1, 8, 39] {
            login(&secret[..length]).expect(401);
        }
        for other in [format!("{secret}\0"), format!(" {secret}"), secret.to_lowercase(), format!("{secret}:")] {
            login(&other).expect(401);
        }
        let token = alice.login_password();
        Client::login(server.addr(), "AWS", &token).get("/v2/").expect(200);
        Client::login(server.addr(), "AWS", &format!("{token}x")).get("/v2/").expect(401);
        let peak = server.process().rss_bytes();
        server.process().reset_peak();
        login(&"x".repeat(1024 * 1024)).expect_any(&[400, 413, 431]);
        let grown = server.process().peak_rss_bytes().saturating_sub(peak);
        assert!(grown < 16 * MIB, "{grown} bytes more for one password");
        login(secret).expect(200);
    });
}

/// Waits until a caller is refused.
fn gone(what: &str, status: impl Fn() -> u16) {
    assert!(within(REVOKED_WITHIN, || matches!(status(), 401 | 403)), "{what} is still let in");
}

/// A user with one of each kind of credentials that can be had.
struct Everything {
    signed: AwsClient,
    session: AwsClient,
    role: AwsClient,
    clients: Vec<Client>,
}

impl Everything {
    fn of(server: &Server, signed: AwsClient, role: &str) -> Self {
        let session = signed.with(Keys::of(&signed.sts("GetSessionToken", &[]).expect(200)));
        let role = assume(&signed, role, &[]);
        let key = by_key(server, &signed);
        let mut clients = vec![Client::bearer(server.addr(), &bearer(&key, &["repository:team/a:pull"])), key];
        for caller in [&signed, &session, &role] {
            let login = by_login(server, caller);
            clients.push(Client::bearer(server.addr(), &bearer(&login, &["repository:team/a:pull"])));
            clients.push(login);
        }
        let everything = Self { signed, session, role, clients };
        for client in &everything.clients {
            client.manifest("team/a", "latest").expect(200);
        }
        for caller in [&everything.signed, &everything.session, &everything.role] {
            caller.sts("GetCallerIdentity", &[]).expect(200);
        }
        everything
    }

    fn is_gone(&self) {
        for client in &self.clients {
            gone("a client", || client.manifest("team/a", "latest").status);
            gone("a client that asks for a token", || client.get("/token?service=berth").status);
        }
        for caller in [&self.signed, &self.session, &self.role] {
            gone("a caller", || caller.sts("GetCallerIdentity", &[]).status);
            gone("a caller who logs in", || {
                let status = caller.ecr("GetAuthorizationToken", "{}").status;
                if status == 400 { 403 } else { status }
            });
        }
    }
}

#[test]
fn a54_a_key_that_is_switched_off_or_deleted_takes_all_with_it() {
    attack(|server| {
        let admin = admin(server);
        server.client().push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let trusted = format!("arn:aws:iam::{}:root", berth_testkit::aws::ACCOUNT);
        let role = role(&admin, "puller", &[&trusted], &pulls_of("team/*"));
        let mut statements = pulls_of("team/*");
        statements
            .as_array_mut()
            .unwrap()
            .push(json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role }));
        let alice = user(server, "alice", &statements);
        let id = alice.keys.id.clone();
        let of_key = [("UserName", "alice"), ("AccessKeyId", id.as_str())];
        let everything = Everything::of(server, alice.clone(), &role);
        admin.iam("UpdateAccessKey", &[&of_key[..], &[("Status", "Inactive")]].concat()).expect(200);
        everything.is_gone();
        admin.iam("UpdateAccessKey", &[&of_key[..], &[("Status", "Active")]].concat()).expect(200);
        let everything = Everything::of(server, alice, &role);
        admin.iam("DeleteAccessKey", &of_key).expect(200);
        everything.is_gone();
        // The user with another key, then without itself.
        let other = Keys::of(&admin.iam("CreateAccessKey", &[("UserName", "alice")]).expect(200));
        let everything = Everything::of(server, AwsClient::new(server.addr(), other.clone()), &role);
        admin.iam("DeleteAccessKey", &[("UserName", "alice"), ("AccessKeyId", &other.id)]).expect(200);
        admin.iam("DeleteUserPolicy", &[("UserName", "alice"), ("PolicyName", "own")]).expect(200);
        admin.iam("DeleteUser", &[("UserName", "alice")]).expect(200);
        everything.is_gone();
        // Somebody new of the same name has nothing of the old one's.
        user(server, "alice", &statements);
        everything.is_gone();
    });
}

#[test]
fn a54_rights_that_are_taken_away_are_gone_from_every_token() {
    attack(|server| {
        let admin = admin(server);
        let owner = server.client();
        for repository in ["team/a", "old/a", "new/a"] {
            owner.push_manifest(repository, "latest", &empty_index("a")).expect(201);
        }
        for group in ["old", "new"] {
            let document = crate::people::document(&pulls_of(&format!("{group}/*")));
            admin.iam("CreateGroup", &[("GroupName", group)]).expect(200);
            let policy = [("GroupName", group), ("PolicyName", "own"), ("PolicyDocument", document.as_str())];
            admin.iam("PutGroupPolicy", &policy).expect(200);
        }
        let alice = user(server, "alice", &pulls_of("team/*"));
        let of = |group| [("UserName", "alice"), ("GroupName", group)];
        admin.iam("AddUserToGroup", &of("old")).expect(200);
        let key = by_key(server, &alice);
        let scopes = ["repository:team/a:pull", "repository:old/a:pull", "repository:new/a:pull"];
        let token = Client::bearer(server.addr(), &bearer(&key, &scopes));
        let callers = [key, by_login(server, &alice), token];
        let pulls =
            |caller: &Client| ["team/a", "old/a", "new/a"].map(|name| caller.manifest(name, "latest").status == 200);
        for caller in &callers {
            assert_eq!(pulls(caller), [true, true, false]);
        }
        admin.iam("AddUserToGroup", &of("new")).expect(200);
        admin.iam("RemoveUserFromGroup", &of("old")).expect(200);
        for (caller, new) in callers.iter().zip([true, true, false]) {
            // A token holds what it was given; more needs a new one.
            assert!(within(REVOKED_WITHIN, || pulls(caller) == [true, false, new]), "{:?}", pulls(caller));
        }
        allow(&admin, "alice", &json!([{ "Effect": "Deny", "Action": "*", "Resource": "*" }]));
        for caller in &callers {
            assert!(within(REVOKED_WITHIN, || pulls(caller) == [false; 3]), "{:?}", pulls(caller));
        }
    });
}

#[test]
fn a54_a_role_that_is_gone_or_has_less_ends_its_sessions() {
    attack(|server| {
        let admin = admin(server);
        server.client().push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let trusted = format!("arn:aws:iam::{}:root", berth_testkit::aws::ACCOUNT);
        let arn = role(&admin, "puller", &[&trusted], &pulls_of("team/*"));
        let session = assume(&admin, &arn, &[]);
        let login = by_login(server, &session);
        login.manifest("team/a", "latest").expect(200);
        let policy = [("RoleName", "puller"), ("PolicyName", "own")];
        admin.iam("DeleteRolePolicy", &policy).expect(200);
        gone("a role without its policy", || login.manifest("team/a", "latest").status);
        admin.iam("DeleteRole", &[("RoleName", "puller")]).expect(200);
        gone("a role that is no more", || session.sts("GetCallerIdentity", &[]).status);
        // One of the same name is another.
        role(&admin, "puller", &[&trusted], &pulls_of("team/*"));
        expect_fault(&session.sts("GetCallerIdentity", &[]), 403, "InvalidClientTokenId");
        login.manifest("team/a", "latest").expect_any(&[401, 403]);
    });
}

/// A server on a fresh folder that nobody gave a key, what it showed, and the folder.
fn installed() -> (Server, Keys, TempDir) {
    let folder = TempDir::new().unwrap();
    let unset = builder().env("BERTH_ADMIN_ACCESS_KEY_ID", "").env("BERTH_ADMIN_SECRET_ACCESS_KEY", "");
    let server = unset.start_at(&folder.path().join("data"));
    // What it shows comes by another pipe than the line that says it is ready.
    let is_shown = within(Duration::from_secs(20), || server.log().contains("  Log in with:"));
    let log = server.log();
    assert!(is_shown, "{log}");
    let behind = |words: &str| {
        let line = log.lines().find_map(|line| line.trim().strip_prefix(words)).unwrap_or_else(|| panic!("{log}"));
        line.trim().to_owned()
    };
    let keys = Keys::new(&behind("access key id"), &behind("secret access key"));
    (server, keys, folder)
}

#[test]
fn a55_a_fresh_registry_has_a_random_secret_and_shows_it_once() {
    let (mut one, keys, _folder) = installed();
    let (mut other, others, _other_folder) = installed();
    assert!(keys.id != others.id && keys.secret != others.secret, "two registries began with the same key");
    assert_eq!(keys.secret.len(), 40);
    let login = |server: &Server, id: &str, secret: &str| Client::login(server.addr(), id, secret).get("/v2/").status;
    let usual = ["", "admin", "administrator", "berth", "password", "changeme", "root", "123456", "AWS", "registry"];
    for id in [keys.id.as_str(), "admin", "administrator", "berth", "root", "AWS", ADMIN_ID] {
        for password in usual.into_iter().chain([id, ADMIN_SECRET, others.secret.as_str()]) {
            assert_eq!(login(&one, id, password), 401, "{id}:{password}");
        }
    }
    assert_eq!((login(&one, "", ""), login(&one, &keys.id, &keys.secret)), (401, 200));
    assert_eq!(one.log().matches(&keys.secret).count(), 1);
    assert!(one.stop().success());
    // The log of a process begins with it.
    one.restart();
    assert_eq!(login(&one, &keys.id, &keys.secret), 200);
    assert!(one.stop().success());
    let log = one.log();
    assert!(!log.contains(&keys.secret) && !log.contains("secret access key"), "{log}");
    assert!(other.stop().success());
}
