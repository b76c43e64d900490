//! How a TLS connection is encrypted, in words that last as long as the program: they are taken at the handshake, and a request costs
//! nothing more for them.

use rustls::{CipherSuite, ProtocolVersion, ServerConnection};

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encryption {
    /// The version: `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// The cipher suite by OpenSSL's name, which is the one that `CloudTrail` gives: `TLS_AES_128_GCM_SHA256` (the name of RFC 8446), or
    /// of TLS 1.2 `ECDHE-RSA-AES128-GCM-SHA256`.
    pub cipher: &'static str,
}

impl Encryption {
    /// What a handshake that is over has settled.
    pub(crate) fn of(connection: &ServerConnection) -> Option<Self> {
        let version = version(connection.protocol_version()?)?;
        let cipher = cipher(connection.negotiated_cipher_suite()?.suite())?;
        Some(Self { version, cipher })
    }
}

fn version(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

/// Every suite that a listener offers has its name here.
fn cipher(suite: CipherSuite) -> Option<&'static str> {
    Some(match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_version_and_suite_that_is_offered_has_a_name_of_its_own() {
        let offered = rustls::crypto::ring::default_provider().cipher_suites;
        let names: BTreeSet<_> = offered.iter().map(|suite| cipher(suite.suite()).unwrap()).collect();
        assert_eq!(names.len(), offered.len());
        for suite in &offered {
            let of_version = version(suite.version().version).unwrap();
            // Only the names of TLS 1.3 leave out the key exchange.
            assert_eq!(cipher(suite.suite()).unwrap().starts_with("TLS_"), of_version == "TLSv1.3", "{suite:?}");
        }
        assert_eq!(
            (cipher(CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA), version(ProtocolVersion::TLSv1_1)),
            (None, None)
        );
    }
}
