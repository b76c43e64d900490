//! A blob store that blobs move away from.

use serde_json::Value;

use crate::config::setting::Kind;

/// A part of a bucket: `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    /// The bucket's name.
    pub bucket: String,
    /// What the names of its objects begin with; may be empty.
    pub prefix: String,
}

impl BucketUrl {
    /// Reads one; `None` where the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (bucket, prefix) = text.strip_prefix("s3://")?.split_once('/').unwrap_or((text.strip_prefix("s3://")?, ""));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        let is_bucket = !bucket.is_empty() && bucket.bytes().all(plain);
        let prefix = prefix.trim_end_matches('/');
        let is_prefix = prefix.is_empty() || prefix.split('/').all(|part| !part.is_empty() && part.bytes().all(plain));
        (is_bucket && is_prefix).then(|| Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// Where blobs were kept before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormerStore {
    /// Files of the data folder.
    Files,
    /// A bucket.
    Bucket(BucketUrl),
}

impl Kind for FormerStore {
    fn expected() -> String {
        "files, or s3://bucket/prefix".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "files" { Some(Self::Files) } else { BucketUrl::parse(text).map(Self::Bucket) }
    }

    fn show(&self) -> Value {
        match self {
            Self::Files => Value::from("files"),
            Self::Bucket(BucketUrl { bucket, prefix }) if prefix.is_empty() => Value::from(format!("s3://{bucket}")),
            Self::Bucket(BucketUrl { bucket, prefix }) => Value::from(format!("s3://{bucket}/{prefix}")),
        }
    }
}
