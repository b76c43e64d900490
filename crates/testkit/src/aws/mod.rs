//! The APIs of AWS at `POST /`: requests signed by hand (AWS Signature Version 4), so that every part of a signature can lie.
//!
//! Begin with [`AwsClient`], which makes decent calls; [`Signing`] signs whatever it is told to.

mod date;
mod signing;

use std::net::SocketAddr;

use crate::{Client, Reply};

pub use date::{day_of, iso_of, now};
pub use signing::{AwsRequest, Signing, encode};

/// The region of every test server.
pub const REGION: &str = "us-east-1";
/// The account that every test server's registry belongs to.
pub const ACCOUNT: &str = "000000000000";

/// Credentials, temporary ones with their session token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: String,
    /// The session token.
    pub token: Option<String>,
}

impl Keys {
    /// Long-term credentials.
    pub fn new(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secret: secret.to_owned(), token: None }
    }

    /// Those that a reply of `CreateAccessKey`, `CreateAccount`, `AssumeRole` or `GetSessionToken` holds.
    pub fn of(reply: &Reply) -> Self {
        let text = |name| element(reply, name).unwrap_or_else(|| panic!("no {name}: {}", reply.text()));
        Self { id: text("AccessKeyId"), secret: text("SecretAccessKey"), token: element(reply, "SessionToken") }
    }
}

/// A caller of the APIs of AWS on one server.
#[derive(Clone, Debug)]
pub struct AwsClient {
    http: Client,
    /// What requests are signed with.
    pub keys: Keys,
}

impl AwsClient {
    /// A caller with credentials.
    pub fn new(address: SocketAddr, keys: Keys) -> Self {
        Self { http: Client::anonymous(address), keys }
    }

    /// A caller of the same server with other credentials.
    #[must_use]
    pub fn with(&self, keys: Keys) -> Self {
        Self { http: self.http.clone(), keys }
    }

    /// The same caller, who calls the server by another name.
    #[must_use]
    pub fn at_host(&self, host: &str) -> Self {
        Self { http: self.http.at_host(host), keys: self.keys.clone() }
    }

    /// Calls an operation of IAM, or one of Berth's beside them.
    pub fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Reply {
        self.query("iam", action, parameters)
    }

    /// Calls an operation of STS.
    pub fn sts(&self, action: &str, parameters: &[(&str, &str)]) -> Reply {
        self.query("sts", action, parameters)
    }

    fn query(&self, service: &str, action: &str, parameters: &[(&str, &str)]) -> Reply {
        self.send(&Signing::new(&self.keys, service).sign(AwsRequest::query(service, action, parameters), &self.host()))
    }

    /// Calls an operation of ECR.
    pub fn ecr(&self, operation: &str, body: &str) -> Reply {
        self.send(&Signing::new(&self.keys, "ecr").sign(AwsRequest::ecr(operation, body), &self.host()))
    }

    /// The password that `GetAuthorizationToken` gives for the user `AWS`.
    pub fn login_password(&self) -> String {
        use base64::Engine as _;
        let reply = self.ecr("GetAuthorizationToken", "{}").expect(200).json();
        let token = reply["authorizationData"][0]["authorizationToken"].as_str().expect("a token").to_owned();
        let pair = base64::engine::general_purpose::STANDARD.decode(token).expect("base64");
        String::from_utf8(pair).unwrap().strip_prefix("AWS:").expect("the user AWS").to_owned()
    }

    /// Sends a request as it is.
    pub fn send(&self, request: &AwsRequest) -> Reply {
        let headers: Vec<(&str, &str)> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.http.request(&request.method, &request.target(), &headers, &request.body)
    }

    /// The value of the `Host` header that goes with every request.
    pub fn host(&self) -> String {
        self.http.host()
    }
}

/// The text of the first XML element of this name, found by plain search.
pub fn element(reply: &Reply, name: &str) -> Option<String> {
    let text = reply.text();
    let from = text.find(&format!("<{name}>"))? + name.len() + 2;
    let length = text[from..].find(&format!("</{name}>"))?;
    Some(text[from..from + length].replace("&quot;", "\"").replace("&amp;", "&"))
}

/// The code of a fault: of the Query protocol in XML, of ECR in JSON. None where the reply is no fault.
pub fn fault_code(reply: &Reply) -> Option<String> {
    if reply.status == 200 {
        return None;
    }
    let json = || {
        let body: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
        Some(body["__type"].as_str()?.rsplit('#').next()?.to_owned())
    };
    element(reply, "Code").or_else(json)
}

/// Fails unless a reply is a fault of this status and code.
#[track_caller]
pub fn expect_fault(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, fault_code(reply).as_deref()), (status, Some(code)), "{}", reply.text());
}

#[cfg(test)]
mod tests;
