//! Digests that are none, as they stand in a path or query.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use percent_encoding::percent_decode_str;

const HEX_64: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Texts that must be refused as digests. Those of the first group are too short to hit a limit on the request's line.
pub fn bad_digests() -> Vec<String> {
    let short = &HEX_64[1..];
    vec![
        format!("sha256:..%2f..%2f..%2fetc%2f{short}"),
        "sha256:..%2f..%2f..%2fetc%2fpasswd".to_owned(),
        "sha256:%2e%2e%2f%2e%2e".to_owned(),
        format!("sha256:{short}"),
        format!("sha256:{HEX_64}0"),
        format!("sha256:{}", HEX_64.to_uppercase()),
        format!("SHA256:{HEX_64}"),
        format!("sha256:{}", "g".repeat(64)),
        format!("sha256:{HEX_64}%00"),
        format!("sha256:{HEX_64}%0a"),
        format!("%20sha256:{HEX_64}"),
        format!("sha256%00:{HEX_64}"),
        format!("sha512:{HEX_64}"),
        format!("md5:{}", &HEX_64[..32]),
        format!("sha1:{}", &HEX_64[..40]),
        format!("sha256+b64:{HEX_64}"),
        format!("sha256::{HEX_64}"),
        format!("sha256:{HEX_64}:{HEX_64}"),
        format!(":{HEX_64}"),
        "sha256:".to_owned(),
        ":".to_owned(),
        "%73ha256:nothex".to_owned(),
        format!("sha256:{}", "0".repeat(20_000)),
    ]
}

/// The same as a text of JSON holds them, without percent signs.
pub fn bad_digests_in_json() -> Vec<String> {
    let plain = |digest: String| percent_decode_str(&digest).decode_utf8().unwrap().into_owned();
    bad_digests().into_iter().map(plain).collect()
}

/// A digest of a length that no request line may have.
pub fn endless_digest() -> String {
    format!("sha256:{}", "0".repeat(1_000_000))
}
