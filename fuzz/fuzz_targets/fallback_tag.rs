//! The fall-back tag of a digest is a tag and leads back to it; a tag that leads to a digest is that digest's.
#![no_main]

use berth_oci::digest::{Algorithm, Digest};
use berth_oci::referrers::{fallback_tag, parse_fallback_tag};
use berth_oci::tag::Tag;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let sha256 = Digest::of(Algorithm::Sha256, bytes);
    assert_eq!(parse_fallback_tag(&Tag::parse(&fallback_tag(&sha256)).unwrap()), Some(sha256));
    assert!(Tag::parse(&fallback_tag(&Digest::of(Algorithm::Sha512, bytes))).is_ok());
    let Some(tag) = std::str::from_utf8(bytes).ok().and_then(|text| Tag::parse(text).ok()) else { return };
    if let Some(subject) = parse_fallback_tag(&tag) {
        assert_eq!(fallback_tag(&subject), tag.as_str());
    }
});
