//! Whatever arrives, nothing but a true token opens.

use berth_federation::oidc::{Issuer, KeySet, Token, jwks_uri};
use proptest::prelude::*;
use serde_json::json;

use crate::mint::{ISSUER, NOW, Signer, but, es256, good, key_set, verify};

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![".{0,200}", "[A-Za-z0-9_.-]{0,200}", "eyJ[A-Za-z0-9_]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,20}"]) {
        let _ = Token::read(&text).map(|token| token.claimed_issuer().map(str::to_owned));
        let _ = KeySet::parse(text.as_bytes());
        let _ = Issuer::parse(&text).map(|issuer| jwks_uri(&issuer, text.as_bytes()));
    }

    #[test]
    fn every_character_of_a_token_counts(at in any::<prop::sample::Index>(), other in "[A-Za-z0-9_.-]") {
        let signer = Signer::es256();
        let keys = key_set(&[signer.jwk("one")]);
        let mut text = es256(&signer, &good());
        let at = at.index(text.len());
        let same = text.as_bytes()[at] == other.as_bytes()[0];
        text.replace_range(at..=at, &other);
        prop_assert_eq!(verify(&text, &keys).is_ok(), same);
    }

    #[test]
    fn claims_come_out_as_they_went_in(subject in "[ -~é]{1,200}", name in "[a-z_]{4,12}", value in "\\PC{0,40}") {
        let signer = Signer::es256();
        let mut claims = but("sub", json!(subject));
        claims[&name] = json!(value);
        let read = verify(&es256(&signer, &claims), &key_set(&[signer.jwk("one")])).unwrap();
        prop_assert_eq!(read.subject, subject);
        let key = format!("issuer.example/tenant:{name}");
        prop_assert!(read.keys.contains(&(key, vec![value])));
    }

    #[test]
    fn a_token_opens_as_long_as_it_says(begin in -100_000_i64..100_000, life in -10_i64..90_000) {
        let signer = Signer::es256();
        let mut claims = but("iat", json!(NOW + begin));
        claims["exp"] = json!(NOW + begin + life);
        let is_good = begin <= 60 && begin + life > -60 && life > 0 && life <= 86_400;
        prop_assert_eq!(verify(&es256(&signer, &claims), &key_set(&[signer.jwk("one")])).is_ok(), is_good);
    }

    #[test]
    fn only_the_registered_issuer_is_the_issuer(other in "https://[a-z./]{1,30}") {
        prop_assume!(other != ISSUER);
        let signer = Signer::es256();
        prop_assert!(verify(&es256(&signer, &but("iss", json!(other))), &key_set(&[signer.jwk("one")])).is_err());
    }
}
