//! A media type is refused or kept as it is, and read from a header with parameters as without.
#![no_main]

use berth_oci::media_type::MediaType;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(media_type) = MediaType::parse(text) {
        assert_eq!(media_type.as_str(), text);
        assert_eq!(MediaType::parse_header(&format!(" {text} ;charset=utf-8")).as_ref(), Ok(&media_type));
    }
    if let Ok(media_type) = MediaType::parse_header(text) {
        assert_eq!(MediaType::parse(media_type.as_str()), Ok(media_type));
    }
});
