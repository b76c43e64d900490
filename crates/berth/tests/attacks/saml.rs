//! A65 to A67: SAML responses that are forged, wrapped, weakly signed, for somebody else or shown again.

use std::net::TcpListener;

use berth_testkit::aws::{ACCOUNT, AwsClient, AwsRequest, Keys, element, expect_fault, now};
use berth_testkit::saml::{IdentityProvider, Response, careless, disguised, wrapped};
use berth_testkit::{Reply, Server, empty_index};
use serde_json::json;

use crate::people::{admin, all_of, by_login, document};
use crate::support::attack;

const ENTITY: &str = "https://idp.example/metadata";
const EVIL: &str = "root@example.com";

fn provider_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:saml-provider/corp")
}

fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// A provider that the account trusts, and two roles that trust it: one for everybody, one for the evil subject alone.
fn trusted(server: &Server) -> IdentityProvider {
    let (admin, provider) = (admin(server), IdentityProvider::new(ENTITY));
    let metadata = provider.metadata();
    admin.iam("CreateSAMLProvider", &[("Name", "corp"), ("SAMLMetadataDocument", &metadata)]).expect(200);
    let everybody = json!({ "StringEquals": { "saml:aud": "https://signin.aws.amazon.com/saml" } });
    for (name, condition) in [("ci", everybody), ("root", json!({ "StringEquals": { "saml:sub": EVIL } }))] {
        let statement = json!([{
            "Effect": "Allow", "Principal": { "Federated": provider_arn() }, "Action": "sts:AssumeRoleWithSAML", "Condition": condition,
        }]);
        let trust = document(&statement);
        admin.iam("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)]).expect(200);
        let own = document(&all_of("team/*"));
        let policy = [("RoleName", name), ("PolicyName", "own"), ("PolicyDocument", own.as_str())];
        admin.iam("PutRolePolicy", &policy).expect(200);
    }
    provider
}

fn said_by(subject: &str) -> Response {
    let pairs = ["ci", "root"].map(|role| format!("{},{}", role_arn(role), provider_arn()));
    Response::new(subject, &[&pairs[0], &pairs[1]], now())
}

/// Calls without any signature.
fn assume(server: &Server, role: &str, response: &str) -> Reply {
    let (role, provider) = (role_arn(role), provider_arn());
    let parameters = [("RoleArn", role.as_str()), ("PrincipalArn", provider.as_str()), ("SAMLAssertion", response)];
    let caller = AwsClient::new(server.addr(), Keys::new("", ""));
    caller.send(&AwsRequest::query("sts", "AssumeRoleWithSAML", &parameters))
}

fn nobody_gets_in(server: &Server, attempts: &[(&'static str, String)]) {
    for (name, response) in attempts {
        for role in ["ci", "root"] {
            let reply = assume(server, role, response);
            assert!(element(&reply, "SecretAccessKey").is_none(), "{name}: {}", reply.text());
            expect_fault(&reply, 400, "InvalidIdentityToken");
        }
    }
}

#[test]
fn a65_no_wrapped_assertion_is_believed() {
    attack(|server| {
        let provider = trusted(server);
        let evil = Response { subject: EVIL.to_owned(), ..said_by("root") };
        nobody_gets_in(server, &wrapped(&provider, &said_by("alice"), &evil));
    });
}

#[test]
fn a65_no_markup_splits_a_name_or_fetches_anything() {
    attack(|server| {
        let provider = trusted(server);
        let trap = TcpListener::bind("127.0.0.1:0").unwrap();
        trap.set_nonblocking(true).unwrap();
        let address = format!("http://{}/entity", trap.local_addr().unwrap());
        // What is before the markup is the evil name: who reads only that far lets it in.
        let long = Response { subject: format!("{EVIL}.example.org"), ..said_by("root") };
        for response in [said_by("alice"), long] {
            nobody_gets_in(server, &disguised(&provider, &response, &address));
        }
        assert!(trap.accept().is_err(), "somebody fetched an entity");
    });
}

#[test]
fn a66_an_assertion_is_good_once_and_for_one_service() {
    attack(|server| {
        let provider = trusted(server);
        let (response, at) = (said_by("alice"), now());
        let right = provider.respond(&response);
        let first = assume(server, "ci", &right).expect(200);
        assert_eq!(element(&first, "Subject").as_deref(), Some("alice"));
        for role in ["ci", "root"] {
            let again = assume(server, role, &right);
            assert!(element(&again, "SecretAccessKey").is_none(), "{}", again.text());
        }
        expect_fault(&assume(server, "ci", &right), 400, "InvalidIdentityToken");
        // Nor is the same assertion in another envelope.
        expect_fault(&assume(server, "ci", &provider.respond_signed(&response)), 400, "InvalidIdentityToken");
        let changed = |change: fn(&mut Response)| {
            let mut response = said_by("alice");
            change(&mut response);
            provider.respond(&response)
        };
        let cases = [
            ("audience", changed(|response| response.audience = "urn:other".to_owned())),
            ("recipient", changed(|response| response.recipient = "https://other.example/saml".to_owned())),
            ("an answer", changed(|response| response.answers = Some("_q".to_owned()))),
            ("issuer", changed(|response| response.issuer = Some("https://other.example".to_owned()))),
            ("early", changed(|response| response.window.0 += 600)),
        ];
        nobody_gets_in(server, &cases);
        let over = [
            changed(|response| response.window.1 -= 600),
            changed(|response| response.confirmed_until -= 600),
            changed(|response| response.issued -= 600),
            changed(|response| response.session_until = Some(response.issued - 1)),
        ];
        for response in over {
            expect_fault(&assume(server, "ci", &response), 400, "ExpiredTokenException");
        }
        let failed = changed(|response| response.status = "AuthnFailed".to_owned());
        expect_fault(&assume(server, "ci", &failed), 403, "IDPRejectedClaim");
        // The role that is asked for is one that the provider gave, and that trusts the subject.
        let other =
            Response::new("alice", &["arn:aws:iam::111122223333:role/x,arn:aws:iam::111122223333:saml-provider/y"], at);
        expect_fault(&assume(server, "ci", &provider.respond(&other)), 403, "AccessDenied");
        expect_fault(&assume(server, "root", &provider.respond(&said_by("alice"))), 403, "AccessDenied");
    });
}

#[test]
fn a67_only_the_keys_of_the_metadata_and_strong_algorithms_count() {
    attack(|server| {
        let (provider, attacker) = (trusted(server), IdentityProvider::new(ENTITY));
        nobody_gets_in(server, &careless(&provider, &attacker, &said_by("alice")));
        // What is left of the attempts is a response that is right.
        assume(server, "ci", &provider.respond(&said_by("alice"))).expect(200);
    });
}

/// The control: what the attacks are variations of works, and ends with the provider.
#[test]
fn a66_a_session_works_and_ends_with_its_provider() {
    attack(|server| {
        let provider = trusted(server);
        let admin = admin(server);
        let session = |response: &Response| {
            let reply = assume(server, "ci", &provider.respond(response)).expect(200);
            AwsClient::new(server.addr(), Keys::of(&reply))
        };
        let caller = session(&said_by("alice"));
        by_login(server, &caller).push_manifest("team/a", "latest", &empty_index("a")).expect(201);
        caller.iam("ListUsers", &[]).expect(403);
        admin.iam("DeleteSAMLProvider", &[("SAMLProviderArn", &provider_arn())]).expect(200);
        berth_testkit::eventually("the session has ended", || caller.sts("GetCallerIdentity", &[]).status == 403);
    });
}
