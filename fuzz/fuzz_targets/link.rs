//! No value of a parameter gets out of a link to the next page, and each is read back. Values are the input's lines.
#![no_main]

use berth_oci::query::{Query, link_next};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let parameters: Vec<(&str, &str)> = text.split('\n').map(|value| ("last", value)).collect();
    let link = link_next("/v2/_catalog", &parameters);
    let query = link.strip_prefix("</v2/_catalog?").and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    assert!(query.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"".contains(&b)));
    if let Ok(query) = Query::parse(query) {
        assert_eq!(query.pairs().collect::<Vec<_>>(), parameters);
    }
});
