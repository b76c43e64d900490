//! `throttle` and `auth.failed_logins`: who is told to wait, in the words of each door.

use berth_testkit::aws::{AwsClient, Keys, expect_fault};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Image, Reply, Server, ServerBuilder};

use crate::support::{builder, with_defaults};

/// Quotas that are spent by a few calls, and do not come back while a test runs.
fn with_rates(rates: &str) -> Server {
    quotas(rates).start()
}

fn quotas(rates: &str) -> ServerBuilder {
    builder().setting("throttle.profile", "ecr").setting("throttle.rates", rates)
}

fn admin(server: &Server) -> AwsClient {
    AwsClient::new(server.addr(), Keys::new(ADMIN_ID, ADMIN_SECRET))
}

/// A user who may do everything.
fn user(server: &Server, name: &str) -> AwsClient {
    let admin = admin(server);
    admin.iam("CreateUser", &[("UserName", name)]).expect(200);
    let all = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    admin.iam("PutUserPolicy", &[("UserName", name), ("PolicyName", "all"), ("PolicyDocument", all)]).expect(200);
    let made = admin.iam("CreateAccessKey", &[("UserName", name)]).expect(200);
    AwsClient::new(server.addr(), Keys::of(&made))
}

/// How long a refusal says to wait, in seconds.
fn wait(reply: &Reply) -> u64 {
    reply.header("retry-after").unwrap_or_else(|| panic!("no Retry-After: {reply:?}")).parse().unwrap()
}

#[test]
fn the_registrys_door_says_429_and_what_to_do() {
    let server = with_rates("BatchGetImage=0.05/3,GetAuthorizationToken=0.05/1");
    let client = server.client();
    client.push_image("team/app", "one", &Image::of(vec![b"layer".to_vec()]));
    for _ in 0..3 {
        client.manifest("team/app", "one").expect(200);
    }
    for method in ["GET", "HEAD"] {
        let reply = client.request(method, "/v2/team/app/manifests/one", &[], b"").expect(429);
        assert!((1..=20).contains(&wait(&reply)), "{reply:?}");
    }
    let reply = client.manifest("team/app", "one").expect(429);
    let error = reply.json()["errors"][0].clone();
    assert_eq!(error["code"], "TOOMANYREQUESTS");
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("too many requests: wait ") && message.ends_with(" s, then try again"), "{message}");
    // Other operations have quotas of their own, and asking whether one is let in has none.
    client.get("/v2/team/app/tags/list").expect(200);
    for _ in 0..20 {
        client.get("/v2/").expect(200);
    }
    client.get("/token?service=berth").expect(200);
    assert_eq!(wait(&client.get("/token?service=berth").expect(429)), 20);
    let page = client.get("/metrics").expect(200).text();
    assert!(page.contains("berth_throttled_total{operation=\"ecr:BatchGetImage\"} 3"), "{page}");
}

#[test]
fn the_doors_of_aws_say_throttling_exception() {
    let server = with_rates("GetAuthorizationToken=0.05/2,iam:GetUser=0.05/1,sts:GetCallerIdentity=0.05/1");
    let admin = admin(&server);
    admin.ecr("GetAuthorizationToken", "{}").expect(200);
    admin.ecr("GetAuthorizationToken", "{}").expect(200);
    admin.iam("GetUser", &[]).expect(200);
    admin.sts("GetCallerIdentity", &[]).expect(200);
    for reply in
        [admin.ecr("GetAuthorizationToken", "{}"), admin.iam("GetUser", &[]), admin.sts("GetCallerIdentity", &[])]
    {
        expect_fault(&reply, 400, "ThrottlingException");
        assert!(reply.text().contains("Rate exceeded"), "{}", reply.text());
        assert_eq!(wait(&reply), 20);
    }
    admin.iam("ListUsers", &[]).expect(200);
}

#[test]
fn the_two_doors_count_together() {
    let server = with_rates("BatchGetImage=0.05/2");
    let client = server.client();
    client.push_image("team/app", "one", &Image::of(vec![b"layer".to_vec()]));
    client.manifest("team/app", "one").expect(200);
    let asked = r#"{"repositoryName":"team/app","imageIds":[{"imageTag":"one"}]}"#;
    admin(&server).ecr("BatchGetImage", asked).expect(200);
    expect_fault(&admin(&server).ecr("BatchGetImage", asked), 400, "ThrottlingException");
    client.manifest("team/app", "one").expect(429);
}

#[test]
fn a_principal_has_a_quota_of_its_own_beside_that_of_its_account() {
    let server = with_rates("principal:iam:GetUser=0.05/2,iam:GetUser=0.05/3");
    let (alice, bob) = (user(&server, "alice"), user(&server, "bob"));
    for _ in 0..2 {
        alice.iam("GetUser", &[]).expect(200);
    }
    expect_fault(&alice.iam("GetUser", &[]), 400, "ThrottlingException");
    bob.iam("GetUser", &[]).expect(200);
    expect_fault(&bob.iam("GetUser", &[]), 400, "ThrottlingException");
}

#[test]
fn who_shows_nothing_is_counted_by_address() {
    let server = quotas("ListImages=0.05/2")
        .args(["--anonymous-pull", "public/*"])
        .setting("server.trusted_proxies", "127.0.0.0/8")
        .start();
    server.client().push_image("public/app", "one", &Image::of(vec![b"layer".to_vec()]));
    let ask = |address: &str| {
        let from = [("x-forwarded-for", address)];
        Client::anonymous(server.addr()).request("GET", "/v2/public/app/tags/list", &from, b"").status
    };
    assert_eq!([(); 3].map(|()| ask("192.0.2.1")), [200, 200, 429]);
    assert_eq!([(); 3].map(|()| ask("192.0.2.2")), [200, 200, 429]);
    let network = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"];
    assert_eq!(network.map(ask), [200, 200, 429, 200]);
}

#[test]
fn nothing_is_counted_without_a_profile() {
    let server = builder().start();
    for _ in 0..50 {
        admin(&server).ecr("GetAuthorizationToken", "{}").expect(200);
    }
    let reply = quotas("PushImage=3").run(&server.data(), &["config"]);
    assert!(reply.code != Some(0) && reply.stderr.contains("throttle.rates"), "{reply:?}");
}

#[test]
fn as_many_log_ins_may_fail_as_is_set() {
    let server =
        with_defaults().setting("auth.failed_logins", "3").setting("auth.failed_logins_of_address", "5").start();
    let wrong = |id: &str| Client::login(server.addr(), id, "wrong").get("/v2/").status;
    assert_eq!([(); 5].map(|()| wrong(ADMIN_ID)), [401, 401, 401, 429, 429]);
    assert_eq!(["a", "b", "c"].map(wrong), [401, 401, 429]);
    let page = format!("{:?}", server.client().get("/v2/"));
    assert!(page.contains("429"), "the administrator's key waits here: {page}");
}
