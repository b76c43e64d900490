//! A decoded query has no control characters, and is read back when it is encoded again.
#![no_main]

use berth_oci::query::{Query, link_next};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(query) = Query::parse(text) else { return };
    let pairs: Vec<(&str, &str)> = query.pairs().collect();
    assert!(pairs.iter().all(|(key, value)| !key.chars().chain(value.chars()).any(char::is_control)));
    for (key, _) in &pairs {
        assert_eq!(query.first(key), query.all(key).next());
    }
    let _ = query.page_size();
    let link = link_next("/", &pairs);
    let encoded = link.strip_prefix("</?").and_then(|link| link.strip_suffix(">; rel=\"next\"")).unwrap();
    // Encoding may make a query longer than is read.
    if let Ok(again) = Query::parse(encoded) {
        assert_eq!(again, query);
    }
});
