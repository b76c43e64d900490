//! The Basic scheme (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Longer headers are no credentials of ours.
const MAX_HEADER_BYTES: usize = 24 * 1024;

/// A user name and a password. The password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id.
    pub user: String,
    /// The secret access key.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.user)
    }
}

/// Reads the value of an `Authorization` header; `None` where it is not Basic credentials.
pub fn parse_basic(value: &[u8]) -> Option<Credentials> {
    if value.len() > MAX_HEADER_BYTES {
        return None;
    }
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim_ascii()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Credentials { user: user.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_read() {
        let found = parse_basic(b"Basic QUtJQTpzZTpjcmV0").unwrap();
        assert_eq!((found.user.as_str(), found.password.as_str()), ("AKIA", "se:cret"));
        assert!(parse_basic(b"bAsIc  QUtJQTpzZTpjcmV0").is_some());
    }

    #[test]
    fn anything_else_is_not() {
        let long = [b"Basic ".as_slice(), &vec![b'A'; 30_000]].concat();
        for bad in [b"".as_slice(), b"Basic", b"Basic !!", b"Bearer abc", b"Basic QUFB", b"Basic /w==", &long] {
            assert_eq!(parse_basic(bad), None);
        }
    }
}
