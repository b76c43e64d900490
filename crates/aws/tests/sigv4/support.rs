//! A request that owns its bytes, what it is verified for, and the ways to spoil it.

use berth_aws::sigv4::{Demands, PathStyle, Presented, SigV4Error, SignedRequest, Signing, verify};
use ring::digest;

/// A request that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// What a request is verified for, and with.
#[derive(Debug, Clone)]
pub struct Setup {
    pub secret: String,
    pub region: String,
    pub service: String,
    pub now: i64,
    pub style: PathStyle,
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().unwrap()
}

impl Owned {
    pub fn new(method: &str, path: &str, query: Option<&str>, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            headers,
            body: body.to_vec(),
        }
    }

    /// Hands the request out as the verifier takes it.
    pub fn with<T>(&self, use_it: impl FnOnce(&SignedRequest<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> = self.headers.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
        use_it(&SignedRequest {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &headers,
        })
    }

    pub fn presented(&self) -> Result<Presented, SigV4Error> {
        self.with(Presented::require)
    }

    pub fn verify(&self, setup: &Setup) -> Result<(), SigV4Error> {
        let demands = Demands {
            now: setup.now,
            skew: 900,
            regions: &[&setup.region],
            services: &[&setup.service],
            payload_sha256: sha256(&self.body),
            path_style: setup.style,
        };
        self.with(|request| verify(request, &Presented::require(request)?, &setup.secret, &demands))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(given, _)| given == name)?;
        std::str::from_utf8(value).ok()
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(given, _)| given != name);
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }

    /// The request before it was signed: without what signing adds and without headers that were not signed.
    pub fn unsigned(&self, signed_headers: &[String]) -> Self {
        let added = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];
        let mut bare = self.clone();
        bare.headers.retain(|(name, _)| signed_headers.contains(name) && !added.contains(&name.as_str()));
        let pairs = self.query.iter().flat_map(|query| query.split('&'));
        let own: Vec<&str> = pairs.filter(|pair| !pair.starts_with("X-Amz-")).collect();
        bare.query = Some(own.join("&")).filter(|query| !query.is_empty());
        bare
    }
}

impl Setup {
    pub fn signing<'a>(&'a self, access_key_id: &'a str, token: Option<&'a str>, body: &[u8]) -> Signing<'a> {
        Signing {
            access_key_id,
            secret: &self.secret,
            session_token: token,
            region: &self.region,
            service: &self.service,
            now: self.now,
            payload_sha256: sha256(body),
            path_style: self.style,
            declare_payload: false,
        }
    }
}

/// What our own signer gives for the request that stands behind a signed one: the signature in hex.
pub fn signed_by_us(signed: &Owned, setup: &Setup) -> String {
    let presented = signed.presented().unwrap();
    let bare = signed.unsigned(presented.signed_headers());
    let mut signing = setup.signing(presented.access_key_id(), presented.session_token(), &signed.body);
    signing.now = presented.moment();
    signing.declare_payload = signed.header("x-amz-content-sha256").is_some();
    bare.with(|request| match presented.expires() {
        Some(expires) => last_word(&berth_aws::sigv4::presign(request, &signing, expires).unwrap()),
        None => last_word(&berth_aws::sigv4::sign(request, &signing).unwrap().pop().unwrap().1),
    })
}

/// The signature that a request presents, in hex.
pub fn signature_of(signed: &Owned) -> String {
    let in_query = signed.query.iter().flat_map(|q| q.split('&')).find_map(|p| p.strip_prefix("X-Amz-Signature="));
    in_query.map_or_else(|| last_word(signed.header("authorization").unwrap()), str::to_owned)
}

fn last_word(text: &str) -> String {
    text.rsplit('=').next().unwrap().to_owned()
}

/// The request and its setup, each time with one thing wrong.
pub fn mutants(request: &Owned, setup: &Setup) -> Vec<(String, Owned, Setup)> {
    let mut made = Vec::new();
    let mut spoil = |label: &str, change: &dyn Fn(&mut Owned)| {
        let mut changed = request.clone();
        change(&mut changed);
        assert_ne!(&changed, request, "{label} changes nothing");
        made.push((label.to_owned(), changed, setup.clone()));
    };
    spoil("method", &|r| r.method.push('X'));
    spoil("method in lower case", &|r| r.method.make_ascii_lowercase());
    spoil("path end", &|r| r.path += "x");
    // What stands before `..` does not count.
    if !request.path.contains("..") {
        spoil("path start", &|r| r.path = format!("/x{}", r.path));
    }
    spoil("body", &|r| r.body.push(b' '));
    spoil("new parameter", &|r| r.query = Some(r.query.as_ref().map_or("z=".to_owned(), |q| format!("{q}&z="))));
    spoil("new x-amz header", &|r| r.set("x-amz-new", "1"));
    spoil("second authorization", &|r| r.headers.push(("authorization".to_owned(), b"Basic QVdTOng=".to_vec())));
    spoil_parameters(request, &mut spoil);
    spoil_headers(request, &mut spoil);
    spoil_authorization(request, &mut spoil);
    made.extend(other_setups(request, setup));
    made
}

type Spoil<'a> = &'a mut dyn FnMut(&str, &dyn Fn(&mut Owned));

fn spoil_parameters(request: &Owned, spoil: Spoil<'_>) {
    let pairs: Vec<&str> = request.query.iter().flat_map(|query| query.split('&')).collect();
    for (index, pair) in pairs.iter().enumerate() {
        let others: Vec<&str> =
            pairs.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, pair)| *pair).collect();
        // An empty pair says nothing.
        if !pair.is_empty() {
            spoil(&format!("no parameter {pair}"), &|r| r.query = Some(others.join("&")));
        }
        for changed in [format!("{pair}1"), format!("z{pair}"), format!("{pair}%20"), format!("{pair}&{pair}x")] {
            let all: Vec<&str> = others.iter().copied().chain([changed.as_str()]).collect();
            spoil(&format!("parameter {changed}"), &|r| r.query = Some(all.join("&")));
        }
        if pair.starts_with("X-Amz-") {
            let all: Vec<&str> = pairs.iter().copied().chain([*pair]).collect();
            spoil(&format!("parameter {pair} twice"), &|r| r.query = Some(all.join("&")));
        }
    }
}

fn spoil_headers(request: &Owned, spoil: Spoil<'_>) {
    let presented = request.presented().unwrap();
    for name in presented.signed_headers() {
        let at = request.headers.iter().position(|(given, _)| given == name).unwrap();
        spoil(&format!("no header {name}"), &|r| r.headers.retain(|(given, _)| given != name));
        spoil(&format!("header {name} longer"), &|r| r.headers[at].1.extend(b"x"));
        spoil(&format!("header {name} other"), &|r| r.headers[at].1.insert(0, b'!'));
        spoil(&format!("header {name} twice"), &|r| r.headers.push((name.clone(), b"more".to_vec())));
    }
}

fn spoil_authorization(request: &Owned, spoil: Spoil<'_>) {
    let Some(value) = request.header("authorization") else { return };
    let presented = request.presented().unwrap();
    let (scope, names) = (presented.scope(), presented.signed_headers().join(";"));
    let signature = signature_of(request);
    let flipped = |at: usize| {
        let digit = if signature.as_bytes()[at] == b'0' { "1" } else { "0" };
        format!("{}{digit}{}", &signature[..at], &signature[at + 1..])
    };
    let credential = format!("Credential={}/", presented.access_key_id());
    let mut replacements = vec![
        (scope.date.clone() + "/", "20150829/".to_owned()),
        (format!("/{}/", scope.region), "/eu-west-9/".to_owned()),
        (format!("/{}/aws4", scope.service), "/other/aws4".to_owned()),
        ("aws4_request".to_owned(), "aws4_reques".to_owned()),
        ("aws4_request".to_owned(), "aws5_request".to_owned()),
        ("AWS4-HMAC-SHA256 ".to_owned(), "AWS4-HMAC-SHA512 ".to_owned()),
        (credential.clone(), "Credential=/".to_owned()),
        (credential, format!("Credential=x/{}/", presented.access_key_id())),
        ("Signature=".to_owned(), format!("Signature={signature}, Signature=")),
        (signature.clone(), signature[1..].to_owned()),
        (signature.clone(), format!("{signature}0")),
        (signature.clone(), String::new()),
        (signature.clone(), "0".repeat(64)),
        (names.clone(), format!("{names};zz")),
    ];
    replacements.extend([0, 31, 63].map(|at| (signature.clone(), flipped(at))));
    replacements.extend(presented.signed_headers().iter().map(|name| {
        let left: Vec<&str> =
            presented.signed_headers().iter().filter(|other| *other != name).map(String::as_str).collect();
        (format!("SignedHeaders={names}"), format!("SignedHeaders={}", left.join(";")))
    }));
    for (from, to) in replacements {
        assert!(value.contains(&from), "{from} in {value}");
        let changed = value.replacen(&from, &to, 1);
        spoil(&format!("{from} -> {to}"), &|r| r.set("authorization", &changed));
    }
    spoil("no authorization", &|r| r.headers.retain(|(name, _)| name != "authorization"));
}

type Change<'a> = &'a dyn Fn(&mut Setup);

fn other_setups(request: &Owned, setup: &Setup) -> Vec<(String, Owned, Setup)> {
    let presented = request.presented().unwrap();
    let (moment, holds) = (presented.moment(), i64::from(presented.expires().unwrap_or(900)));
    let others: [(&str, Change<'_>); 6] = [
        ("secret", &|s| s.secret += "x"),
        ("empty secret", &|s| s.secret = String::new()),
        ("region demanded", &|s| s.region += "x"),
        ("service demanded", &|s| s.service += "x"),
        ("too late", &|s| s.now = moment + holds + 1),
        ("too early", &|s| s.now = moment - 901),
    ];
    let changed = |(label, change): (&str, Change<'_>)| {
        let mut other = setup.clone();
        change(&mut other);
        (label.to_owned(), request.clone(), other)
    };
    others.map(changed).into()
}

/// Numbers that are the same in each run: splitmix64.
pub struct Numbers(pub u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 1).unwrap() % end
    }

    /// One of some.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
