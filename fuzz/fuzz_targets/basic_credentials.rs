//! Credentials that are read from a header are read again from the header made of them.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_http::auth::parse_basic;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    let Some(found) = parse_basic(value) else { return };
    assert!(!found.user.contains(':'));
    assert!(
        !format!("{found:?}").contains(&found.password)
            || found.user.contains(&found.password)
            || found.password.len() < 12
    );
    let header = format!("Basic {}", STANDARD.encode(format!("{}:{}", found.user, found.password)));
    assert!(parse_basic(header.as_bytes()) == Some(found));
});
