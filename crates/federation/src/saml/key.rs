//! Keys that identity providers sign with, taken from the certificates of their metadata.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode, asn1::ObjectIdentifier};
use x509_cert::spki::SubjectPublicKeyInfoOwned;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    kind: Kind,
    bytes: Vec<u8>,
}

impl Key {
    /// The key of a certificate in DER: `Err` where it is no certificate, `None` where its key is of another kind.
    ///
    /// Nothing else of the certificate is judged, its dates least of all: who uploads metadata says that these keys are the provider's
    /// (OASIS sstc-metadata-iop 2.5.1).
    pub fn of_certificate(der: &[u8]) -> Result<Option<Self>, x509_cert::der::Error> {
        let certificate = Certificate::from_der(der)?;
        Ok(Self::of_info(&certificate.tbs_certificate.subject_public_key_info))
    }

    fn of_info(info: &SubjectPublicKeyInfoOwned) -> Option<Self> {
        let kind = match info.algorithm.oid {
            RSA => Kind::Rsa,
            EC => curve(info)?,
            _ => return None,
        };
        let bytes = info.subject_public_key.as_bytes()?.to_vec();
        (kind != Kind::Rsa || is_long(&bytes)).then_some(Self { kind, bytes })
    }

    /// Whether this key made the signature under the algorithm. A key of another kind did not.
    pub fn made(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verification: &dyn VerificationAlgorithm = match (self.kind, algorithm) {
            (Kind::Rsa, Algorithm::RsaSha256) => &RSA_PKCS1_2048_8192_SHA256,
            (Kind::Rsa, Algorithm::RsaSha384) => &RSA_PKCS1_2048_8192_SHA384,
            (Kind::Rsa, Algorithm::RsaSha512) => &RSA_PKCS1_2048_8192_SHA512,
            (Kind::P256, Algorithm::EcdsaSha256) => &ECDSA_P256_SHA256_FIXED,
            (Kind::P384, Algorithm::EcdsaSha384) => &ECDSA_P384_SHA384_FIXED,
            _ => return false,
        };
        UnparsedPublicKey::new(verification, &self.bytes).verify(message, signature).is_ok()
    }
}

fn curve(info: &SubjectPublicKeyInfoOwned) -> Option<Kind> {
    let named = info.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok()?;
    [(P256, Kind::P256), (P384, Kind::P384)].into_iter().find(|(curve, _)| *curve == named).map(|(_, kind)| kind)
}

/// Whether an RSA key is one that verification will take: of 2048 bits or more. The modulus is nearly all of its DER.
fn is_long(pkcs1: &[u8]) -> bool {
    (256..=1100).contains(&pkcs1.len())
}

/// The algorithms of signatures that are accepted: RFC 9231 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    RsaSha256,
    RsaSha384,
    RsaSha512,
    EcdsaSha256,
    EcdsaSha384,
}

impl Algorithm {
    /// By its URI; `None` for all others, SHA-1 and HMAC among them.
    pub fn of_uri(uri: &str) -> Option<Self> {
        Some(match uri.strip_prefix("http://www.w3.org/2001/04/xmldsig-more#")? {
            "rsa-sha256" => Self::RsaSha256,
            "rsa-sha384" => Self::RsaSha384,
            "rsa-sha512" => Self::RsaSha512,
            "ecdsa-sha256" => Self::EcdsaSha256,
            "ecdsa-sha384" => Self::EcdsaSha384,
            _ => return None,
        })
    }
}
