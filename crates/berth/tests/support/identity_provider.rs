//! An identity provider, the person in front of it, and the browser between: for `berth login`.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_testkit::{Output, eventually};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::program::Program;
use crate::stub::{Answer, Asked, Stub, pairs};

pub const CLIENT: &str = "berth-cli";
pub const ROLE: &str = "arn:aws:iam::000000000000:role/people";

/// What a provider does that it should not, or an attacker with it.
#[derive(Clone, Default)]
pub struct Bent {
    /// Claims of the id token that are other than asked for.
    pub claims: Vec<(&'static str, Value)>,
    /// Whether it gives an access token only.
    pub no_id_token: bool,
    /// Whether it announces that it names itself in every answer.
    pub names_itself: bool,
}

/// What the provider remembers with a code.
struct Consent {
    challenge: String,
    nonce: String,
    redirect_uri: String,
}

pub struct IdentityProvider {
    stub: Stub,
    codes: Arc<Mutex<HashMap<String, Consent>>>,
}

impl IdentityProvider {
    pub fn start(bent: Bent) -> Self {
        let codes = Arc::new(Mutex::new(HashMap::new()));
        let kept = Arc::clone(&codes);
        let stub = Stub::start(move |asked| {
            let issuer = format!("http://{}", asked.header("host").unwrap());
            match asked.target.as_str() {
                "/.well-known/openid-configuration" => Answer::of(200, document(&issuer, &bent)),
                "/token" => token(asked, &issuer, &bent, &mut kept.lock().unwrap()),
                _ => Answer::of(404, ""),
            }
        });
        Self { stub, codes }
    }

    pub fn issuer(&self) -> String {
        self.stub.url()
    }

    /// What it was asked at its token endpoint.
    pub fn exchanges(&self) -> Vec<Asked> {
        self.stub.asked().into_iter().filter(|asked| asked.target == "/token").collect()
    }

    /// A person agrees to what a program asked for: gives a code.
    pub fn consent(&self, parameters: &HashMap<String, String>) -> String {
        let get = |name: &str| parameters.get(name).cloned().unwrap_or_default();
        assert_eq!((get("response_type"), get("client_id")), ("code".to_owned(), CLIENT.to_owned()));
        assert_eq!(get("code_challenge_method"), "S256");
        assert!(get("scope").split(' ').any(|scope| scope == "openid"));
        let mut codes = self.codes.lock().unwrap();
        let code = format!("hush-code-{}", codes.len());
        let (challenge, nonce, redirect_uri) = (get("code_challenge"), get("nonce"), get("redirect_uri"));
        codes.insert(code.clone(), Consent { challenge, nonce, redirect_uri });
        code
    }

    /// Somebody else was quicker with a code.
    pub fn spend(&self, code: &str) {
        self.codes.lock().unwrap().remove(code);
    }
}

fn document(issuer: &str, bent: &Bent) -> String {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize?tenant=1"),
        "token_endpoint": format!("{issuer}/token"),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": bent.names_itself,
    })
    .to_string()
}

fn token(asked: &Asked, issuer: &str, bent: &Bent, codes: &mut HashMap<String, Consent>) -> Answer {
    let form = |name: &str| asked.form(name).unwrap_or_default();
    let refused = || Answer::of(400, json!({ "error": "invalid_grant" }).to_string());
    let Some(consent) = codes.remove(&form("code")) else { return refused() };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form("code_verifier")));
    let fits = (form("grant_type").as_str(), form("client_id").as_str()) == ("authorization_code", CLIENT)
        && consent.redirect_uri == form("redirect_uri");
    if !fits || challenge != consent.challenge {
        return refused();
    }
    let ends = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 300;
    let mut claims = json!({ "iss": issuer, "aud": CLIENT, "sub": "alice", "exp": ends, "nonce": consent.nonce });
    for (name, value) in &bent.claims {
        claims[*name] = value.clone();
    }
    let id_token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut answer = json!({ "access_token": "hush-access", "token_type": "Bearer", "id_token": id_token });
    if bent.no_id_token {
        answer["id_token"] = Value::Null;
    }
    Answer::of(200, answer.to_string())
}

/// A `berth login` that waits for the browser.
pub struct Waiting {
    child: Child,
    reader: Option<std::thread::JoinHandle<()>>,
    told: Arc<Mutex<String>>,
    /// What it asks the provider for.
    pub parameters: HashMap<String, String>,
}

/// Begins a login.
pub fn begin(program: &Program, provider: &IdentityProvider, registry: &str, more: &[&str]) -> Waiting {
    let issuer = provider.issuer();
    let arguments =
        ["login", "--issuer", &issuer, "--client-id", CLIENT, "--role-arn", ROLE, "--endpoint-url", registry];
    let all = [&arguments[..], &["--no-browser", "--allow-http-issuer"], more].concat();
    let mut child = program.spawn(&all);
    let told = Arc::new(Mutex::new(String::new()));
    let (stderr, log) = (child.stderr.take().unwrap(), Arc::clone(&told));
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            log.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    let address = || told.lock().unwrap().lines().find(|line| line.contains("code_challenge=")).map(str::to_owned);
    eventually("the address to go to", || {
        assert!(address().is_some() || child.try_wait().unwrap().is_none(), "{}", told.lock().unwrap());
        address().is_some()
    });
    let address = address().unwrap();
    let (before, query) = address.split_once('?').unwrap();
    assert_eq!(before, format!("{issuer}/authorize"));
    Waiting { child, reader: Some(reader), told, parameters: pairs(query).into_iter().collect() }
}

impl Waiting {
    /// The state that the provider gives back.
    pub fn state(&self) -> String {
        self.parameters["state"].clone()
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        let address = &self.parameters["redirect_uri"];
        address.strip_prefix("http://").unwrap().strip_suffix("/callback").unwrap().to_owned()
    }

    /// The browser comes back with a query; gives the connection, on which nothing is read yet.
    pub fn open(&self, query: &[(&str, &str)]) -> TcpStream {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let host = self.host();
        let mut stream = TcpStream::connect(&host).unwrap();
        write!(stream, "GET /callback?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        stream
    }

    /// The browser comes back; gives the status of the page, and the page.
    pub fn visit(&self, query: &[(&str, &str)]) -> (u16, String) {
        page(self.open(query))
    }

    pub fn is_waiting(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How it ended.
    pub fn end(mut self) -> Output {
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        Output { code, stdout, stderr: self.told.lock().unwrap().clone() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a connection answers.
pub fn page(mut stream: TcpStream) -> (u16, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no answer: {answer:?}")), answer)
}
