//! Users, roles and accounts, who attack or are attacked.

use berth_testkit::aws::{ACCOUNT, AwsClient, Keys, REGION};
use berth_testkit::{ADMIN_ID, ADMIN_SECRET, Client, Reply, Server};
use serde_json::{Value, json};

/// The administrator of the registry's own account.
pub fn admin(server: &Server) -> AwsClient {
    AwsClient::new(server.addr(), Keys::new(ADMIN_ID, ADMIN_SECRET))
}

/// The administrator of another account, which is made.
pub fn account(server: &Server, id: &str) -> AwsClient {
    let made = admin(server).iam("CreateAccount", &[("AccountId", id)]).expect(200);
    AwsClient::new(server.addr(), Keys::of(&made))
}

/// A user with one policy and one key.
pub fn user(server: &Server, name: &str, statements: &Value) -> AwsClient {
    let admin = admin(server);
    admin.iam("CreateUser", &[("UserName", name)]).expect(200);
    allow(&admin, name, statements);
    let made = admin.iam("CreateAccessKey", &[("UserName", name)]).expect(200);
    AwsClient::new(server.addr(), Keys::of(&made))
}

/// Gives a user these statements and no others.
pub fn allow(admin: &AwsClient, name: &str, statements: &Value) {
    let document = document(statements);
    let parameters = [("UserName", name), ("PolicyName", "own"), ("PolicyDocument", document.as_str())];
    admin.iam("PutUserPolicy", &parameters).expect(200);
}

/// A role with these statements that a user may assume.
pub fn role(admin: &AwsClient, name: &str, trusted: &[&str], statements: &Value) -> String {
    let trust = document(&json!([{ "Effect": "Allow", "Principal": { "AWS": trusted }, "Action": "sts:AssumeRole" }]));
    let long = [("RoleName", name), ("AssumeRolePolicyDocument", trust.as_str()), ("MaxSessionDuration", "43200")];
    admin.iam("CreateRole", &long).expect(200);
    let own = document(statements);
    let parameters = [("RoleName", name), ("PolicyName", "own"), ("PolicyDocument", own.as_str())];
    admin.iam("PutRolePolicy", &parameters).expect(200);
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// Credentials of a role.
pub fn assume(by: &AwsClient, role: &str, more: &[(&str, &str)]) -> AwsClient {
    let parameters = [&[("RoleArn", role), ("RoleSessionName", "session")], more].concat();
    by.with(Keys::of(&by.sts("AssumeRole", &parameters).expect(200)))
}

/// A policy of these statements.
pub fn document(statements: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// Every action of ECR on the repositories of a pattern, and logging in.
pub fn all_of(pattern: &str) -> Value {
    json!([on(pattern, &["ecr:*"]), login()])
}

/// Pulls from the repositories of a pattern, and logging in.
pub fn pulls_of(pattern: &str) -> Value {
    let actions = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"];
    json!([on(pattern, &actions), login()])
}

/// Something that has nothing to do with ECR.
pub fn nothing() -> Value {
    json!([{ "Effect": "Allow", "Action": "iam:GetUser", "Resource": "*" }])
}

fn on(pattern: &str, actions: &[&str]) -> Value {
    let resource = format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{pattern}");
    json!({ "Effect": "Allow", "Action": actions, "Resource": resource })
}

fn login() -> Value {
    json!({ "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*" })
}

/// The same caller at the registry's door, with its key as name and password.
pub fn by_key(server: &Server, caller: &AwsClient) -> Client {
    Client::login(server.addr(), &caller.keys.id, &caller.keys.secret)
}

/// The same with an authorization token.
pub fn by_login(server: &Server, caller: &AwsClient) -> Client {
    Client::login(server.addr(), "AWS", &caller.login_password())
}

/// A bearer token that a caller is given for scopes.
pub fn bearer(caller: &Client, scopes: &[&str]) -> String {
    let scopes = scopes.join("&scope=");
    let reply = caller.get(&format!("/token?service=berth&scope={scopes}")).expect(200);
    reply.json()["token"].as_str().unwrap().to_owned()
}

/// What an answer looks like to somebody who compares: without what differs between any two, and with another word for a
/// name that the request itself held.
pub fn face(reply: &Reply, name: &str) -> (u16, Vec<(String, String)>, String) {
    let differs = ["date", "x-request-id", "x-amzn-requestid"];
    let mut headers = reply.headers.clone();
    headers.retain(|(header, _)| !differs.contains(&header.as_str()));
    for (_, value) in &mut headers {
        *value = value.replace(name, "NAME");
    }
    (reply.status, headers, reply.text().replace(name, "NAME"))
}
