//! Link files of CNCF Distribution's storage: a digest as text.

use berth_oci::digest::Digest;

/// A link file is no longer than this, in bytes.
pub(super) const MAX_BYTES: usize = 256;

/// The digest in a link file; white space around it does not count.
pub fn parse(bytes: &[u8]) -> Option<Digest> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    Digest::parse(std::str::from_utf8(bytes).ok()?.trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_link_is_a_digest() {
        for good in [DIGEST.to_owned(), format!("{DIGEST}\n"), format!(" {DIGEST}\r\n")] {
            assert_eq!(parse(good.as_bytes()).unwrap().to_string(), DIGEST, "{good:?}");
        }
        let padded = format!("{DIGEST}{}", " ".repeat(MAX_BYTES));
        let two = format!("{DIGEST}\n{DIGEST}");
        for bad in ["", "\n", "sha256:", "../../etc/passwd", &DIGEST[..70], &padded, &two] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(parse(b"\xff\xfe"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_a_digest(bytes: Vec<u8>) {
            if let Some(digest) = parse(&bytes) {
                let text = digest.to_string();
                prop_assert_eq!(text.as_bytes(), bytes.trim_ascii());
            }
        }
    }
}
