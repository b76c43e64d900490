//! A56 to A61: requests whose signature does not say what it should.

use berth_testkit::aws::{AwsClient, AwsRequest, Keys, Signing, expect_fault, now};
use berth_testkit::{Reply, Server};

use crate::people::{admin, all_of, user};
use crate::support::attack;

const SERVICES: [&str; 3] = ["iam", "sts", "ecr"];

/// A call to a service that everybody with an administrator's rights may make.
fn harmless(service: &str) -> AwsRequest {
    match service {
        "iam" => AwsRequest::query("iam", "GetUser", &[]),
        "sts" => AwsRequest::query("sts", "GetCallerIdentity", &[]),
        _ => AwsRequest::ecr("GetAuthorizationToken", "{}"),
    }
}

/// The status and code with which a service refuses, after the code of the Query protocol.
fn expect_refused(service: &str, code: &str, reply: &Reply) {
    let of_ecr = match code {
        "SignatureDoesNotMatch" => "InvalidSignatureException",
        "IncompleteSignature" => "IncompleteSignatureException",
        "InvalidClientTokenId" => "UnrecognizedClientException",
        other => panic!("{other}"),
    };
    match (service, code) {
        ("ecr", _) => expect_fault(reply, 400, of_ecr),
        (_, "IncompleteSignature") => expect_fault(reply, 400, code),
        _ => expect_fault(reply, 403, code),
    }
}

/// Runs a test for every service, with a caller and a way to sign.
fn for_each_service(server: &Server, test: impl Fn(&str, &AwsClient, Signing)) {
    let client = admin(server);
    for service in SERVICES {
        let signing = Signing::new(&client.keys, service);
        client.send(&signing.sign(harmless(service), &client.host())).expect(200);
        test(service, &client, signing);
    }
}

#[test]
fn a56_what_was_signed_is_what_counts() {
    attack(|server| {
        for_each_service(server, |service, client, signing| {
            let refused = |request: &AwsRequest| {
                expect_refused(service, "SignatureDoesNotMatch", &client.send(request));
            };
            let honest = signing.sign(harmless(service), &client.host());
            let mut changed = honest.clone();
            changed.body = AwsRequest::query("iam", "ListUsers", &[]).body;
            refused(&changed);
            changed.body = [honest.body.as_slice(), b" "].concat();
            refused(&changed);
            // A hash that was signed as well does not help: it is not that of the body.
            let mut hashing = signing.clone();
            let hash = berth_testkit::sha256(&honest.body).replace("sha256:", "");
            hashing.payload = Some(hash.clone());
            let hashed = hashing.sign(harmless(service).with("x-amz-content-sha256", &hash), &client.host());
            client.send(&hashed).expect(200);
            changed.headers.clone_from(&hashed.headers);
            refused(&changed);
            // Nor one put in later.
            refused(&honest.clone().with("x-amz-content-sha256", &hash));
            for name in ["x-amz-meta", "X-Amz-Security-Token", "x-amz-date2", "X-AMZ-"] {
                let reply = client.send(&honest.clone().with(name, "1"));
                assert!(matches!(reply.status, 400 | 403), "{service} {name}: {}", reply.text());
            }
            let mut asking = honest.clone();
            asking.query.push(("Action".to_owned(), "ListUsers".to_owned()));
            refused(&asking);
            for name in ["host", "x-amz-date"] {
                let part = Signing { unsigned: vec![name.to_owned()], ..signing.clone() };
                refused(&part.sign(harmless(service), &client.host()));
            }
            refused(&signing.sign(harmless(service), "registry.example.org"));
            refused(&signing.clone().with_secret("x").sign(harmless(service), &client.host()));
        });
        let client = admin(server);
        let mut other = Signing::new(&client.keys, "ecr").sign(harmless("ecr"), &client.host());
        let target = other.headers.iter_mut().find(|(name, _)| name == "x-amz-target").unwrap();
        target.1 = target.1.replace("GetAuthorizationToken", "DescribeRepositories");
        expect_refused("ecr", "SignatureDoesNotMatch", &client.send(&other));
        let part = Signing { unsigned: vec!["x-amz-target".to_owned()], ..Signing::new(&client.keys, "ecr") };
        expect_refused("ecr", "SignatureDoesNotMatch", &client.send(&part.sign(harmless("ecr"), &client.host())));
    });
}

#[test]
fn a57_a_signature_is_good_for_its_time_and_place() {
    attack(|server| {
        for_each_service(server, |service, client, signing| {
            let send = |signing: &Signing| client.send(&signing.sign(harmless(service), &client.host()));
            let refused = |signing: &Signing| expect_refused(service, "SignatureDoesNotMatch", &send(signing));
            // Half a minute beside the edge of a quarter of an hour, so that a slow machine decides nothing.
            for distance in [870, -870] {
                send(&signing.clone().at(now() + distance)).expect(200);
            }
            for distance in [930, -930, 86_400, -86_400, 3_153_600_000] {
                refused(&signing.clone().at(now() + distance));
            }
            for day in [now() - 86_400, now() + 86_400].map(berth_testkit::aws::day_of) {
                refused(&Signing { day, ..signing.clone() });
            }
            for region in ["eu-west-1", "us-east-2", "US-EAST-1", "aws-global"] {
                refused(&Signing { region: region.to_owned(), ..signing.clone() });
            }
            for other in SERVICES.into_iter().chain(["s3", "IAM", "execute-api"]).filter(|other| *other != service) {
                refused(&Signing { service: other.to_owned(), ..signing.clone() });
            }
            for (shown, made) in [("aws5_request", "aws4_request"), ("aws5_request", "aws5_request")] {
                let (terminator, key_terminator) = (shown.to_owned(), made.to_owned());
                let reply = send(&Signing { terminator, key_terminator, ..signing.clone() });
                assert!(matches!(reply.status, 400 | 403), "{service}: {}", reply.text());
            }
        });
    });
}

#[test]
fn a58_a_request_is_signed_once() {
    attack(|server| {
        for_each_service(server, |service, client, signing| {
            let refused = |request: &AwsRequest| {
                expect_refused(service, "IncompleteSignature", &client.send(request));
            };
            let (host, plain) = (client.host(), harmless(service));
            let presigned = signing.presign(plain.clone(), &host, "60");
            client.send(&presigned).expect(200);
            refused(&signing.sign(presigned.clone(), &host));
            refused(&presigned.clone().with("authorization", "Basic QUtJQTp4"));
            let mut half = plain.clone();
            half.query.push(("X-Amz-Credential".to_owned(), "x".to_owned()));
            refused(&signing.sign(half, &host));
            let honest = signing.sign(plain.clone(), &host);
            let own = honest.header("authorization").unwrap().to_owned();
            for other in [own.as_str(), "Basic QUtJQTp4", "Bearer x", "AWS4-HMAC-SHA256 Credential=x"] {
                refused(&honest.clone().with("authorization", other));
                let mut first = honest.clone();
                first.headers.insert(0, ("authorization".to_owned(), other.to_owned()));
                refused(&first);
            }
            // What comes twice is covered by the signature, so that only its coming twice is wrong.
            for name in ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Algorithm", "X-Amz-Expires", "X-Amz-SignedHeaders"] {
                let value = presigned.query.iter().find(|(own, _)| own == name).unwrap().1.clone();
                let mut twice = plain.clone();
                twice.query.push((name.to_owned(), value));
                refused(&signing.presign(twice, &host, "60"));
            }
            let mut twice = presigned.clone();
            twice.query.push(("X-Amz-Signature".to_owned(), "0".repeat(64)));
            refused(&twice);
            let doubled = own.replace("Credential=", "Credential=x, Credential=");
            let mut other = honest;
            other.headers.retain(|(name, _)| name != "authorization");
            refused(&other.with("authorization", &doubled));
        });
    });
}

#[test]
fn a59_no_body_goes_unsigned() {
    attack(|server| {
        for_each_service(server, |service, client, signing| {
            for payload in [
                "UNSIGNED-PAYLOAD",
                "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
                "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
                "",
            ] {
                let careless = Signing { payload: Some(payload.to_owned()), ..signing.clone() };
                let said = harmless(service).with("x-amz-content-sha256", payload);
                let refused = |request: &AwsRequest| {
                    expect_refused(service, "SignatureDoesNotMatch", &client.send(request));
                };
                refused(&careless.sign(said.clone(), &client.host()));
                refused(&careless.sign(harmless(service), &client.host()));
                refused(&careless.presign(said, &client.host(), "60"));
                let mut asked = harmless(service);
                asked.query.push(("X-Amz-Content-Sha256".to_owned(), payload.to_owned()));
                refused(&careless.presign(asked, &client.host(), "60"));
                refused(&careless.presign(harmless(service), &client.host(), "60"));
            }
        });
    });
}

#[test]
fn a60_a_presigned_request_ends() {
    attack(|server| {
        for_each_service(server, |service, client, signing| {
            let send = |signing: &Signing, expires: &str| {
                client.send(&signing.presign(harmless(service), &client.host(), expires))
            };
            for expires in ["1000", "604800"] {
                send(&signing, expires).expect(200);
            }
            for expires in ["604801", "0", "-1", "+60", "1e3", "", " 60", "60.0", "4294967356", "99999999999999999999"]
            {
                expect_refused(service, "IncompleteSignature", &send(&signing, expires));
            }
            for (moment, expires) in [(now() - 120, "60"), (now() - 700_000, "604800"), (now() + 3_600, "7200")] {
                expect_refused(service, "SignatureDoesNotMatch", &send(&signing.clone().at(moment), expires));
            }
            let mut longer = signing.clone().at(now() - 120).presign(harmless(service), &client.host(), "60");
            longer.query.iter_mut().find(|(name, _)| name == "X-Amz-Expires").unwrap().1 = "600".to_owned();
            expect_refused(service, "SignatureDoesNotMatch", &client.send(&longer));
        });
    });
}

#[test]
fn a61_temporary_credentials_come_with_their_own_token() {
    attack(|server| {
        let session = |name: &str| {
            let own = user(server, name, &all_of("*"));
            let temporary = Keys::of(&own.sts("GetSessionToken", &[]).expect(200));
            (own, temporary)
        };
        let ((alice, of_alice), (_, of_bob)) = (session("alice"), session("bob"));
        for service in ["sts", "ecr"] {
            let send = |signing: &Signing| alice.send(&signing.sign(harmless(service), &alice.host()));
            let signing = |keys: &Keys| Signing::new(keys, service);
            let refused = |keys: &Keys| {
                expect_refused(service, "InvalidClientTokenId", &send(&signing(keys)));
            };
            send(&signing(&of_alice)).expect(200);
            // Signed with the secret that goes with the token, in another's name.
            refused(&Keys { id: of_alice.id.clone(), ..of_bob.clone() });
            refused(&Keys { id: "ASIAAAAAAAAAAAAAAAAA".to_owned(), ..of_bob.clone() });
            refused(&Keys { token: None, ..of_alice.clone() });
            refused(&Keys { token: of_bob.token.clone(), ..of_alice.clone() });
            refused(&Keys { id: alice.keys.id.clone(), ..of_alice.clone() });
            refused(&Keys { token: of_alice.token.clone(), ..alice.keys.clone() });
            let token = of_alice.token.clone().unwrap();
            for other in [token[1..].to_owned(), format!("{token}A"), "x".to_owned(), alice.login_password()] {
                refused(&Keys { token: Some(other), ..of_alice.clone() });
            }
            let unsigned = Signing { unsigned: vec!["x-amz-security-token".to_owned()], ..signing(&of_alice) };
            expect_refused(service, "SignatureDoesNotMatch", &send(&unsigned));
            let other_secret = signing(&of_alice).with_secret(&of_bob.secret);
            expect_refused(service, "SignatureDoesNotMatch", &send(&other_secret));
        }
        // At the registry's door neither half opens anything.
        for password in [&of_alice.secret, of_alice.token.as_ref().unwrap()] {
            berth_testkit::Client::login(server.addr(), &of_alice.id, password).get("/v2/").expect(401);
        }
    });
}
