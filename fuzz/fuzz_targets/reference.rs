//! A reference is refused or kept as it is; with a colon it is a digest, without one a tag.
#![no_main]

use berth_oci::reference::Reference;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(reference) = Reference::parse(text) else { return };
    assert_eq!(reference.to_string(), text);
    assert_eq!(matches!(reference, Reference::Digest(_)), text.contains(':'));
});
