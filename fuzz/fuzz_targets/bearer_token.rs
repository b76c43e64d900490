//! A token that is read from a header says the same when it is written again.
#![no_main]

use berth_domain::tokens::Claims;
use berth_http::auth::parse_bearer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    let Some(token) = parse_bearer(value) else { return };
    let Some(claims) = Claims::parse(token) else { return };
    assert!(!claims.holder.contains('.'));
    assert!(claims.signed.starts_with("berth."));
    let hex: String = claims.signature.iter().map(|byte| format!("{byte:02x}")).collect();
    let written = format!("{}.{hex}", claims.signed);
    let again = Claims::parse(&written).unwrap();
    assert_eq!((again.holder, again.expires, again.signature), (claims.holder, claims.expires, claims.signature));
});
