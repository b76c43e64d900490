//! Signing, with every part open to lies.

use sha2::{Digest as _, Sha256};

use super::{Keys, REGION, date};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request to `/`, without its `Host` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsRequest {
    /// The method.
    pub method: String,
    /// Parameters of the query string, not encoded.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// How a request is signed.
#[derive(Clone, Debug)]
pub struct Signing {
    /// With what.
    pub keys: Keys,
    /// For which service.
    pub service: String,
    /// For which region.
    pub region: String,
    /// When, in seconds since 1970.
    pub moment: i64,
    /// The day of the scope.
    pub day: String,
    /// The last word of the scope that the request shows.
    pub terminator: String,
    /// The last word of the scope that the key is made for.
    pub key_terminator: String,
    /// What is signed in the place of the body's hash.
    pub payload: Option<String>,
    /// Headers that the signature leaves out, in lower case.
    pub unsigned: Vec<String>,
}

impl AwsRequest {
    /// A call of the Query protocol.
    pub fn query(service: &str, action: &str, parameters: &[(&str, &str)]) -> Self {
        let version = if service == "iam" { "2010-05-08" } else { "2011-06-15" };
        let all = [("Action", action), ("Version", version)].into_iter().chain(parameters.iter().copied());
        let pairs: Vec<String> = all.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        Self {
            method: "POST".to_owned(),
            query: Vec::new(),
            headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
            body: pairs.join("&").into_bytes(),
        }
    }

    /// A call of ECR.
    pub fn ecr(operation: &str, body: &str) -> Self {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        Self {
            method: "POST".to_owned(),
            query: Vec::new(),
            headers: vec![
                ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target".to_owned(), target),
            ],
            body: body.as_bytes().to_vec(),
        }
    }

    /// The same with one header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The path and the query string.
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            return "/".to_owned();
        }
        let pairs = self.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        format!("/?{}", pairs.collect::<Vec<_>>().join("&"))
    }
}

impl Signing {
    /// As a decent client signs now.
    pub fn new(keys: &Keys, service: &str) -> Self {
        let moment = date::now();
        Self {
            keys: keys.clone(),
            service: service.to_owned(),
            region: REGION.to_owned(),
            moment,
            day: date::day_of(moment),
            terminator: "aws4_request".to_owned(),
            key_terminator: "aws4_request".to_owned(),
            payload: None,
            unsigned: Vec::new(),
        }
    }

    /// The same at another time.
    #[must_use]
    pub fn at(self, moment: i64) -> Self {
        Self { moment, day: date::day_of(moment), ..self }
    }

    /// The same with another secret.
    #[must_use]
    pub fn with_secret(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.keys.secret);
        self
    }

    /// The request with `X-Amz-Date`, `X-Amz-Security-Token` where there is one, and `Authorization`.
    pub fn sign(&self, mut request: AwsRequest, host: &str) -> AwsRequest {
        request.headers.push(("x-amz-date".to_owned(), date::iso_of(self.moment)));
        if let Some(token) = &self.keys.token {
            request.headers.push(("x-amz-security-token".to_owned(), token.clone()));
        }
        let (names, signature) = self.signature(&request, host);
        let credential = self.credential();
        let value = format!("{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}");
        request.with("authorization", &value)
    }

    /// The request with the parameters of a presigned URL, good for as many seconds as `expires` says.
    pub fn presign(&self, mut request: AwsRequest, host: &str, expires: &str) -> AwsRequest {
        let (names, _) = self.signature(&request, host);
        let mut parameters = vec![
            ("X-Amz-Algorithm", ALGORITHM.to_owned()),
            ("X-Amz-Credential", self.credential()),
            ("X-Amz-Date", date::iso_of(self.moment)),
            ("X-Amz-Expires", expires.to_owned()),
            ("X-Amz-SignedHeaders", names),
        ];
        parameters.extend(self.keys.token.iter().map(|token| ("X-Amz-Security-Token", token.clone())));
        request.query.extend(parameters.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let (_, signature) = self.signature(&request, host);
        request.query.push(("X-Amz-Signature".to_owned(), signature));
        request
    }

    fn credential(&self) -> String {
        format!("{}/{}/{}/{}/{}", self.keys.id, self.day, self.region, self.service, self.terminator)
    }

    /// The names of the signed headers, and the signature.
    fn signature(&self, request: &AwsRequest, host: &str) -> (String, String) {
        let mut headers: Vec<(&str, &str)> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.trim())).collect();
        headers.push(("host", host));
        headers.retain(|(name, _)| !self.unsigned.iter().any(|unsigned| unsigned == name));
        headers.sort_unstable();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let lines = lines.concat();
        let mut query: Vec<(String, String)> =
            request.query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
        query.sort_unstable();
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let payload = self.payload.clone().unwrap_or_else(|| hex::encode(Sha256::digest(&request.body)));
        let canonical = format!("{}\n/\n{}\n{lines}\n{names}\n{payload}", request.method, query.join("&"));
        let scope = format!("{}/{}/{}/{}", self.day, self.region, self.service, self.key_terminator);
        let hash = hex::encode(Sha256::digest(canonical.as_bytes()));
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{hash}", date::iso_of(self.moment));
        (names, hex::encode(hmac(&self.key(), text.as_bytes())))
    }

    fn key(&self) -> [u8; 32] {
        let first = hmac(format!("AWS4{}", self.keys.secret).as_bytes(), self.day.as_bytes());
        let words = [&self.region, &self.service, &self.key_terminator];
        words.iter().fold(first, |key, word| hmac(&key, word.as_bytes()))
    }
}

/// RFC 2104 with SHA-256.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().fold(String::new(), |encoded, byte| {
        if plain(byte) { encoded + &char::from(byte).to_string() } else { encoded + &format!("%{byte:02X}") }
    })
}
