//! What the API of ECR names images by.

use std::fmt;

use berth_oci::digest::Digest;
use berth_oci::tag::Tag;

/// An image by its digest, a tag, or both, which then must go together (ECR `ImageIdentifier`). At least one is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageId {
    /// The digest of its manifest.
    pub digest: Option<Digest>,
    /// A tag that points to it.
    pub tag: Option<Tag>,
}

/// As ECR's messages show it: `{imageDigest:'sha256:...', imageTag:'latest'}`.
impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.digest.as_ref().map(|digest| format!("imageDigest:'{digest}'"));
        let tag = self.tag.as_ref().map(|tag| format!("imageTag:'{tag}'"));
        let given: Vec<String> = digest.into_iter().chain(tag).collect();
        write!(f, "{{{}}}", given.join(", "))
    }
}

/// Why nothing was done for one image of many (ECR `ImageFailureCode`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageFailure {
    /// There is no such image.
    NotFound,
    /// The tag points to another image.
    TagDoesNotMatchDigest,
    /// An index lists it: this one.
    ReferencedByIndex(Digest),
    /// It is of none of the media types that were accepted.
    NotAccepted,
    /// Its stored bytes are damaged or gone.
    Damaged,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_shown_by_what_was_given() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let id = |digest: Option<&str>, tag: Option<&str>| {
            let (digest, tag) =
                (digest.map(|text| Digest::parse(text).unwrap()), tag.map(|text| Tag::parse(text).unwrap()));
            ImageId { digest, tag }.to_string()
        };
        assert_eq!(id(None, Some("a")), "{imageTag:'a'}");
        assert_eq!(id(Some(&digest), None), format!("{{imageDigest:'{digest}'}}"));
        assert_eq!(id(Some(&digest), Some("a")), format!("{{imageDigest:'{digest}', imageTag:'a'}}"));
    }
}
