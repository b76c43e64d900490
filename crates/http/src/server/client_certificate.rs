//! Certificates that clients show: whom they name, and who may come in.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Whom the certificate names that a client showed and whose authority the listener trusts. An extension of every request
/// of such a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The subject as RFC 4514 writes it, `CN=robot,O=Example`; empty where the certificate names nobody there.
    pub subject: Arc<str>,
    /// All names: the subject, its common name, and the alternative names (DNS, mail, URI, address) as text.
    pub names: Vec<String>,
}

impl ClientCertificate {
    /// Reads a certificate in DER; `None` where it is none.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?.tbs_certificate;
        let subject: Arc<str> = certificate.subject.to_string().into();
        let own = (!subject.is_empty()).then(|| subject.to_string());
        let attributes = certificate.subject.0.iter().flat_map(|group| group.0.iter());
        let common = attributes
            .filter(|attribute| attribute.oid == COMMON_NAME)
            .filter_map(|attribute| str::from_utf8(attribute.value.value()).ok().map(str::to_owned));
        let alternative = certificate.get::<SubjectAltName>().ok()?.map(|(_, names)| names.0).unwrap_or_default();
        let names = own.into_iter().chain(common).chain(alternative.iter().filter_map(name)).collect();
        Some(Self { subject, names })
    }

    /// Whether one of its names is among those allowed. Names are compared as a whole, without regard to the case of ASCII.
    fn is_among(&self, allowed: &[String]) -> bool {
        self.names.iter().any(|name| allowed.iter().any(|allowed| name.eq_ignore_ascii_case(allowed)))
    }
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::Rfc822Name(name) => Some(name.to_string()),
        GeneralName::UniformResourceIdentifier(name) => Some(name.to_string()),
        GeneralName::IpAddress(address) => {
            let four = <[u8; 4]>::try_from(address.as_bytes()).map(|octets| Ipv4Addr::from(octets).to_string());
            let six = || <[u8; 16]>::try_from(address.as_bytes()).map(|octets| Ipv6Addr::from(octets).to_string());
            four.or_else(|_| six()).ok()
        }
        _ => None,
    }
}

/// Lets certificates in that `inner` trusts and that bear one of the names.
pub(crate) struct OfNames {
    pub(crate) inner: Arc<dyn ClientCertVerifier>,
    pub(crate) names: Vec<String>,
}

impl fmt::Debug for OfNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfNames").field("names", &self.names).finish_non_exhaustive()
    }
}

impl ClientCertVerifier for OfNames {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        let is_allowed = ClientCertificate::read(end_entity).is_some_and(|client| client.is_among(&self.names));
        if is_allowed { Ok(verified) } else { Err(CertificateError::ApplicationVerificationFailure.into()) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn shown(change: impl FnOnce(&mut CertificateParams)) -> ClientCertificate {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        ClientCertificate::read(certificate.der()).unwrap()
    }

    #[test]
    fn a_certificate_has_the_names_of_its_subject_and_those_beside() {
        let client = shown(|params| {
            params.distinguished_name.push(DnType::OrganizationName, "Example, Inc");
            params.distinguished_name.push(DnType::CommonName, "robot");
            params.subject_alt_names = vec![
                SanType::DnsName("ci.example".try_into().unwrap()),
                SanType::URI("spiffe://example/ci".try_into().unwrap()),
                SanType::Rfc822Name("ci@example".try_into().unwrap()),
                SanType::IpAddress("10.0.0.7".parse().unwrap()),
                SanType::IpAddress("2001:db8::7".parse().unwrap()),
            ];
        });
        assert_eq!(&*client.subject, r"CN=robot,O=Example\, Inc");
        let beside = ["ci.example", "spiffe://example/ci", "ci@example", "10.0.0.7", "2001:db8::7"];
        assert_eq!(client.names, [&[r"CN=robot,O=Example\, Inc", "robot"], &beside[..]].concat());
        let table =
            [("robot", true), ("ROBOT", true), ("CI.example", true), ("rob", false), ("example", false), ("", false)];
        for (name, expected) in table {
            assert_eq!(client.is_among(&[name.to_owned()]), expected, "{name}");
        }
        assert!(!client.is_among(&[]));
    }

    #[test]
    fn a_certificate_without_names_is_among_none() {
        let client = shown(|_| {});
        assert_eq!((&*client.subject, client.names.len()), ("", 0));
        assert!(!client.is_among(&[String::new()]));
        assert_eq!(ClientCertificate::read(b"0"), None);
    }
}
