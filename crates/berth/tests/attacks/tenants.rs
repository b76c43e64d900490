//! A76: one account asks for everything of another.

use berth_aws::iam::IAM;
use berth_aws::protocol::{Kind, Member, Operation};
use berth_aws::sts::STS;
use berth_http::iam::berth::BERTH;
use berth_testkit::aws::{ACCOUNT, AwsClient, Keys, element, fault_code};
use berth_testkit::saml::IdentityProvider;
use berth_testkit::{Client, Image, Server, sha256, target_of};
use serde_json::json;

use crate::people::{account, admin, all_of, bearer, by_key, by_login, document, role, user};
use crate::support::{attack, attack_on, builder};

/// What the attacked account has. Names are its own, so that an answer that holds one tells something.
struct Attacked {
    user: &'static str,
    group: &'static str,
    role: &'static str,
    key: String,
    ids: Vec<String>,
    metadata: String,
}

const POLICY: &str = "arn:aws:iam::000000000000:policy/secretpolicy";
const INLINE: &str = "secretinline";
const ALIAS: &str = "secretalias";
const TAG: &str = "secrettag";
/// An issuer at a public address, which nobody asks.
const ISSUER: &str = "8.8.8.8/secretissuer";
const SAML: &str = "secretsaml";

fn plant(server: &Server) -> Attacked {
    let admin = admin(server);
    let own = document(&all_of("secretrepository/*"));
    let created = |reply: berth_testkit::Reply, id: &str| element(&reply.expect(200), id).unwrap();
    let policy = [("PolicyName", "secretpolicy"), ("PolicyDocument", own.as_str())];
    let policy_id = created(admin.iam("CreatePolicy", &policy), "PolicyId");
    admin.iam("CreatePolicyVersion", &[("PolicyArn", POLICY), ("PolicyDocument", &own)]).expect(200);
    let alice = user(server, "secretuser", &all_of("secretrepository/*"));
    let group_id = created(admin.iam("CreateGroup", &[("GroupName", "secretgroup")]), "GroupId");
    role(&admin, "secretrole", &["*"], &all_of("secretrepository/*"));
    for (kind, parameter, name) in
        [("User", "UserName", "secretuser"), ("Group", "GroupName", "secretgroup"), ("Role", "RoleName", "secretrole")]
    {
        let inline = [(parameter, name), ("PolicyName", INLINE), ("PolicyDocument", own.as_str())];
        admin.iam(&format!("Put{kind}Policy"), &inline).expect_any(&[200, 409]);
        admin.iam(&format!("Attach{kind}Policy"), &[(parameter, name), ("PolicyArn", POLICY)]).expect(200);
        if kind != "Group" {
            let bound = [(parameter, name), ("PermissionsBoundary", POLICY)];
            admin.iam(&format!("Put{kind}PermissionsBoundary"), &bound).expect(200);
            let tag = [(parameter, name), ("Tags.member.1.Key", TAG), ("Tags.member.1.Value", TAG)];
            admin.iam(&format!("Tag{kind}"), &tag).expect(200);
        }
    }
    let tag = [("Tags.member.1.Key", TAG), ("Tags.member.1.Value", TAG)];
    let url = format!("https://{ISSUER}");
    let issuer = [[("Url", url.as_str()), ("ClientIDList.member.1", "secretclient")].as_slice(), &tag].concat();
    admin.iam("CreateOpenIDConnectProvider", &issuer).expect(200);
    let metadata = IdentityProvider::new("https://secretentity.example.org").metadata();
    let provider = [[("Name", SAML), ("SAMLMetadataDocument", metadata.as_str())].as_slice(), &tag].concat();
    admin.iam("CreateSAMLProvider", &provider).expect(200);
    admin.iam("AddUserToGroup", &[("UserName", "secretuser"), ("GroupName", "secretgroup")]).expect(200);
    admin.iam("CreateAccountAlias", &[("AccountAlias", ALIAS)]).expect(200);
    let user_id = created(admin.iam("GetUser", &[("UserName", "secretuser")]), "UserId");
    let role_id = created(admin.iam("GetRole", &[("RoleName", "secretrole")]), "RoleId");
    let ids = vec![policy_id, group_id, user_id, role_id];
    Attacked { user: "secretuser", group: "secretgroup", role: "secretrole", key: alice.keys.id, ids, metadata }
}

/// How the objects of the attacked account are named.
#[derive(Clone, Copy, PartialEq, Debug)]
enum By {
    Name,
    Id,
    Arn,
}

/// The value of a parameter: what the attacked account has where it names something, else something that fits.
fn value(operation: &Operation, member: &Member, attacked: &Attacked, by: By) -> Option<String> {
    let arn = |kind: &str, name: &str| format!("arn:aws:iam::{ACCOUNT}:{kind}/{name}");
    let named = |kind: &str, name: &str, id: usize| match by {
        By::Name => name.to_owned(),
        By::Id => attacked.ids[id].clone(),
        By::Arn => arn(kind, name),
    };
    let trust = json!([{ "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sts:AssumeRole" }]);
    Some(match member.wire_name {
        "UserName" => named("user", attacked.user, 2),
        "GroupName" => named("group", attacked.group, 1),
        "RoleName" => named("role", attacked.role, 3),
        "PolicyArn" | "PermissionsBoundary" => POLICY.to_owned(),
        "PolicySourceArn" | "PrincipalArn" if by == By::Name => arn("user", attacked.user),
        "PolicySourceArn" | "PrincipalArn" | "RoleArn" => arn("role", attacked.role),
        "PolicyName" => INLINE.to_owned(),
        "AccessKeyId" => attacked.key.clone(),
        "AccountAlias" => ALIAS.to_owned(),
        "AccountId" => ACCOUNT.to_owned(),
        "OpenIDConnectProviderArn" => arn("oidc-provider", ISSUER),
        "SAMLProviderArn" => arn("saml-provider", SAML),
        "Url" => format!("https://{ISSUER}"),
        "SAMLMetadataDocument" => attacked.metadata.clone(),
        "WebIdentityToken" | "SAMLAssertion" => "nothing.that.opens".to_owned(),
        "Name" => SAML.to_owned(),
        "VersionId" => "v1".to_owned(),
        "Status" => "Inactive".to_owned(),
        "PolicyDocument" if operation.name != "UpdateAssumeRolePolicy" => document(&all_of("*")),
        "PolicyDocument" | "AssumeRolePolicyDocument" => document(&trust),
        "RoleSessionName" => "session".to_owned(),
        "ActionName" => "ecr:PutImage".to_owned(),
        "NewUserName" | "NewGroupName" => "renamed".to_owned(),
        "Description" | "ClientID" => "changed".to_owned(),
        _ => return None,
    })
}

/// Lists and structures, by the names that forms have for them.
fn lists(member: &Member) -> Vec<(String, String)> {
    let name = member.wire_name;
    match name {
        "Tags" => {
            vec![(format!("{name}.member.1.Key"), "x".to_owned()), (format!("{name}.member.1.Value"), "x".to_owned())]
        }
        "ThumbprintList" => vec![(format!("{name}.member.1"), "a".repeat(40))],
        "ClientIDList" => vec![(format!("{name}.member.1"), "changed".to_owned())],
        "TagKeys" => vec![(format!("{name}.member.1"), TAG.to_owned())],
        "ActionNames" => vec![(format!("{name}.member.1"), "ecr:PutImage".to_owned())],
        "PolicyInputList" => vec![(format!("{name}.member.1"), document(&all_of("*")))],
        _ => Vec::new(),
    }
}

/// Every member that can name something, and every one that must be there.
fn form(operation: &Operation, attacked: &Attacked, by: By) -> Vec<(String, String)> {
    let mut form = Vec::new();
    for member in operation.input.members() {
        match (value(operation, member, attacked, by), &member.shape.kind) {
            (Some(value), _) => form.push((member.wire_name.to_owned(), value)),
            (None, Kind::List { .. }) => form.extend(lists(member)),
            (None, _) => assert!(!member.required, "nothing to put in {}: add it above", member.wire_name),
        }
    }
    form
}

/// Operations that are about all of the caller's own account: they succeed, and hold nothing of another's.
const OWN: [&str; 12] = [
    // Done where there is nothing to be done, too, as AWS has it; that nothing was done is seen by the inventory.
    "DeleteOpenIDConnectProvider",
    "GetAccountAuthorizationDetails",
    "GetAccountSummary",
    "GetContextKeysForCustomPolicy",
    "ListAccountAliases",
    "ListGroups",
    "ListOpenIDConnectProviders",
    "ListPolicies",
    "ListRoles",
    "ListSAMLProviders",
    "ListUsers",
    "SimulateCustomPolicy",
];

/// Makes something of its own, of the same name: that is no secret.
fn makes_its_own(operation: &Operation) -> bool {
    let made = [
        "CreateUser",
        "CreateGroup",
        "CreateRole",
        "CreatePolicy",
        "CreateOpenIDConnectProvider",
        "CreateSAMLProvider",
    ];
    made.contains(&operation.name)
}

fn expect_nothing_told(operation: &str, parameters: &[(String, String)], reply: &berth_testkit::Reply) {
    let text = reply.text();
    let echoed = |word: &str| parameters.iter().any(|(_, value)| value.contains(word));
    let planted = ["secretuser", "secretgroup", "secretrole", "secretpolicy", INLINE, ALIAS, TAG, "secretrepository"];
    for word in planted.into_iter().chain(["secretissuer", "secretclient", SAML, "secretentity"]) {
        assert!(echoed(word) || !text.contains(word), "{operation} told {word}: {text}");
    }
}

/// Everything that the attacked account has, as its administrator sees it.
fn inventory(server: &Server, attacked: &Attacked) -> Vec<String> {
    let admin = admin(server);
    let provider = |kind: &str, name: &str| format!("arn:aws:iam::{ACCOUNT}:{kind}/{name}");
    let cut = |reply: berth_testkit::Reply| {
        let text = reply.expect(200).text();
        text.split("<ResponseMetadata>").next().unwrap().to_owned()
    };
    vec![
        cut(admin.iam("GetAccountAuthorizationDetails", &[])),
        cut(admin.iam("ListAccessKeys", &[("UserName", attacked.user)])),
        cut(admin.iam("ListAccountAliases", &[])),
        cut(admin.iam("GetAccountSummary", &[])),
        cut(admin.iam("GetOpenIDConnectProvider", &[("OpenIDConnectProviderArn", &provider("oidc-provider", ISSUER))])),
        cut(admin.iam("GetSAMLProvider", &[("SAMLProviderArn", &provider("saml-provider", SAML))])),
    ]
}

#[test]
fn a76_no_operation_reaches_into_another_account() {
    attack(|server| {
        let target = plant(server);
        let before = inventory(server, &target);
        let attacker = account(server, "111111111111");
        attacker.iam("CreateUser", &[("UserName", "nobody")]).expect(200);
        let nobody = attacker.with(Keys::of(&attacker.iam("CreateAccessKey", &[("UserName", "nobody")]).expect(200)));
        // What makes something comes last: it would be found under the name from then on.
        let mut operations = [IAM.operations, BERTH.operations].concat();
        operations.sort_by_key(|operation| makes_its_own(operation));
        let mut tried = 0;
        for operation in operations {
            for by in [By::Name, By::Id, By::Arn] {
                let parameters = form(operation, &target, by);
                let sent: Vec<(&str, &str)> =
                    parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let reply = attacker.iam(operation.name, &sent);
                expect_nothing_told(operation.name, &parameters, &reply);
                expect_refused(operation, by, &reply);
                let reply = nobody.iam(operation.name, &sent);
                expect_nothing_told(operation.name, &parameters, &reply);
                assert!(matches!(reply.status, 400 | 403), "{}: {} {}", operation.name, reply.status, reply.text());
                tried += 1;
            }
        }
        assert_eq!(tried, 3 * (IAM.operations.len() + BERTH.operations.len()));
        assert_eq!(inventory(server, &target), before);
    });
}

#[track_caller]
fn expect_refused(operation: &Operation, by: By, reply: &berth_testkit::Reply) {
    let code = fault_code(reply);
    let fits = match (reply.status, code.as_deref()) {
        (404, Some("NoSuchEntity")) | (403, Some("AccessDenied")) => true,
        (200, None) => OWN.contains(&operation.name) || makes_its_own(operation),
        // An alias is known to everybody, as AWS has it; what was made before is the own one.
        (409, Some("EntityAlreadyExists")) => operation.name == "CreateAccountAlias" || makes_its_own(operation),
        // An ARN is no name.
        (400, Some("ValidationError")) => by == By::Arn,
        _ => false,
    };
    assert!(fits, "{} {by:?}: {} {}", operation.name, reply.status, reply.text());
}

#[test]
fn a76_no_policy_of_another_account_is_borrowed() {
    attack(|server| {
        plant(server);
        let attacker = account(server, "111111111111");
        attacker.iam("CreateUser", &[("UserName", "own")]).expect(200);
        let trust = document(&json!([{ "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sts:AssumeRole" }]));
        attacker.iam("CreateRole", &[("RoleName", "own"), ("AssumeRolePolicyDocument", &trust)]).expect(200);
        attacker.iam("CreateGroup", &[("GroupName", "own")]).expect(200);
        let missing = POLICY.replace("secretpolicy", "secretmisser");
        let role = "arn:aws:iam::111111111111:role/own";
        let tries: [(&str, Vec<(&str, &str)>); 8] = [
            ("AttachUserPolicy", vec![("UserName", "own")]),
            ("AttachRolePolicy", vec![("RoleName", "own")]),
            ("AttachGroupPolicy", vec![("GroupName", "own")]),
            ("PutUserPermissionsBoundary", vec![("UserName", "own")]),
            ("PutRolePermissionsBoundary", vec![("RoleName", "own")]),
            ("CreateUser", vec![("UserName", "other")]),
            ("CreateRole", vec![("RoleName", "other"), ("AssumeRolePolicyDocument", &trust)]),
            ("AssumeRole", vec![("RoleArn", role), ("RoleSessionName", "session")]),
        ];
        for (operation, own) in tries {
            let ask = |arn: &str| {
                let mut parameters = own.clone();
                let name = match operation {
                    "AssumeRole" => "PolicyArns.member.1.arn",
                    attach if attach.starts_with("Attach") => "PolicyArn",
                    _ => "PermissionsBoundary",
                };
                parameters.push((name, arn));
                if operation == "AssumeRole" {
                    attacker.sts(operation, &parameters)
                } else {
                    attacker.iam(operation, &parameters)
                }
            };
            // That there is such a policy is not told either.
            let (known, unknown) = (ask(POLICY), ask(&missing));
            assert_eq!((known.status, fault_code(&known)), (unknown.status, fault_code(&unknown)), "{operation}");
            assert!(matches!(known.status, 400 | 404), "{operation}: {}", known.text());
        }
    });
}

#[test]
fn a76_no_role_of_another_account_is_assumed_unasked() {
    attack(|server| {
        plant(server);
        let admin = admin(server);
        let trusted = format!("arn:aws:iam::{ACCOUNT}:root");
        role(&admin, "trusting", &[&trusted], &all_of("*"));
        let attacker = account(server, "111111111111");
        for name in ["trusting", "nothere"] {
            let arn = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
            for operation in STS.operations.iter().filter(|operation| operation.name == "AssumeRole") {
                let reply = attacker.sts(operation.name, &[("RoleArn", arn.as_str()), ("RoleSessionName", "session")]);
                assert_eq!((reply.status, fault_code(&reply).as_deref()), (403, Some("AccessDenied")), "{name}");
            }
        }
    });
}

/// Every request below a repository, and those beside.
pub fn routes(blob: &str, manifest: &str, upload: &str) -> Vec<(&'static str, String)> {
    let mut routes = vec![
        ("GET", "/v2/_catalog".to_owned()),
        ("GET", "/v2/secret/repository/tags/list".to_owned()),
        ("GET", format!("/v2/secret/repository/referrers/{manifest}")),
        ("POST", "/v2/secret/repository/blobs/uploads/".to_owned()),
        ("POST", format!("/v2/secret/repository/blobs/uploads/?mount={blob}&from=secret/repository")),
        ("POST", format!("/v2/other/name/blobs/uploads/?mount={blob}&from=secret/repository")),
        ("PUT", "/v2/secret/repository/manifests/new".to_owned()),
        ("GET", "/metrics".to_owned()),
    ];
    for method in ["GET", "HEAD", "PATCH", "PUT", "DELETE"] {
        routes.push((method, upload.to_owned()));
    }
    for method in ["GET", "HEAD", "DELETE"] {
        routes.push((method, format!("/v2/secret/repository/blobs/{blob}")));
        routes.push((method, format!("/v2/secret/repository/manifests/{manifest}")));
        routes.push((method, "/v2/secret/repository/manifests/secrettag".to_owned()));
    }
    routes
}

#[test]
fn a76_no_route_of_the_registry_opens_to_another_account() {
    attack_on(builder().setting("auth.challenge", "bearer"), |server| {
        let owner = server.client();
        let image = Image::of(vec![b"secretcontent".to_vec()]);
        owner.push_image("secret/repository", "secrettag", &image);
        let upload = target_of(&owner.request("POST", "/v2/secret/repository/blobs/uploads/", &[], &[]).expect(202));
        let attacker = account(server, "111111111111");
        attacker.iam("CreateUser", &[("UserName", "administrator2")]).expect(200);
        let everything = "arn:aws:iam::aws:policy/AdministratorAccess";
        attacker.iam("AttachUserPolicy", &[("UserName", "administrator2"), ("PolicyArn", everything)]).expect(200);
        let second = attacker.iam("CreateAccessKey", &[("UserName", "administrator2")]).expect(200);
        let second = AwsClient::new(server.addr(), Keys::of(&second));
        let key = by_key(server, &attacker);
        let scopes = ["repository:secret/repository:*", "registry:catalog:*"];
        let token = Client::bearer(server.addr(), &bearer(&key, &scopes));
        let blob = sha256(&image.layers[0]);
        for caller in [&key, &by_login(server, &attacker), &by_key(server, &second), &token] {
            caller.get("/v2/").expect(200);
            for (method, target) in routes(&blob, &image.manifest.digest, &upload) {
                let reply = caller.request(method, &target, &[], &[]);
                assert!(matches!(reply.status, 401 | 403 | 404), "{method} {target}: {reply:?}");
                assert!(!reply.text().contains("secretcontent") && !reply.text().contains("secrettag\""), "{reply:?}");
                assert_eq!((reply.header("docker-content-digest"), reply.header("location")), (None, None), "{target}");
            }
        }
        owner.get(&upload).expect(204);
        assert_eq!(owner.manifest("secret/repository", "secrettag").expect(200).body, image.manifest.bytes);
        let tags = owner.get("/v2/secret/repository/tags/list").expect(200).json();
        assert_eq!(tags["tags"], json!(["secrettag"]));
    });
}
