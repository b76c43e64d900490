//! Challenges have a scheme in lower case, and parameters that are read again from what they are written as.
#![no_main]

use berth_transfer::registry::challenge::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for challenge in parse(text) {
        assert!(!challenge.scheme.is_empty() && !challenge.scheme.bytes().any(|b| b.is_ascii_uppercase()));
        let written: Vec<String> = challenge
            .parameters
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
            .collect();
        if !written.is_empty() {
            let again = parse(&format!("{} {}", challenge.scheme, written.join(", ")));
            assert_eq!(again, [challenge]);
        }
    }
});
