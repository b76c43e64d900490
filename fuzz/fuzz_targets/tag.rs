//! A tag is refused or kept as it is, and what is kept is safe as the last component of a path.
#![no_main]

use berth_oci::tag::{MAX_LENGTH, Tag};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(tag) = Tag::parse(text) else { return };
    assert_eq!(tag.as_str(), text);
    assert_eq!(Tag::parse(&tag.to_string()), Ok(tag));
    assert!((1..=MAX_LENGTH).contains(&text.len()) && !text.starts_with('.') && !text.contains(['/', '%', ':']));
});
