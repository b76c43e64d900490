//! An issuer of OpenID Connect on loopback: https with an authority of its own, keys, tokens of any kind, and answers of any kind.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::aws::now;

/// Base64url without padding, as tokens are written.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key of an issuer, for ES256.
#[derive(Debug)]
pub struct TokenKey {
    kid: String,
    pair: EcdsaKeyPair,
}

impl TokenKey {
    /// A new key of this id.
    pub fn new(kid: &str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self { kid: kid.to_owned(), pair: EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap() }
    }

    /// The public half, as a member of a key set.
    pub fn jwk(&self) -> Value {
        let (x, y) = self.point().split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "alg": "ES256", "x": base64url(x), "y": base64url(y) })
    }

    /// The coordinates of the public half.
    pub fn point(&self) -> &[u8] {
        &self.pair.public_key().as_ref()[1..]
    }

    /// A token with these claims.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": "ES256", "typ": "JWT", "kid": self.kid }), claims)
    }

    /// A token with any header, signed over it by ES256 whatever it says.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64url(signature.as_ref()))
    }
}

#[derive(Debug, Default)]
struct Played {
    pages: BTreeMap<String, String>,
    asked: Vec<String>,
    connections: usize,
}

/// The issuer. Its thread ends with the process.
#[derive(Debug)]
pub struct Issuer {
    address: SocketAddr,
    folder: TempDir,
    played: Arc<Mutex<Played>>,
}

impl Issuer {
    /// An issuer at a free port of `127.0.0.1` that shows the public half of a key.
    pub fn start(key: &TokenKey) -> Self {
        let folder = TempDir::with_prefix("berth-issuer-").expect("a temporary folder");
        let config = Arc::new(tls(&folder));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let played: Arc<Mutex<Played>> = Arc::default();
        let shared = Arc::clone(&played);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.lock().unwrap().connections += 1;
                // Who goes away meanwhile was not served: nothing to say about it.
                let _ = answer(stream, Arc::clone(&config), &shared);
            }
        });
        let issuer = Self { address, folder, played };
        issuer.show(&[key]);
        issuer
    }

    /// Its address, as tokens name it.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The file with the certificate of its authority, PEM.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Shows its discovery document and the public halves of these keys.
    pub fn show(&self, keys: &[&TokenKey]) {
        let url = self.url();
        self.page("/.well-known/openid-configuration", &json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }));
        self.page("/keys", &json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }));
    }

    /// Shows this document at a path.
    pub fn page(&self, path: &str, document: &Value) {
        let document = document.to_string();
        self.raw(path, &format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{document}", document.len()));
    }

    /// Answers with these bytes at a path.
    pub fn raw(&self, path: &str, answer: &str) {
        self.played.lock().unwrap().pages.insert(path.to_owned(), answer.to_owned());
    }

    /// The paths that were asked for so far.
    pub fn asked(&self) -> Vec<String> {
        self.played.lock().unwrap().asked.clone()
    }

    /// Connections so far, whether anything was asked or not.
    pub fn connections(&self) -> usize {
        self.played.lock().unwrap().connections
    }

    /// Claims of a token that is good for an hour.
    pub fn claims(&self, subject: &str, audience: &str) -> Value {
        json!({ "iss": self.url(), "sub": subject, "aud": audience, "iat": now(), "exp": now() + 3600 })
    }
}

fn tls(folder: &TempDir) -> ServerConfig {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    std::fs::write(folder.path().join("ca.pem"), params.self_signed(&ca_key).unwrap().pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let certificate = own.signed_by(&key, &rcgen::Issuer::new(params, ca_key)).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>, played: &Mutex<Played>) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let page = {
        let mut played = played.lock().unwrap();
        played.asked.push(path.clone());
        played.pages.get(&path).cloned()
    };
    let missing = || "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned();
    let mut stream = reader.into_inner();
    stream.write_all(page.unwrap_or_else(missing).as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}
