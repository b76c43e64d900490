//! No token opens that the issuer's keys did not sign, whatever it looks like; and documents of issuers are read or refused.
#![no_main]

use berth_federation::oidc::{Issuer, KeySet, Token, jwks_uri};
use libfuzzer_sys::fuzz_target;

/// A key whose private half nobody has kept (RFC 7517, appendix A.1).
const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"1","use":"sig",
    "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

fuzz_target!(|bytes: &[u8]| {
    let issuer = Issuer::parse("https://issuer.example").expect("an address");
    let _ = jwks_uri(&issuer, bytes);
    let _ = KeySet::parse(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(other) = Issuer::parse(text) {
        assert_eq!(Issuer::parse(other.as_str()).as_ref(), Ok(&other));
    }
    let Ok(token) = Token::read(text) else { return };
    let keys = KeySet::parse(KEYS.as_bytes()).expect("a key set");
    assert!(token.verify(&issuer, &keys, &["sts.amazonaws.com".to_owned()], 1_800_000_000).is_err());
});
