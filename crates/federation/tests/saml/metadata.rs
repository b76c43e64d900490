//! Metadata of identity providers.

use berth_federation::saml::{Metadata, MetadataError};
use berth_testkit::saml::swapped;

use super::{ENTITY, provider};

#[test]
fn metadata_says_who_and_until_when() {
    let provider = provider();
    let metadata = Metadata::read(&provider.metadata()).unwrap();
    assert_eq!((metadata.entity_id(), metadata.valid_until()), (ENTITY, None));
    let metadata = Metadata::read(&provider.metadata_with(" validUntil=\"2026-03-01T12:00:00Z\"")).unwrap();
    assert_eq!(metadata.valid_until(), Some(super::NOW));
    let any_use = swapped(&provider.metadata(), " use=\"signing\"", "");
    Metadata::read(&any_use).unwrap();
}

#[test]
fn what_is_no_metadata_is_refused() {
    let right = provider().metadata();
    let structure = |error: &MetadataError| matches!(error, MetadataError::Structure(_));
    let is = |expected: MetadataError| move |error: &MetadataError| *error == expected;
    let certificate = provider().certificate();
    let cases: [(String, Box<dyn Fn(&MetadataError) -> bool>); 12] = [
        (String::new(), Box::new(is(MetadataError::NotXml))),
        (format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{right}"), Box::new(is(MetadataError::Dtd))),
        (right.replace("EntityDescriptor", "EntitiesDescriptor"), Box::new(structure)),
        (right.replace("IDPSSODescriptor", "SPSSODescriptor"), Box::new(structure)),
        (right.replace("SAML:2.0:protocol", "SAML:1.1:protocol"), Box::new(structure)),
        (right.replace("entityID", "entity"), Box::new(structure)),
        (right.replace(ENTITY, &"x".repeat(1025)), Box::new(structure)),
        (right.replace("use=\"signing\"", "use=\"encryption\""), Box::new(is(MetadataError::NoKey))),
        (swapped(&right, "<ds:X509Certificate>", "<ds:X509Certificate>AAAA"), Box::new(is(MetadataError::Certificate))),
        (swapped(&right, "<ds:X509Certificate>", "<ds:X509Certificate>*"), Box::new(is(MetadataError::Certificate))),
        (provider().metadata_with(" validUntil=\"soon\""), Box::new(is(MetadataError::Time("validUntil")))),
        (
            swapped(
                &right,
                "</ds:X509Data>",
                &format!(
                    "{}</ds:X509Data>",
                    format!("<ds:X509Certificate>{certificate}</ds:X509Certificate>").repeat(10)
                ),
            ),
            Box::new(structure),
        ),
    ];
    for (text, is_expected) in cases {
        let refusal = Metadata::read(&text).unwrap_err();
        assert!(is_expected(&refusal), "{refusal:?}: {text:.200}");
    }
}

/// Short RSA keys, and keys that the accepted algorithms do not know, are no keys; the others of the same document are.
#[test]
fn weak_keys_do_not_count() {
    let weak = include_str!("fixtures/rsa-1024.txt").trim();
    let edwards = include_str!("fixtures/ed25519.txt").trim();
    let (right, own) = (provider().metadata(), "<ds:X509Certificate>");
    for certificate in [weak, edwards] {
        let end = right.find("</ds:X509Certificate>").unwrap();
        let start = right.find(own).unwrap() + own.len();
        let only = format!("{}{certificate}{}", &right[..start], &right[end..]);
        assert_eq!(Metadata::read(&only), Err(MetadataError::NoKey));
        let both = swapped(&right, own, &format!("{own}{certificate}</ds:X509Certificate>{own}"));
        Metadata::read(&both).unwrap();
    }
}
