//! The referrers API (distribution spec, "Listing Referrers") and its fall-back tags.

use std::collections::BTreeMap;

use crate::digest::{Algorithm, Digest};
use crate::media_type::{MediaType, OCI_INDEX};
use crate::tag::Tag;

/// One manifest of the list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferrerDescriptor {
    /// Its media type.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
    /// Its artifact type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Its annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An index of as many descriptors as fit into `limit` bytes, and how many those are; the first one always fits.
pub fn render_index(descriptors: &[ReferrerDescriptor], limit: usize) -> (usize, Vec<u8>) {
    let mut body = format!("{{\"schemaVersion\":2,\"mediaType\":\"{OCI_INDEX}\",\"manifests\":[").into_bytes();
    let mut shown = 0;
    for descriptor in descriptors {
        let Ok(rendered) = serde_json::to_vec(descriptor) else { break };
        if shown > 0 && body.len() + rendered.len() + 3 > limit {
            break;
        }
        if shown > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&rendered);
        shown += 1;
    }
    body.extend_from_slice(b"]}");
    (shown, body)
}

/// The tag under which clients without the referrers API keep the index of what refers to `subject`.
pub fn fallback_tag(subject: &Digest) -> String {
    let mut tag = format!("{}-{}", subject.algorithm().as_str(), subject.hex());
    tag.truncate(crate::tag::MAX_LENGTH);
    tag
}

/// The subject that a fall-back tag is about. A sha512 digest does not fit into a tag.
pub fn parse_fallback_tag(tag: &Tag) -> Option<Digest> {
    let hex = tag.as_str().strip_prefix("sha256-").filter(|hex| hex.len() == Algorithm::Sha256.hex_len())?;
    Digest::parse(&format!("sha256:{hex}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(n: u8) -> ReferrerDescriptor {
        ReferrerDescriptor {
            media_type: MediaType::parse("a/b").unwrap(),
            digest: Digest::of(Algorithm::Sha256, &[n]),
            size: 1,
            artifact_type: Some("c/d".to_owned()),
            annotations: BTreeMap::from([("k".to_owned(), "v\"".to_owned())]),
        }
    }

    #[test]
    fn a_page_is_an_index_and_stops_at_its_limit() {
        let all: Vec<_> = (0..10).map(descriptor).collect();
        for (limit, expected) in [(1, 1), (1 << 20, 10)] {
            let (shown, body) = render_index(&all, limit);
            let index: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((shown, index["manifests"].as_array().unwrap().len()), (expected, expected));
            assert_eq!(index["manifests"][0]["artifactType"], "c/d");
        }
        assert_eq!(render_index(&[], 100).0, 0);
    }

    #[test]
    fn a_fallback_tag_reads_back() {
        let subject = Digest::of(Algorithm::Sha256, b"x");
        let tag = Tag::parse(&fallback_tag(&subject)).unwrap();
        assert_eq!(parse_fallback_tag(&tag), Some(subject));
        assert!(Tag::parse(&fallback_tag(&Digest::of(Algorithm::Sha512, b"x"))).is_ok());
        assert_eq!(parse_fallback_tag(&Tag::parse("latest").unwrap()), None);
    }
}
