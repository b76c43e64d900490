//! An identity provider of SAML for tests, and what an attacker makes of its responses.
//!
//! It has no XML library at all: what it signs is written in its exclusive canonical form to begin with, so that a mistake of the
//! server's canonicalisation shows here as a signature that is not right.

mod assertion;
mod forged;
mod signature;

pub use assertion::{Attribute, Response};
pub use forged::{careless, disguised, wrapped};
pub use signature::Style;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

/// The address that AWS's own responses are sent to, and the audience that they are for.
pub const RECIPIENT: &str = "https://signin.aws.amazon.com/saml";
/// The audience of responses for AWS.
pub const AUDIENCE: &str = "urn:amazon:webservices";

/// A provider with a key on P-256 and a certificate for it.
pub struct IdentityProvider {
    /// The `entityID`, and the issuer of its assertions.
    pub entity_id: String,
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
}

impl IdentityProvider {
    /// A provider with a fresh key.
    pub fn new(entity_id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::new(Vec::<String>::new()).unwrap().self_signed(&pair).unwrap();
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair.serialize_der(), &random).unwrap();
        Self { entity_id: entity_id.to_owned(), key, certificate: certificate.der().to_vec() }
    }

    /// The base64 of its certificate.
    pub fn certificate(&self) -> String {
        STANDARD.encode(&self.certificate)
    }

    /// Its metadata, of at least the 1,000 characters that IAM asks for.
    pub fn metadata(&self) -> String {
        self.metadata_with("")
    }

    /// Its metadata with more attributes on the outermost element: ` validUntil="..."`.
    pub fn metadata_with(&self, attributes: &str) -> String {
        let (entity, certificate) = (&self.entity_id, self.certificate());
        let text = format!(
            "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
             entityID=\"{entity}\"{attributes}>\n\
             <md:IDPSSODescriptor WantAuthnRequestsSigned=\"false\" \
             protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\n\
             <md:KeyDescriptor use=\"signing\"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate>\
             </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>\n\
             <md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>\n\
             <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"{entity}/sso\"/>\n\
             </md:IDPSSODescriptor>\n</md:EntityDescriptor>\n"
        );
        let missing = 1000_usize.saturating_sub(text.chars().count());
        format!("{text}<!--{}-->\n", "-x".repeat(missing / 2 + 1).trim_start_matches('-'))
    }

    /// Whatever it is told to sign, with its key: ECDSA on P-256 with SHA-256, as XML Signature writes it.
    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec()
    }

    /// A response with its assertion signed, in base64.
    pub fn respond(&self, response: &Response) -> String {
        encode(&response.write(&self.assert(response)))
    }

    /// The signed assertion of a response.
    pub fn assert(&self, response: &Response) -> String {
        self.signed(&response.assertion(&self.entity_id), &Style::default())
    }

    /// A response that is signed itself, its assertion not, in base64.
    pub fn respond_signed(&self, response: &Response) -> String {
        encode(&self.signed(&response.write(&response.assertion(&self.entity_id)), &Style::default()))
    }
}

/// The form in which a response is sent.
pub fn encode(xml: &str) -> String {
    STANDARD.encode(xml)
}

/// Replaces what must be there: an attack that changes nothing would be refused for no reason.
pub fn swapped(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1)
}
