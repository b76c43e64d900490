//! A87: who a request comes from, and by which listener.

use std::net::{SocketAddr, TcpListener};

use berth_testkit::aws::{ACCOUNT, AwsClient, REGION, expect_fault};
use berth_testkit::{Client, RawConnection, Reply, Server, ServerBuilder, empty_index, sha256};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::people::{account, admin, all_of, by_key, document, role, user};
use crate::support::{attack, attack_on, builder};

const OFFICE: &str = "203.0.113.7";
const FORGED: [(&str, &str); 6] = [
    ("X-Forwarded-For", OFFICE),
    ("X-Forwarded-For", "203.0.113.7, 203.0.113.8"),
    ("Forwarded", "for=203.0.113.7"),
    ("X-Real-IP", OFFICE),
    ("True-Client-IP", OFFICE),
    ("X-Client-IP", OFFICE),
];

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Everything, from the office only.
fn from_office() -> Value {
    let condition = json!({ "IpAddress": { "aws:SourceIp": "203.0.113.0/24" } });
    json!([{ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition }])
}

/// A server with a listener that trusts proxies on this machine.
fn proxied(mode: &str) -> (ServerBuilder, SocketAddr) {
    let address = free();
    let builder = builder()
        .setting("listener.proxied.listen", &address.to_string())
        .setting("listener.proxied.trusted_proxies", "127.0.0.1")
        .setting("listener.proxied.proxy_protocol", mode);
    (builder, address)
}

/// The status of a request behind these bytes; 0 where there is no answer.
fn status_behind(address: SocketAddr, before: &[u8], caller: &Client, headers: &[(&str, &str)]) -> u16 {
    let head = caller.head("GET", "/v2/team/a/manifests/latest", headers);
    let mut connection = RawConnection::connect(address).unwrap();
    let _ = connection.send(&[before, &head].concat());
    connection.read_reply("GET").map_or(0, |reply| reply.status)
}

fn proxy_headers() -> [Vec<u8>; 3] {
    let second = |command| {
        [b"\r\n\r\n\0\r\nQUIT\n", &[command, 0x11, 0, 12][..], &[203, 0, 113, 7, 10, 0, 0, 1, 1, 2, 3, 4]].concat()
    };
    [b"PROXY TCP4 203.0.113.7 10.0.0.1 4660 443\r\n".to_vec(), second(0x21), second(0x20)]
}

#[test]
fn a87_headers_of_strangers_name_no_address() {
    let (builder, address) = proxied("off");
    attack_on(builder, |server| {
        server.client().push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let alice = user(server, "alice", &from_office());
        let here = by_key(server, &alice);
        for header in FORGED {
            assert_eq!(status_behind(server.addr(), b"", &here, &[header]), 403, "{header:?}");
        }
        // The rule that refuses them lets the office in, as a trusted proxy names it, and nobody who only writes it first.
        let there = Client::login(address, &alice.keys.id, &alice.keys.secret);
        assert_eq!(status_behind(address, b"", &there, &[FORGED[0]]), 200);
        assert_eq!(status_behind(address, b"", &there, &[("X-Forwarded-For", "203.0.113.7, 192.0.2.1")]), 403);
        // A Deny that spares this machine does not spare who claims to be it.
        let guarded = json!([
            { "Effect": "Allow", "Action": "*", "Resource": "*" },
            { "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": { "NotIpAddress": { "aws:SourceIp": "127.0.0.0/8" } } },
        ]);
        let bob = user(server, "bob", &guarded);
        let there = Client::login(address, &bob.keys.id, &bob.keys.secret);
        assert_eq!(status_behind(address, b"", &there, &[("X-Forwarded-For", "127.0.0.1, 198.51.100.1")]), 403);
        assert_eq!(status_behind(server.addr(), b"", &by_key(server, &bob), &[]), 200);
    });
}

#[test]
fn a87_proxy_headers_of_strangers_are_garbage() {
    let (builder, address) = proxied("accept");
    let builder = builder.setting("server.proxy_protocol", "accept").setting("server.trusted_proxies", "192.0.2.0/24");
    attack_on(builder, |server| {
        server.client().push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let alice = user(server, "alice", &from_office());
        for header in proxy_headers() {
            let status = status_behind(server.addr(), &header, &by_key(server, &alice), &[]);
            assert!(matches!(status, 0 | 400), "{status}: {header:?}");
        }
        let there = Client::login(address, &alice.keys.id, &alice.keys.secret);
        for (header, expected) in proxy_headers().iter().zip([200, 200, 403]) {
            assert_eq!(status_behind(address, header, &there, &[]), expected, "{header:?}");
        }
        // Twice, or behind a request: only the first bytes of a connection are a header.
        let twice = proxy_headers()[0].repeat(2);
        assert!(matches!(status_behind(address, &twice, &there, &[]), 0 | 400));
        let mut late = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
        late.extend_from_slice(&proxy_headers()[0]);
        let mut connection = RawConnection::connect(address).unwrap();
        let head = there.head("GET", "/v2/team/a/manifests/latest", &[]);
        connection.send(&[&late[..], &head].concat()).unwrap();
        connection.read_reply("GET").unwrap().expect(200);
        assert!(connection.read_reply("GET").map_or(0, |reply| reply.status) != 200);
        // Who is behind the proxy is not the proxy: its word about others is nobody's.
        let forged = [("X-Forwarded-For", OFFICE)];
        let header = b"PROXY TCP4 198.51.100.1 10.0.0.1 4660 443\r\n";
        assert_eq!(status_behind(address, header, &there, &forged), 403);
    });
}

#[test]
fn a87_where_a_proxy_header_is_required_nobody_comes_in_without() {
    let (builder, address) = proxied("require");
    attack_on(builder, |server| {
        server.client().push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let alice = user(server, "alice", &from_office());
        let there = Client::login(address, &alice.keys.id, &alice.keys.secret);
        assert_eq!(status_behind(address, &proxy_headers()[0], &there, &[]), 200);
        assert_eq!(status_behind(address, b"", &there, &[("X-Forwarded-For", OFFICE)]), 0);
        for wrong in [
            &b"PROXY TCP4 203.0.113.7\r\n"[..],
            b"PROXY TCP4 203.0.113.7 1.1.1.1 1 2 3\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04aaaa",
        ] {
            assert_eq!(status_behind(address, wrong, &there, &[]), 0, "{wrong:?}");
        }
    });
}

struct Private {
    folder: TempDir,
    address: SocketAddr,
}

/// A listener that lets pass the pulls of one repository, and logging in.
fn private() -> (ServerBuilder, Private) {
    let (folder, address) = (TempDir::new().unwrap(), free());
    let repository = format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/a");
    let pulls = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"];
    let policy = json!([
        { "Effect": "Allow", "Principal": "*", "Action": pulls, "Resource": repository },
        { "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "ecr:GetAuthorizationToken", "Resource": "*" },
    ]);
    std::fs::write(folder.path().join("policy.json"), document(&policy)).unwrap();
    let builder = builder()
        .setting("auth.anonymous_pull", "*")
        .setting("listener.private.listen", &address.to_string())
        .setting("listener.private.endpoint_id", "vpce-1")
        .setting("listener.private.endpoint_policy", &folder.path().join("policy.json").display().to_string());
    (builder, Private { folder, address })
}

impl Private {
    fn by_key(&self, caller: &AwsClient) -> Client {
        Client::login(self.address, &caller.keys.id, &caller.keys.secret)
    }

    fn api(&self, caller: &AwsClient) -> AwsClient {
        AwsClient::new(self.address, caller.keys.clone())
    }
}

/// What whoever may do everything tries at the door of OCI, but for pulls.
fn writes(caller: &Client, layer: &str) -> Vec<(&'static str, Reply)> {
    vec![
        ("an upload", caller.request("POST", "/v2/team/a/blobs/uploads/", &[], &[])),
        ("a mount", caller.request("POST", &format!("/v2/team/a/blobs/uploads/?mount={layer}&from=team/b"), &[], &[])),
        ("a push", caller.push_manifest("team/a", "pushed", &empty_index("x"))),
        ("a deletion", caller.delete("/v2/team/a/manifests/latest")),
        ("the tags", caller.get("/v2/team/a/tags/list")),
        ("another pull", caller.manifest("team/b", "latest")),
        ("another layer", caller.blob("team/b", layer)),
        ("figures", caller.get("/metrics")),
    ]
}

/// The same at the APIs.
fn calls(caller: &AwsClient, boss: &str) -> Vec<(&'static str, Reply)> {
    let session = [("RoleArn", boss), ("RoleSessionName", "session")];
    vec![
        ("a repository", caller.ecr("CreateRepository", r#"{"repositoryName":"made"}"#)),
        ("the repositories", caller.ecr("DescribeRepositories", "{}")),
        (
            "another image",
            caller.ecr("BatchGetImage", r#"{"repositoryName":"team/b","imageIds":[{"imageTag":"latest"}]}"#),
        ),
        (
            "a deletion",
            caller.ecr("BatchDeleteImage", r#"{"repositoryName":"team/a","imageIds":[{"imageTag":"latest"}]}"#),
        ),
        ("a policy", caller.ecr("DeleteRepositoryPolicy", r#"{"repositoryName":"team/a"}"#)),
        ("a user", caller.iam("CreateUser", &[("UserName", "mallory")])),
        ("the users", caller.iam("ListUsers", &[])),
        ("a role", caller.sts("AssumeRole", &session)),
        ("a session", caller.sts("GetSessionToken", &[])),
    ]
}

#[test]
fn a87_an_endpoint_lets_pass_what_its_policy_allows_and_nothing_else() {
    let (builder, private) = private();
    attack_on(builder, |server| {
        let owner = server.client();
        for name in ["team/a", "team/b"] {
            owner.push_blob(name, b"a layer");
            owner.push_manifest(name, "latest", &empty_index(name)).expect(201);
        }
        let layer = sha256(b"a layer");
        let everything = json!([{ "Effect": "Allow", "Action": "*", "Resource": "*" }]);
        let alice = user(server, "alice", &everything);
        let boss = role(&admin(server), "boss", &[&format!("arn:aws:iam::{ACCOUNT}:user/alice")], &everything);
        let token = Client::login(private.address, "AWS", &private.api(&alice).login_password());
        let bearer = |at: &Client| {
            Client::bearer(private.address, &crate::people::bearer(at, &["repository:team/a:*", "repository:team/b:*"]))
        };
        // A token that was made elsewhere is worth no more here.
        let elsewhere = bearer(&by_key(server, &alice));
        for caller in [private.by_key(&alice), bearer(&token), token, elsewhere, Client::anonymous(private.address)] {
            caller.manifest("team/a", "latest").expect(200);
            caller.blob("team/a", &layer).expect(200);
            for (what, reply) in writes(&caller, &layer) {
                assert!(matches!(reply.status, 401 | 403), "{what}: {reply:?}");
            }
        }
        let pushed = private.by_key(&alice).push_manifest("team/a", "pushed", &empty_index("x")).text();
        assert!(pushed.contains("because no VPC endpoint policy allows the ecr:PutImage action"), "{pushed}");
        let at = private.api(&alice);
        at.ecr("BatchGetImage", r#"{"repositoryName":"team/a","imageIds":[{"imageTag":"latest"}]}"#).expect(200);
        for (what, reply) in calls(&at, &boss) {
            let code = berth_testkit::aws::fault_code(&reply).unwrap_or_default();
            assert!(code.starts_with("AccessDenied"), "{what}: {}", reply.text());
        }
        let denied = at.ecr("CreateRepository", r#"{"repositoryName":"made"}"#).text();
        assert!(denied.contains("because no VPC endpoint policy allows the ecr:CreateRepository action"), "{denied}");
        // Whose account the policy does not name comes in for nothing that needs it.
        let other = private.api(&account(server, "210987654321"));
        expect_fault(&other.ecr("GetAuthorizationToken", "{}"), 400, "AccessDeniedException");
        // By the main listener the same caller may do all of it.
        let here = AwsClient::new(server.addr(), alice.keys.clone());
        for (what, reply) in calls(&here, &boss) {
            assert!(reply.status == 200 || what == "a policy", "{what}: {}", reply.text());
        }
        owner.push_manifest("team/a", "latest", &empty_index("team/a")).expect(201);
        for (what, reply) in writes(&by_key(server, &alice), &layer) {
            assert!(reply.status < 300, "{what}: {reply:?}");
        }
    });
}

#[test]
fn a87_an_endpoint_policy_that_changes_counts_soon_and_a_broken_one_does_not() {
    let (builder, private) = private();
    attack_on(builder, |server| {
        server.client().push_manifest("team/b", "latest", &empty_index("b")).expect(201);
        let alice = user(server, "alice", &all_of("*"));
        let caller = private.by_key(&alice);
        caller.manifest("team/b", "latest").expect(403);
        let path = private.folder.path().join("policy.json");
        std::fs::write(&path, "{").unwrap();
        berth_testkit::eventually("a line in the log", || server.log().contains("the new endpoint policy is not used"));
        caller.manifest("team/b", "latest").expect(403);
        let wide = json!([{ "Effect": "Allow", "Principal": "*", "Action": "ecr:*", "Resource": "*" }]);
        std::fs::write(&path, document(&wide)).unwrap();
        berth_testkit::eventually("the new policy", || caller.manifest("team/b", "latest").status == 200);
    });
}

#[test]
fn a87_the_endpoint_that_a_policy_asks_for_is_the_listener_and_not_a_header() {
    let (builder, private) = private();
    attack_on(builder, |server| {
        server.client().push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let alice = user(server, "alice", &all_of("*"));
        let condition = json!({ "StringNotEquals": { "aws:SourceVpce": "vpce-1" } });
        let policy = document(
            &json!([{ "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage", "Condition": condition }]),
        );
        let body = json!({ "repositoryName": "team/a", "policyText": policy, "force": true }).to_string();
        admin(server).ecr("SetRepositoryPolicy", &body).expect(200);
        private.by_key(&alice).manifest("team/a", "latest").expect(200);
        let here = by_key(server, &alice);
        let claims = [
            ("X-Vpce-Id", "vpce-1"),
            ("aws-SourceVpce", "vpce-1"),
            ("X-Amz-Vpce", "vpce-1"),
            ("X-Forwarded-For", "10.0.0.1"),
        ];
        for claim in claims {
            assert_eq!(status_behind(server.addr(), b"", &here, &[claim]), 403, "{claim:?}");
        }
        // The same over the API, and by another listener's name in `Host`.
        let asked = r#"{"repositoryName":"team/a","imageIds":[{"imageTag":"latest"}]}"#;
        let denied = AwsClient::new(server.addr(), alice.keys.clone()).at_host(&private.address.to_string());
        expect_fault(&denied.ecr("BatchGetImage", asked), 400, "AccessDeniedException");
        private.api(&alice).ecr("BatchGetImage", asked).expect(200);
    });
}

#[test]
fn a87_headers_name_no_address_where_no_proxy_is_trusted() {
    attack(|server| {
        server.client().push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let local = json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } });
        let statements = json!([{ "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": local }]);
        let caller = by_key(server, &user(server, "alice", &statements));
        for header in [("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=10.0.0.1")]
        {
            assert_eq!(status_behind(server.addr(), b"", &caller, &[header]), 403, "{header:?}");
        }
        assert_eq!(status_of(server, &caller), 403);
    });
}

fn status_of(server: &Server, caller: &Client) -> u16 {
    status_behind(server.addr(), b"", caller, &[])
}
