//! Values that need a type of their own: timestamps, bytes, secrets.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

/// A point in time, in milliseconds since 1970 in UTC.
///
/// In a tree it is that number; XML has ISO 8601 of it and JSON seconds, as the protocols of AWS want.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// Bytes, as base64 in a tree and on the wire. Never printed, for they may be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

/// A text that is never printed and is wiped when dropped: secret keys and session tokens.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sensitive(Zeroizing<String>);

impl Timestamp {
    /// The time as ISO 8601 in UTC, such as `2026-11-28T10:00:00Z`; with three more digits where it is between seconds.
    /// None outside the years that can be written so, -9999 to 9999.
    pub fn to_iso8601(self) -> Option<String> {
        let time = jiff::Timestamp::from_millisecond(self.0).ok()?;
        let format = if self.0.rem_euclid(1000) == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S.%3fZ" };
        Some(time.strftime(format).to_string())
    }

    /// Reads ISO 8601 with a zone, or a count of seconds. Less than a millisecond is cut off.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(seconds) = text.parse::<i64>() {
            return seconds.checked_mul(1000).map(Self);
        }
        text.parse::<jiff::Timestamp>().ok().map(|time| Self(time.as_millisecond()))
    }
}

impl Sensitive {
    /// Takes a text into keeping.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for checking it, sealing it, or showing it once to who asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sensitive(…)")
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Sensitive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Sensitive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(|_| de::Error::custom("not base64"))
    }
}

/// The number of bytes that a base64 text stands for; none where it is no base64.
pub(super) fn blob_length(text: &str) -> Option<usize> {
    STANDARD.decode(text).ok().map(|bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_795_860_000_000, "2026-11-28T10:00:00Z"),
            (1_795_860_000_007, "2026-11-28T10:00:00.007Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp(milliseconds).to_iso8601().as_deref(), Some(text));
            assert_eq!(Timestamp::parse(text), Some(Timestamp(milliseconds)));
        }
        assert_eq!(Timestamp::parse("2026-11-28T11:00:00+01:00"), Some(Timestamp(1_795_860_000_000)));
        assert_eq!(Timestamp::parse("1795860000"), Some(Timestamp(1_795_860_000_000)));
        for bad in ["", "yesterday", "2026-11-28", "2026-11-28T10:00:00", "9223372036854775807"] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
        assert_eq!(Timestamp(i64::MAX).to_iso8601(), None);
    }

    #[test]
    fn secrets_are_not_printed() {
        let shown = format!("{:?} {:?}", Sensitive::new("hush"), Blob(b"hush".to_vec()));
        assert!(!shown.contains("hush") && !shown.contains("104"), "{shown}");
    }

    #[test]
    fn blobs_are_base64() {
        let blob = Blob(vec![0, 255, 7]);
        assert_eq!(serde_json::to_string(&blob).unwrap(), "\"AP8H\"");
        assert_eq!(serde_json::from_str::<Blob>("\"AP8H\"").unwrap(), blob);
        assert!(serde_json::from_str::<Blob>("\"*\"").is_err());
    }
}
