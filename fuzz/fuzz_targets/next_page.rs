//! The next page of a listing is a part of the header, and the header that our own server writes is read.
#![no_main]

use berth_oci::query::{Query, link_next};
use berth_transfer::registry::link::next;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(Some(target)) = next(text) {
        assert!(text.contains(target) && !target.contains('>'));
    }
    let header = link_next("/v2/_catalog", &[("last", text)]);
    let target = next(&header).unwrap().unwrap();
    if let Ok(query) = Query::parse(target.split_once('?').unwrap().1) {
        assert_eq!(query.first("last"), Some(text));
    }
});
