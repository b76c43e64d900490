//! A repository name is refused or kept as it is, and what is kept is safe as a path.
#![no_main]

use berth_oci::name::{MAX_LENGTH, RepositoryName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(name) = RepositoryName::parse(text) else { return };
    assert_eq!(name.as_str(), text);
    assert_eq!(RepositoryName::parse(&name.to_string()), Ok(name));
    assert!(text.len() <= MAX_LENGTH && text.bytes().all(|b| b.is_ascii_graphic() && b != b'%'));
    assert!(text.split('/').all(|component| component.starts_with(|c: char| c.is_ascii_alphanumeric())));
});
