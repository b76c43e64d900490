//! A65 and A67, beside the rules themselves: `crates/berth/tests/attacks/saml.rs` does them through the door.

use berth_federation::saml::{RESPONSE_CHARACTERS, ResponseError};
use berth_testkit::saml::{IdentityProvider, Response, careless, disguised, encode, wrapped};

use super::{ENTITY, judged, provider, response};

#[test]
fn a65_no_wrapping_gets_through() {
    let provider = provider();
    let evil = Response { subject: "root@example.com".to_owned(), ..Response::new("root", &["a,b"], super::NOW) };
    for (name, text) in wrapped(&provider, &response(), &evil) {
        let refusal = judged(&provider, &text).expect_err(name);
        assert!(matches!(refusal, ResponseError::Structure(_) | ResponseError::DuplicateId), "{name}: {refusal:?}");
    }
}

#[test]
fn a65_markup_that_splits_or_fetches_is_refused() {
    let provider = provider();
    for (name, text) in disguised(&provider, &response(), "http://127.0.0.1:9/") {
        let refusal = judged(&provider, &text).expect_err(name);
        let is_about_markup = matches!(
            refusal,
            ResponseError::Markup(_) | ResponseError::Dtd | ResponseError::NotXml | ResponseError::Structure(_)
        );
        assert!(is_about_markup || refusal == ResponseError::TooLong, "{name}: {refusal:?}");
    }
}

#[test]
fn a65_what_is_compressed_or_no_response_at_all_is_refused() {
    let provider = provider();
    let bomb = encode(&String::from_utf8_lossy(&[0x78, 0xda, 0xed, 0xc1, 0x01]));
    let long = "A".repeat(RESPONSE_CHARACTERS + 4);
    for (text, expected) in [
        (bomb.as_str(), ResponseError::NotXml),
        ("H4sIAAAAAAAAA+3BMQEAAADCoPVP7WsIoAAA", ResponseError::NotXml),
        (long.as_str(), ResponseError::TooLong),
        ("*", ResponseError::NotBase64),
        ("", ResponseError::NotXml),
        ("PHg+", ResponseError::NotXml),
    ] {
        assert_eq!(judged(&provider, text), Err(expected), "{text:.40}");
    }
}

#[test]
fn a67_only_the_pinned_keys_and_strong_algorithms_count() {
    let (provider, attacker) = (provider(), IdentityProvider::new(ENTITY));
    for (name, text) in careless(&provider, &attacker, &response()) {
        let refusal = judged(&provider, &text).expect_err(name);
        let expected = match name {
            "unsigned" => ResponseError::Unsigned,
            "an encrypted assertion" => ResponseError::Encrypted,
            "the attacker's key in KeyInfo" | "the attacker's key" | "another name" | "another attribute" => {
                ResponseError::Signature
            }
            "another digest" => ResponseError::Signature,
            _ => {
                assert!(
                    matches!(refusal, ResponseError::Algorithm(_) | ResponseError::Structure(_)),
                    "{name}: {refusal:?}"
                );
                continue;
            }
        };
        assert_eq!(refusal, expected, "{name}");
    }
}
