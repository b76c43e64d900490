//! An issuer: its keys, and tokens of any kind.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaKeyPair,
};
use serde_json::{Value, json};

use berth_federation::oidc::{Claims, Issuer, KeySet, Token, TokenError};

/// The moment of these tests, in seconds since 1970.
pub const NOW: i64 = 1_800_000_000;
pub const ISSUER: &str = "https://issuer.example/tenant";

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key of an issuer.
pub enum Signer {
    Ec(EcdsaKeyPair, &'static str),
    Rsa(Box<RsaKeyPair>),
}

impl Signer {
    pub fn es256() -> Self {
        Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    pub fn es384() -> Self {
        Self::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")
    }

    fn ec(algorithm: &'static EcdsaSigningAlgorithm, curve: &'static str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap(), curve)
    }

    pub fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(include_bytes!("../fixtures/rsa-2048.pk8")).unwrap()))
    }

    pub fn sign(&self, algorithm: &str, signed: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(key, _) => key.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Rsa(key) => {
                let padding: &dyn ring::signature::RsaEncoding = match algorithm {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(padding, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
        }
    }

    /// The public key as a member of a key set.
    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Ec(key, curve) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "kid": kid, "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Self::Rsa(key) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(key.public_key());
                json!({ "kty": "RSA", "kid": kid, "n": encode(n), "e": encode(e) })
            }
        }
    }
}

/// A token of any header and claims, signed over whatever they are.
pub fn token(signer: &Signer, header: &str, claims: &str) -> String {
    let algorithm: Value = serde_json::from_str(header).unwrap_or_default();
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = signer.sign(algorithm["alg"].as_str().unwrap_or_default(), &signed);
    format!("{signed}.{}", encode(signature))
}

/// A token of ES256.
pub fn es256(signer: &Signer, claims: &Value) -> String {
    token(signer, r#"{"alg":"ES256","kid":"one","typ":"JWT"}"#, &claims.to_string())
}

pub fn key_set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

/// Claims that open: changed by a test in one place.
pub fn good() -> Value {
    json!({ "iss": ISSUER, "sub": "system:serviceaccount:ci:builder", "aud": ["sts.amazonaws.com"], "iat": NOW - 10, "exp": NOW + 3600 })
}

/// The claims with one changed, or taken away by null.
pub fn but(name: &str, value: Value) -> Value {
    let mut claims = good();
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name)
    } else {
        members.insert(name.to_owned(), value)
    };
    claims
}

/// What a provider with two client ids makes of a token.
pub fn verify(text: &str, keys: &KeySet) -> Result<Claims, TokenError> {
    verify_at(text, keys, NOW)
}

pub fn verify_at(text: &str, keys: &KeySet, now: i64) -> Result<Claims, TokenError> {
    let clients = ["sts.amazonaws.com", "other"].map(str::to_owned);
    Token::read(text)?.verify(&Issuer::parse(ISSUER).unwrap(), keys, &clients, now)
}
