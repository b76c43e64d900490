//! A64: policies that are too long, too deep, or made to be matched slowly.

use std::sync::atomic::{AtomicBool, Ordering};

use berth_testkit::aws::{ACCOUNT, AwsClient, fault_code};
use berth_testkit::{Reply, Server, empty_index};
use serde_json::{Value, json};

use crate::people::{admin, all_of, allow, by_key, document, role, user};
use crate::support::attack;

/// Writes a document wherever one can be written, and calls it a trust policy where it says who.
fn write(admin: &AwsClient, role: &str, text: &str, trust: &str) -> Vec<(&'static str, Reply)> {
    let named = [("PolicyName", "attack"), ("PolicyDocument", text)];
    let to = |kind: &'static str, name: &'static str| [&[(kind, name)], &named[..]].concat();
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/known");
    let session = [("RoleArn", role), ("RoleSessionName", "session"), ("Policy", text)];
    let made = [("RoleName", "made"), ("AssumeRolePolicyDocument", trust)];
    vec![
        ("user", admin.iam("PutUserPolicy", &to("UserName", "alice"))),
        ("group", admin.iam("PutGroupPolicy", &to("GroupName", "group"))),
        ("role", admin.iam("PutRolePolicy", &to("RoleName", "role"))),
        ("policy", admin.iam("CreatePolicy", &named)),
        ("version", admin.iam("CreatePolicyVersion", &[("PolicyArn", arn.as_str()), ("PolicyDocument", text)])),
        ("trust of a new role", admin.iam("CreateRole", &made)),
        ("trust", admin.iam("UpdateAssumeRolePolicy", &[("RoleName", "role"), ("PolicyDocument", trust)])),
        ("session", admin.sts("AssumeRole", &session)),
    ]
}

/// A user, a group, a role and a policy to write to.
fn owners(server: &Server) -> (AwsClient, String) {
    let admin = admin(server);
    user(server, "alice", &all_of("team/*"));
    admin.iam("CreateGroup", &[("GroupName", "group")]).expect(200);
    let trusted = format!("arn:aws:iam::{ACCOUNT}:user/administrator");
    let role = role(&admin, "role", &[&trusted], &all_of("team/*"));
    let plain = document(&all_of("team/*"));
    admin.iam("CreatePolicy", &[("PolicyName", "known"), ("PolicyDocument", &plain)]).expect(200);
    (admin, role)
}

#[test]
fn a64_a_policy_has_a_length_and_a_form() {
    attack(|server| {
        let (admin, role) = owners(server);
        let own = |count: usize| vec![json!({ "Effect": "Allow", "Action": "ecr:*", "Resource": "*" }); count];
        let trust =
            |count: usize| vec![json!({ "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole" }); count];
        let long = |document: String| document.replace("ecr:*", &format!("ecr:{}*", "a".repeat(20_000)));
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let spaces = format!("{{{}\"Version\":1}}", " ".repeat(100_000));
        let many: Value = (0..500).map(|number| format!("arn:aws:s3:::{number:030}")).collect();
        let resources = json!([{ "Effect": "Allow", "Action": "*", "Resource": many }]);
        let principals = json!([{ "Effect": "Allow", "Principal": { "AWS": many }, "Action": "sts:AssumeRole" }]);
        let documents = [
            (document(&json!(own(2_000))), document(&json!(trust(2_000)))),
            (long(document(&json!(own(1)))), "x".repeat(20_000)),
            (document(&resources), document(&principals)),
            (deep.clone(), deep.clone()),
            (format!("{{\"Statement\":{deep}}}"), format!("{{\"Statement\":{deep}}}")),
            (spaces.clone(), spaces),
            ("{}".to_owned(), "{}".to_owned()),
            ("{\"Statement\":[]}".to_owned(), "null".to_owned()),
        ];
        for (text, trust) in documents {
            for (what, reply) in write(&admin, &role, &text, &trust) {
                let code = fault_code(&reply).unwrap_or_default();
                let known = ["LimitExceeded", "MalformedPolicyDocument", "ValidationError", "PackedPolicyTooLarge"];
                let told = known.contains(&code.as_str()) && matches!(reply.status, 400 | 409);
                assert!(told, "{what}: {} {}", reply.status, reply.text());
            }
        }
        // Many policies are no way round the length of one.
        let half =
            document(&json!([{ "Effect": "Allow", "Action": format!("ecr:{}", "a".repeat(1_500)), "Resource": "*" }]));
        let put = |name: &str| {
            let parameters = [("UserName", "alice"), ("PolicyName", name), ("PolicyDocument", half.as_str())];
            admin.iam("PutUserPolicy", &parameters)
        };
        put("own").expect(200);
        assert_eq!(fault_code(&put("second")).as_deref(), Some("LimitExceeded"));
    });
}

/// Sets a flag at its end, be it a panic.
struct AtEnd<'f>(&'f AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn a64_a_decision_is_quick_whatever_the_pattern() {
    attack(|server| {
        let admin = admin(server);
        let owner = server.client();
        owner.push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        let mallory = by_key(server, &user(server, "mallory", &all_of("team/*")));
        // As long as IAM lets them be, for users; far longer, in a simulation.
        let resource = |pattern: &str| format!("arn:aws:ecr:*:*:repository/{pattern}!");
        let statements =
            |pattern: &str| json!([{ "Effect": "Allow", "Action": "ecr:*", "Resource": resource(pattern) }]);
        let long = format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{}", "a".repeat(2_000));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let others = scope.spawn(|| {
                let client = server.client();
                let mut served = 0;
                while !done.load(Ordering::Acquire) {
                    client.manifest("team/a", "latest").expect(200);
                    served += 1;
                }
                served
            });
            let ended = AtEnd(&done);
            for unit in ["*?", "*a", "*aa?", "*?a", "*"] {
                allow(&admin, "mallory", &statements(&unit.repeat(1_800 / unit.len())));
                mallory.manifest(&"a".repeat(200), "latest").expect(403);
                let document = document(&statements(&unit.repeat(100_000 / unit.len())));
                for policies in ["PolicyInputList.member.1", "PermissionsBoundaryPolicyInputList.member.1"] {
                    let mut parameters =
                        vec![("ActionNames.member.1", "ecr:PutImage"), ("ResourceArns.member.1", &long)];
                    parameters.push((policies, &document));
                    if policies.starts_with("Perm") {
                        parameters.push(("PolicyInputList.member.1", &document));
                    }
                    let reply = admin.iam("SimulateCustomPolicy", &parameters).expect(200);
                    assert!(reply.text().contains("implicitDeny"), "{unit}: {}", reply.text());
                }
            }
            drop(ended);
            println!("{} pulls meanwhile", others.join().unwrap());
        });
    });
}
