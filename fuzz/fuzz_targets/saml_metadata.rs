//! Any text is read as SAML metadata or refused, and what is read has a name.
#![no_main]

use berth_federation::saml::Metadata;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(metadata) = Metadata::read(text) {
        assert!(!metadata.entity_id().is_empty() && metadata.entity_id().len() <= 1024);
    }
});
