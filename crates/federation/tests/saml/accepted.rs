//! Responses that decent providers send.

use berth_federation::saml::{Expected, Metadata, verify};
use berth_testkit::saml::{AUDIENCE, RECIPIENT, encode, swapped};

use super::{ENTITY, NOW, judged, provider, response};

#[test]
fn a_signed_assertion_says_who_and_what() {
    let (provider, response) =
        (provider(), response().with("SessionDuration", &["1800"]).with_plain("x", &["a &amp; b", "c"]));
    let claims = judged(&provider, &provider.respond(&response)).unwrap();
    assert_eq!(claims.subject, "alice@example.com");
    assert_eq!(claims.subject_format.as_deref(), Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"));
    assert_eq!(
        (claims.issuer.as_str(), claims.audience.as_str(), claims.recipient.as_str()),
        (ENTITY, AUDIENCE, RECIPIENT)
    );
    assert_eq!(claims.assertion_id, response.id);
    assert_eq!(claims.values("https://aws.amazon.com/SAML/Attributes/SessionDuration").collect::<Vec<_>>(), ["1800"]);
    assert_eq!(claims.values("x").collect::<Vec<_>>(), ["a & b", "c"]);
    assert_eq!(claims.usable_until, NOW + 360, "five minutes, and the leeway");
    assert_eq!(claims.session_until, None);
}

#[test]
fn the_response_may_be_signed_instead_or_too() {
    let (provider, response) = (provider(), response());
    let claims = judged(&provider, &provider.respond_signed(&response)).unwrap();
    assert_eq!(claims.subject, "alice@example.com");
    let twice = provider.signed(&response.write(&provider.assert(&response)), &berth_testkit::saml::Style::default());
    assert_eq!(judged(&provider, &encode(&twice)).unwrap(), claims);
    // Where both are signed, both must be right.
    let broken = swapped(&twice, "<ds:SignatureValue>", "<ds:SignatureValue>AAAA");
    judged(&provider, &encode(&broken)).unwrap_err();
}

#[test]
fn what_is_written_in_other_ways_is_the_same() {
    let (provider, response) = (provider(), response());
    let plain = response.write(&provider.assert(&response));
    let expected = judged(&provider, &encode(&plain)).unwrap();
    let spread = encode(&plain)
        .as_bytes()
        .chunks(76)
        .map(|line| format!("{}\r\n", str::from_utf8(line).unwrap()))
        .collect::<String>();
    let written = [
        spread,
        encode(&format!("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n{plain}\n")),
        encode(&swapped(&plain, "></saml:SubjectConfirmationData>", "/>")),
        encode(&swapped(&plain, "alice@example.com</saml:NameID>", "&#x61;lice@example.com</saml:NameID>")),
        encode(&swapped(
            &plain,
            "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID",
            "<saml:Assertion   xmlns:unused=\"urn:x\" xmlns:saml='urn:oasis:names:tc:SAML:2.0:assertion' ID",
        )),
        encode(&swapped(&plain, "<samlp:Status>", "\n  <samlp:Status>")),
    ];
    for text in written {
        assert_eq!(judged(&provider, &text).as_ref(), Ok(&expected));
    }
}

/// Made by signxml and xmlsec1 (`fixtures/make.py`): other implementations of everything.
#[test]
fn responses_of_other_implementations_are_read() {
    let metadata = Metadata::read(include_str!("fixtures/metadata.xml")).unwrap();
    let (audiences, recipients) = ([AUDIENCE.to_owned()], [RECIPIENT.to_owned()]);
    for text in [
        include_str!("fixtures/assertion-rsa-sha256.xml"),
        include_str!("fixtures/assertion-rsa-sha384.xml"),
        include_str!("fixtures/response-rsa-sha512.xml"),
        include_str!("fixtures/assertion-inclusive-prefixes.xml"),
    ] {
        let expected = Expected { metadata: &metadata, audiences: &audiences, recipients: &recipients, now: NOW };
        let claims = verify(&encode(text), &expected).unwrap();
        assert_eq!(claims.subject, "bob@example.com");
        assert_eq!(
            claims.values("https://aws.amazon.com/SAML/Attributes/RoleSessionName").collect::<Vec<_>>(),
            ["bob"]
        );
        let changed = swapped(text, "bob@example.com", "eve@example.com");
        verify(&encode(&changed), &expected).unwrap_err();
    }
}
