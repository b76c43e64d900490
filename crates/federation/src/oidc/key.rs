//! One public key of a key set (RFC 7517; RFC 7518, section 6).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, Curve, Family};

/// The shortest modulus of RSA, and the longest that is verified, in bits.
const SHORTEST_RSA: usize = 2048;
const LONGEST_RSA: usize = 8192;
/// The longest name of a key, in characters.
const LONGEST_KID: usize = 1024;

/// A public key that tokens may be verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) kid: Option<String>,
    /// The one algorithm that it is for, where the set says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: Curve, point: Vec<u8> },
}

impl Key {
    /// Reads a member of a key set; `None` for what tokens are not verified with: symmetric keys, keys for encryption, keys that
    /// are too weak, kinds that nobody here knows.
    pub(super) fn read(members: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| members.get(name).map(|value| value.as_str());
        let kid = text("kid")
            .map(|kid| kid.filter(|kid| kid.len() <= LONGEST_KID))
            .map_or(Some(None), |kid| kid.map(Some))?;
        let is_for_signatures = text("use").is_none_or(|purpose| purpose == Some("sig"));
        if !is_for_signatures || !may_verify(members) {
            return None;
        }
        let algorithm = match text("alg") {
            None => None,
            Some(name) => Some(Algorithm::parse(name?)?),
        };
        let material = match text("kty")?? {
            "RSA" => rsa(members)?,
            "EC" => point(members)?,
            _ => return None,
        };
        let key = Self { kid: kid.map(str::to_owned), algorithm, material };
        algorithm.is_none_or(|algorithm| algorithm.family() == key.family()).then_some(key)
    }

    fn family(&self) -> Family {
        match &self.material {
            Material::Rsa { .. } => Family::Rsa,
            Material::Ec { curve, .. } => Family::Ec(*curve),
        }
    }

    /// Whether tokens of this algorithm may be verified with it.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.family() == algorithm.family() && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether the key signed this.
    pub(super) fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            _ if !self.is_for(algorithm) => false,
            Material::Rsa { n, e } => algorithm.rsa().is_some_and(|parameters| {
                RsaPublicKeyComponents { n, e }.verify(parameters, signed, signature).is_ok()
            }),
            Material::Ec { point, .. } => algorithm
                .ec()
                .is_some_and(|parameters| UnparsedPublicKey::new(parameters, point).verify(signed, signature).is_ok()),
        }
    }
}

/// Whether `key_ops` lets the key verify (RFC 7517, section 4.3).
fn may_verify(members: &Map<String, Value>) -> bool {
    match members.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => false,
    }
}

fn bytes(members: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(members.get(name)?.as_str()?).ok()
}

/// A number without the zeros that some write before it.
fn number(members: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let bytes = bytes(members, name)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).map(<[u8]>::to_vec).filter(|bytes| !bytes.is_empty())
}

fn rsa(members: &Map<String, Value>) -> Option<Material> {
    let (n, e) = (number(members, "n")?, number(members, "e")?);
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    let is_odd = e.last()? % 2 == 1 && e != [1];
    (SHORTEST_RSA..=LONGEST_RSA).contains(&bits).then_some(())?;
    is_odd.then_some(Material::Rsa { n, e })
}

fn point(members: &Map<String, Value>) -> Option<Material> {
    let (curve, length) = match members.get("crv")?.as_str()? {
        "P-256" => (Curve::P256, 32),
        "P-384" => (Curve::P384, 48),
        _ => return None,
    };
    let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
    let is_whole = x.len() == length && y.len() == length;
    // Uncompressed, as SEC 1 writes it (section 2.3.3).
    is_whole.then(|| Material::Ec { curve, point: [&[4], &*x, &*y].concat() })
}
