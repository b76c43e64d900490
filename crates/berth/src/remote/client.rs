//! The operations that a server is asked for, with requests that are signed.

use berth_aws::ecr::ECR;
use berth_aws::protocol::{Fault, Protocol, Sensitive, Service, json as json11};
use berth_aws::sigv4::{PathStyle, SignedRequest, Signing, sign};
use berth_profile::AwsKeys;
use berth_store::{Clock as _, SystemClock, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::connection::Connection;
use super::credentials::Found;
use super::obtain;
use crate::failure::Failure;

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON: &str = "application/x-amz-json-1.1";
const USUAL_URL: &str = "http://127.0.0.1:5000";
/// The region that requests are signed for where none is named.
pub const USUAL_REGION: &str = "us-east-1";

/// A server and the key to sign requests with.
pub struct Client {
    connection: Connection,
    region: String,
    keys: AwsKeys,
}

/// A token of `GetAuthorizationToken`.
pub struct Granted {
    /// What `docker login` takes as password of the user `AWS`, in base64 with that name.
    pub token: Sensitive,
    /// When it ends.
    pub ends: Option<Timestamp>,
}

impl Client {
    /// A client with the credentials that were found, which are got where they are not there yet.
    pub async fn connect(found: Found) -> Result<Self, Failure> {
        let url = found.url.as_deref().unwrap_or(USUAL_URL);
        let connection = Connection::new(url, found.ca_bundle.as_deref(), "--endpoint-url names another server")?;
        let region = found.region.unwrap_or_else(|| USUAL_REGION.to_owned());
        let keys = obtain::keys(&found.source, &connection, &region).await?;
        Ok(Self::new(connection, region, keys))
    }

    /// A client of a server that is not asked anything yet.
    pub const fn new(connection: Connection, region: String, keys: AwsKeys) -> Self {
        Self { connection, region, keys }
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Posts a form of the Query protocol to a service; gives status and body.
    pub async fn query(&self, service: &str, form: String) -> Result<(u16, Vec<u8>), Failure> {
        self.post(service, &[("content-type", FORM)], form).await
    }

    /// A token for `docker login` (`GetAuthorizationToken`).
    pub async fn authorization_token(&self) -> Result<Granted, Failure> {
        let answer: berth_aws::ecr::shapes::GetAuthorizationTokenResponse =
            self.json(&ECR, "ecr", "GetAuthorizationToken", &json!({})).await?;
        let data = answer.authorization_data.unwrap_or_default().into_iter().next().unwrap_or_default();
        let ends = data.expires_at.map(|time| Timestamp::from_millis(time.0));
        data.authorization_token.map(|token| Granted { token, ends }).ok_or_else(|| self.unexpected(200))
    }

    /// Asks for an operation of a service that speaks JSON; gives its answer.
    pub async fn json<T: DeserializeOwned>(
        &self,
        service: &Service,
        signed_for: &str,
        name: &str,
        input: &Value,
    ) -> Result<T, Failure> {
        let operation = service.operation(name).ok_or_else(|| self.unexpected(0))?;
        let Protocol::Json11 { target_prefix } = service.protocol else { return Err(self.unexpected(0)) };
        let target = format!("{target_prefix}.{name}");
        let body = json11::build_request(operation, input);
        let body = body.map_err(|error| Failure::doing("the request cannot be written", error))?;
        let (status, answer) =
            self.post(signed_for, &[("content-type", JSON), ("x-amz-target", &target)], body).await?;
        if status != 200 {
            let fault = json11::parse_fault(&answer, status).map_err(|_| self.unexpected(status))?;
            return Err(refused(fault));
        }
        json11::parse_result(operation, &answer).map_err(|_| self.unexpected(status))
    }

    async fn post(
        &self,
        service: &str,
        headers: &[(&'static str, &str)],
        body: String,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let Self { connection, region, keys } = self;
        let signed = Self::signed_for(connection, region, keys, service, headers, &body)?;
        let signed = signed.iter().map(|(name, value)| (*name, value.as_str()));
        let all: Vec<(&str, &str)> = headers.iter().copied().chain(signed).collect();
        self.connection.post(&all, body).await
    }

    /// The headers that sign a request with a key, for who has no client yet.
    pub fn signed_for(
        connection: &Connection,
        region: &str,
        keys: &AwsKeys,
        service: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        let host = connection.host();
        let given = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        let headers: Vec<_> = std::iter::once(("host", host.as_bytes())).chain(given).collect();
        let path = connection.url().path();
        let request = SignedRequest { method: "POST", path, query: None, headers: &headers };
        let signing = Signing {
            access_key_id: &keys.access_key_id,
            secret: &keys.secret_access_key,
            session_token: keys.session_token.as_deref().map(String::as_str),
            region,
            service,
            now: SystemClock.now().as_millis().div_euclid(1000),
            payload_sha256: Sha256::digest(body).into(),
            path_style: PathStyle::Normalized,
            declare_payload: false,
        };
        sign(&request, &signing).map_err(|error| Failure::Usage(format!("the request cannot be signed: {error}")))
    }

    /// An answer that no service of AWS's kind gives; 0 where there was none.
    pub fn unexpected(&self, status: u16) -> Failure {
        self.connection.unexpected(status)
    }
}

/// What a server said no with.
pub fn refused(fault: Fault) -> Failure {
    /// About who asks, not about what is asked.
    const STANDING: [&str; 14] = [
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "Throttling",
        "ThrottlingException",
        "UnrecognizedClientException",
    ];
    let by_request = fault.sender && !STANDING.contains(&fault.code.as_str());
    let plain = |text: String| text.chars().filter(|character| !character.is_control()).collect();
    Failure::Refused { code: plain(fault.code), message: plain(fault.message), by_request }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_who_is_to_blame() {
        for (code, sender, exit) in [
            ("NoSuchEntity", true, 2),
            ("MalformedPolicyDocument", true, 2),
            ("AccessDenied", true, 3),
            ("SignatureDoesNotMatch", true, 3),
            ("ServiceFailure", false, 3),
        ] {
            let fault = Fault { sender, code: code.to_owned(), message: "no\u{1b}[2J".to_owned() };
            let failure = refused(fault);
            assert_eq!(failure.code(), exit, "{code}");
            assert!(failure.to_string().starts_with(&format!("{code}: no[2J")), "{failure}");
            assert_eq!(failure.json()["code"], code);
        }
    }
}
