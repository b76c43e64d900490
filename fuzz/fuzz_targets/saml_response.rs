//! No change of a signed SAML response changes what it says: whatever is accepted is word for word the subject that was signed.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_federation::saml::{Expected, Metadata, verify};
use libfuzzer_sys::fuzz_target;

/// 2026-03-01T12:00:00Z, when the seeds were signed.
const NOW: i64 = 1_772_366_400;

static METADATA: LazyLock<Metadata> =
    LazyLock::new(|| Metadata::read(include_str!("../../crates/federation/tests/saml/fixtures/metadata.xml")).unwrap());

fuzz_target!(|text: &str| {
    let (audiences, recipients) = (["urn:amazon:webservices".to_owned()], ["https://signin.aws.amazon.com/saml".to_owned()]);
    let expected = Expected { metadata: &METADATA, audiences: &audiences, recipients: &recipients, now: NOW };
    if let Ok(claims) = verify(&STANDARD.encode(text), &expected) {
        assert_eq!((claims.subject.as_str(), claims.issuer.as_str()), ("bob@example.com", "https://idp.example/signxml"));
    }
    let _ = verify(text, &expected);
});
