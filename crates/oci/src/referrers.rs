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

/// An index of as many descriptors as fit into `limit` bytes, and how many those are.
///
/// The first is always shown, so that pages come to an end: where its annotations alone do not fit, without them.
pub fn render_index(descriptors: &[ReferrerDescriptor], limit: usize) -> (usize, Vec<u8>) {
    let mut body = format!("{{\"schemaVersion\":2,\"mediaType\":\"{OCI_INDEX}\",\"manifests\":[").into_bytes();
    let mut shown = 0;
    for descriptor in descriptors {
        let room = limit.saturating_sub(body.len() + END.len() + 1);
        let Some(rendered) = render(descriptor, room, shown == 0) else { break };
        if shown > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&rendered);
        shown += 1;
    }
    body.extend_from_slice(END);
    (shown, body)
}

const END: &[u8] = b"]}";

fn render(descriptor: &ReferrerDescriptor, room: usize, first: bool) -> Option<Vec<u8>> {
    let rendered = serde_json::to_vec(descriptor).ok()?;
    match (rendered.len() <= room, first) {
        (true, _) => Some(rendered),
        (false, true) => serde_json::to_vec(&descriptor.without_annotations()).ok(),
        (false, false) => None,
    }
}

impl ReferrerDescriptor {
    fn without_annotations(&self) -> Self {
        Self {
            media_type: self.media_type.clone(),
            digest: self.digest.clone(),
            size: self.size,
            artifact_type: self.artifact_type.clone(),
            annotations: BTreeMap::new(),
        }
    }
}

/// How many hexadecimal digits of a digest stand in a fall-back tag.
const FALLBACK_HEX: usize = 64;

/// The tag under which clients without the referrers API keep the index of what refers to `subject` (distribution spec,
/// "Referrers Tag Schema"): the algorithm, a dash, and the first 64 hexadecimal digits.
pub fn fallback_tag(subject: &Digest) -> String {
    let mut hex = subject.hex();
    hex.truncate(FALLBACK_HEX);
    format!("{}-{hex}", subject.algorithm().as_str())
}

/// The subject that a fall-back tag is about. A sha512 digest does not fit into a tag: of those there is only the
/// beginning, so that [`fallback_tag`] of a known digest is the way to tell.
pub fn parse_fallback_tag(tag: &Tag) -> Option<Digest> {
    let (algorithm, hex) = tag.as_str().split_once('-')?;
    let digest = Digest::parse(&format!("{algorithm}:{hex}")).ok()?;
    (digest.algorithm() == Algorithm::Sha256).then_some(digest)
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
    fn a_page_is_never_longer_than_its_limit() {
        let all: Vec<_> = (0..10).map(descriptor).collect();
        for limit in 300..1500 {
            let (shown, body) = render_index(&all, limit);
            assert!(body.len() <= limit && shown > 0, "{limit}: {}", body.len());
        }
    }

    #[test]
    fn annotations_too_long_for_a_page_are_left_out() {
        let mut huge = descriptor(1);
        huge.annotations.insert("huge".to_owned(), "x".repeat(1000));
        let (shown, body) = render_index(&[huge, descriptor(2)], 900);
        let index: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(body.len() <= 900 && shown == 2);
        assert!(index["manifests"][0].get("annotations").is_none());
        assert_eq!(index["manifests"][1]["annotations"]["k"], "v\"");
    }

    #[test]
    fn a_fallback_tag_reads_back() {
        let subject = Digest::of(Algorithm::Sha256, b"x");
        let tag = Tag::parse(&fallback_tag(&subject)).unwrap();
        assert_eq!(parse_fallback_tag(&tag), Some(subject));
        let long = Tag::parse(&fallback_tag(&Digest::of(Algorithm::Sha512, b"x"))).unwrap();
        assert_eq!(long.as_str().len(), "sha512-".len() + 64);
        assert_eq!(parse_fallback_tag(&long), None);
        for other in ["latest", "sha256-abc", &format!("{tag}.sig"), &tag.as_str().to_uppercase()] {
            assert_eq!(parse_fallback_tag(&Tag::parse(other).unwrap()), None, "{other}");
        }
    }
}
