//! `registry.host` and `registry.regions`: which registry a request is about, and how it is called.

use berth_testkit::aws::{AwsClient, AwsRequest, Keys, Signing};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Image, Reply, Server, ServerBuilder, target_of};

use crate::support::builder;

const OTHER: &str = "111111111111";

fn hosted() -> ServerBuilder {
    builder().setting("registry.host", "{account}.{region}.example.org:8443").setting("registry.regions", "eu-west-1")
}

fn host(account: &str, region: &str) -> String {
    format!("{account}.{region}.example.org:8443")
}

fn admin(server: &Server) -> AwsClient {
    AwsClient::new(server.addr(), Keys::new(ADMIN_ID, ADMIN_SECRET))
}

/// The administrator of another account, which is made.
fn other(server: &Server) -> AwsClient {
    let made = admin(server).iam("CreateAccount", &[("AccountId", OTHER)]).expect(200);
    AwsClient::new(server.addr(), Keys::of(&made))
}

fn login(server: &Server, caller: &AwsClient) -> Client {
    Client::login(server.addr(), &caller.keys.id, &caller.keys.secret)
}

/// A call of ECR that is signed for a region.
fn in_region(caller: &AwsClient, region: &str, body: &str) -> Reply {
    let signing = Signing { region: region.to_owned(), ..Signing::new(&caller.keys, "ecr") };
    caller.send(&signing.sign(AwsRequest::ecr("GetAuthorizationToken", body), &caller.host()))
}

fn endpoints(reply: &Reply) -> Vec<String> {
    let data = reply.json()["authorizationData"].as_array().unwrap().clone();
    data.iter().map(|entry| entry["proxyEndpoint"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_host_is_a_registry_of_its_own() {
    let server = hosted().start();
    let theirs = login(&server, &other(&server));
    let places =
        [("000000000000", "us-east-1"), ("000000000000", "eu-west-1"), (OTHER, "us-east-1"), (OTHER, "eu-west-1")];
    let caller = |(account, region)| {
        if account == OTHER {
            theirs.at_host(&host(account, region))
        } else {
            server.client().at_host(&host(account, region))
        }
    };
    let image = |place: (&str, &str)| Image::of(vec![format!("{place:?}").into_bytes()]);
    for place in places {
        caller(place).push_image("team/app", "one", &image(place));
    }
    for place in places {
        let pulled = caller(place).manifest("team/app", "one").expect(200);
        assert_eq!(pulled.body, image(place).manifest.bytes, "{place:?}");
        let blob = berth_testkit::sha256(&image(place).layers[0]);
        for elsewhere in places {
            let expected = if elsewhere == place { 200 } else { 404 };
            caller(elsewhere).blob("team/app", &blob).expect(expected);
        }
    }
    // Any other name is that of the server's own registry, and so is the right one with another port.
    for name in ["127.0.0.1", "registry.example.org", "111111111111.us-east-1.example.org"] {
        let pulled = server.client().at_host(name).manifest("team/app", "one").expect(200);
        assert_eq!(pulled.body, image(places[0]).manifest.bytes, "{name}");
    }
    for (account, region) in [("222222222222", "us-east-1"), (OTHER, "mars-1")] {
        let refused = theirs.at_host(&host(account, region)).manifest("team/app", "one").expect(404);
        let error = refused.json()["errors"][0].clone();
        assert_eq!(
            (&error["code"], &error["message"]),
            (&"NAME_UNKNOWN".into(), &format!("there is no registry {account} in {region} here").into())
        );
    }
    admin(&server).iam("DeleteAccount", &[("AccountId", OTHER)]).expect(409);
}

#[test]
fn without_a_template_the_host_says_nothing() {
    let server = builder().start();
    let theirs = login(&server, &other(&server));
    server.client().push_image("team/app", "one", &Image::of(vec![b"layer".to_vec()]));
    for name in [host(OTHER, "us-east-1"), "111111111111.dkr.ecr.us-east-1.amazonaws.com".to_owned()] {
        server.client().at_host(&name).manifest("team/app", "one").expect(200);
        theirs.at_host(&name).manifest("team/app", "one").expect(403);
    }
    let reply = other_region(&server);
    assert!(reply.text().contains("not 'eu-west-1'. Valid here: us-east-1."), "{}", reply.text());
}

fn other_region(server: &Server) -> Reply {
    in_region(&admin(server), "eu-west-1", "{}").expect(400)
}

#[test]
fn logins_say_where_registries_are() {
    let server = hosted().start();
    let (admin, theirs) = (admin(&server), other(&server));
    let at = |account, region| format!("http://{}", host(account, region));
    assert_eq!(endpoints(&in_region(&admin, "us-east-1", "{}").expect(200)), [at("000000000000", "us-east-1")]);
    assert_eq!(endpoints(&in_region(&admin, "eu-west-1", "{}").expect(200)), [at("000000000000", "eu-west-1")]);
    assert_eq!(endpoints(&in_region(&theirs, "eu-west-1", "{}").expect(200)), [at(OTHER, "eu-west-1")]);
    let both = format!(r#"{{"registryIds":["{OTHER}","000000000000"]}}"#);
    let expected = [at(OTHER, "us-east-1"), at("000000000000", "us-east-1")];
    assert_eq!(endpoints(&in_region(&admin, "us-east-1", &both).expect(200)), expected);
    // The host's region is the one that counts.
    let called = theirs.at_host(&host("000000000000", "eu-west-1"));
    assert_eq!(endpoints(&in_region(&called, "us-east-1", "{}").expect(200)), [at(OTHER, "eu-west-1")]);
    let wrong = in_region(&admin, "mars-1", "{}").expect(400);
    assert!(wrong.text().contains("not 'mars-1'. Valid here: us-east-1, eu-west-1."), "{}", wrong.text());
}

#[test]
fn clients_stay_with_the_host_that_they_used() {
    let server = hosted()
        .args(["--public-url", "https://registry.example.org"])
        .setting("auth.challenge", "bearer")
        .setting("server.trusted_proxies", "127.0.0.1")
        .start();
    let theirs = other(&server);
    let name = host(OTHER, "us-east-1");
    let client = login(&server, &theirs).at_host(&name);
    let begun = client.request("POST", "/v2/team/app/blobs/uploads/", &[], &[]).expect(202);
    let location = begun.header("location").unwrap();
    assert!(location.starts_with(&format!("https://{name}/v2/team/app/blobs/uploads/")), "{location}");
    client.finish_upload(&target_of(&begun), &berth_testkit::sha256(b"abc"), b"abc").expect(201);
    let challenge = |client: &Client| {
        client.get("/v2/team/app/manifests/one").expect(401).header("www-authenticate").unwrap().to_owned()
    };
    let realm = |base: &str| format!("Bearer realm=\"{base}/token\",");
    assert!(challenge(&server.anonymous().at_host(&name)).starts_with(&realm(&format!("https://{name}"))));
    assert!(challenge(&server.anonymous()).starts_with(&realm("https://registry.example.org")));
    let own = server.client().request("POST", "/v2/team/app/blobs/uploads/", &[], &[]).expect(202);
    assert!(own.header("location").unwrap().starts_with("https://registry.example.org/v2/"), "{own:?}");

    // A token of one registry opens nothing of another; a proxy that is trusted says which one is meant.
    let token = client.get("/token?service=berth&scope=repository:team/app:pull").expect(200).json();
    let holder = Client::bearer(server.addr(), token["token"].as_str().unwrap());
    holder.at_host(&name).get("/v2/team/app/tags/list").expect(200);
    holder.get("/v2/team/app/tags/list").expect_any(&[401, 403]);
    holder.request("GET", "/v2/team/app/tags/list", &[("X-Forwarded-Host", &name)], &[]).expect(200);
    assert_eq!(endpoints(&in_region(&theirs, "us-east-1", "{}").expect(200)), [format!("https://{name}")]);
}
