//! The string to sign, and the key that signs it.

use ring::hmac;
use zeroize::Zeroizing;

use super::presented::Scope;
use super::{ALGORITHM, TERMINATOR, date};

/// The signature of a canonical request: 32 bytes.
///
/// `canonical` is the SHA-256 of the canonical request, in hex; `moment` the request's, in seconds since 1970. Source:
/// "Create a signed AWS API request", steps 3 to 5.
pub(super) fn signature(secret: &str, scope: &Scope, moment: i64, canonical: &str) -> hmac::Tag {
    let text = format!("{ALGORITHM}\n{}\n{}\n{canonical}", date::iso(moment), scope.text());
    hmac::sign(&signing_key(secret, scope), text.as_bytes())
}

fn signing_key(secret: &str, scope: &Scope) -> hmac::Key {
    let first = Zeroizing::new(format!("AWS4{secret}"));
    let first = hmac::Key::new(hmac::HMAC_SHA256, first.as_bytes());
    [scope.date.as_str(), &scope.region, &scope.service, TERMINATOR].iter().fold(first, |key, part| {
        let derived = hmac::sign(&key, part.as_bytes());
        hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())
    })
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads 64 lower-case hex digits.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_that_of_the_documentation() {
        let scope = Scope { date: "20150830".to_owned(), region: "us-east-1".to_owned(), service: "iam".to_owned() };
        let canonical = "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let signed = signature("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &scope, 1_440_938_160, canonical);
        assert_eq!(hex(signed.as_ref()), "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
    }

    #[test]
    fn hex_comes_back_and_other_texts_are_refused() {
        let bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i * 8).unwrap());
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        for bad in [String::new(), "a".repeat(63), "a".repeat(65), "A".repeat(64), "g".repeat(64), "é".repeat(32)] {
            assert_eq!(unhex(&bad), None, "{bad}");
        }
    }
}
