//! What a path asks for. Read from its tail, because repository names may contain any of the API's words.

use std::borrow::Cow;
use std::fmt;

use crate::digest::{Digest, DigestError};
use crate::name::{NameError, RepositoryName};
use crate::reference::{Reference, ReferenceError};
use crate::tag::TagError;

/// An endpoint of the distribution spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/NAME/tags/list`
    Tags {
        /// The repository.
        name: RepositoryName,
    },
    /// `/v2/NAME/manifests/REFERENCE`
    Manifest {
        /// The repository.
        name: RepositoryName,
        /// The tag or digest.
        reference: Reference,
    },
    /// `/v2/NAME/blobs/DIGEST`
    Blob {
        /// The repository.
        name: RepositoryName,
        /// The digest.
        digest: Digest,
    },
    /// `/v2/NAME/blobs/uploads/`
    Uploads {
        /// The repository.
        name: RepositoryName,
    },
    /// `/v2/NAME/blobs/uploads/ID`
    Upload {
        /// The repository.
        name: RepositoryName,
        /// The upload.
        id: UploadId,
    },
    /// `/v2/NAME/referrers/DIGEST`
    Referrers {
        /// The repository.
        name: RepositoryName,
        /// The subject.
        digest: Digest,
    },
}

/// The id of an upload: a UUID of 36 lower-case characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(String);

/// Why a path is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The path is none of the API's.
    #[error("no such path")]
    NotFound,
    /// The repository name is malformed.
    #[error(transparent)]
    Name(NameError),
    /// The digest is malformed.
    #[error(transparent)]
    Digest(DigestError),
    /// The tag is malformed.
    #[error(transparent)]
    Tag(TagError),
    /// The upload id is none.
    #[error("no such upload")]
    UploadId,
}

impl Endpoint {
    /// Reads a path as it came over the wire, undecoded.
    pub fn parse(path: &str) -> Result<Self, EndpointError> {
        if path == "/v2" || path == "/v2/" {
            return Ok(Self::Base);
        }
        let rest = path.strip_prefix("/v2/").ok_or(EndpointError::NotFound)?;
        if rest == "_catalog" {
            return Ok(Self::Catalog);
        }
        if let Some(name) = rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads")) {
            return Ok(Self::Uploads { name: parse_name(name)? });
        }
        let (head, last) = rest.rsplit_once('/').ok_or(EndpointError::NotFound)?;
        let (name, word) = head.rsplit_once('/').ok_or(EndpointError::NotFound)?;
        Self::of_words(name, word, last)
    }

    /// The repository that it is about.
    pub fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Base | Self::Catalog => None,
            Self::Tags { name }
            | Self::Manifest { name, .. }
            | Self::Blob { name, .. }
            | Self::Uploads { name }
            | Self::Upload { name, .. }
            | Self::Referrers { name, .. } => Some(name),
        }
    }

    fn of_words(name: &str, word: &str, last: &str) -> Result<Self, EndpointError> {
        match (word, last) {
            ("tags", "list") => Ok(Self::Tags { name: parse_name(name)? }),
            ("manifests", reference) => {
                let name = parse_name(name)?;
                Ok(Self::Manifest { name, reference: parse_reference(reference)? })
            }
            ("blobs", digest) => {
                let name = parse_name(name)?;
                Ok(Self::Blob { name, digest: parse_digest(digest)? })
            }
            ("referrers", digest) => {
                let name = parse_name(name)?;
                Ok(Self::Referrers { name, digest: parse_digest(digest)? })
            }
            ("uploads", id) => {
                let name = name.strip_suffix("/blobs").ok_or(EndpointError::NotFound)?;
                let name = parse_name(name)?;
                Ok(Self::Upload { name, id: UploadId::parse(id).ok_or(EndpointError::UploadId)? })
            }
            _ => Err(EndpointError::NotFound),
        }
    }
}

/// An endpoint shows as its path, in the form that [`Endpoint::parse`] takes.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("/v2/"),
            Self::Catalog => f.write_str("/v2/_catalog"),
            Self::Tags { name } => write!(f, "/v2/{name}/tags/list"),
            Self::Manifest { name, reference } => write!(f, "/v2/{name}/manifests/{reference}"),
            Self::Blob { name, digest } => write!(f, "/v2/{name}/blobs/{digest}"),
            Self::Uploads { name } => write!(f, "/v2/{name}/blobs/uploads/"),
            Self::Upload { name, id } => write!(f, "/v2/{name}/blobs/uploads/{id}"),
            Self::Referrers { name, digest } => write!(f, "/v2/{name}/referrers/{digest}"),
        }
    }
}

fn parse_name(text: &str) -> Result<RepositoryName, EndpointError> {
    RepositoryName::parse(text).map_err(EndpointError::Name)
}

fn parse_digest(text: &str) -> Result<Digest, EndpointError> {
    Digest::parse(&plain_colon(text)).map_err(EndpointError::Digest)
}

fn parse_reference(text: &str) -> Result<Reference, EndpointError> {
    Reference::parse(&plain_colon(text)).map_err(|error| match error {
        ReferenceError::Tag(error) => EndpointError::Tag(error),
        ReferenceError::Digest(error) => EndpointError::Digest(error),
    })
}

/// Some clients escape the colon of a digest; nothing else in a path is ever decoded.
fn plain_colon(text: &str) -> Cow<'_, str> {
    match text.split_once("%3A").or_else(|| text.split_once("%3a")) {
        Some((algorithm, hex)) => Cow::Owned(format!("{algorithm}:{hex}")),
        None => Cow::Borrowed(text),
    }
}

impl UploadId {
    /// An id of sixteen random bytes: a UUID of version 4 (RFC 9562).
    pub fn from_random(mut random: [u8; 16]) -> Self {
        random[6] = random[6] & 0x0f | 0x40;
        random[8] = random[8] & 0x3f | 0x80;
        let hex = hex::encode(random);
        Self([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
    }

    /// Reads an id; `None` where the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let fits = |(at, b): (usize, u8)| if matches!(at, 8 | 13 | 18 | 23) { b == b'-' } else { hex(b) };
        (text.len() == 36 && text.bytes().enumerate().all(fits)).then(|| Self(text.to_owned()))
    }
}

impl UploadId {
    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;
    use proptest::prelude::*;

    fn name(text: &str) -> RepositoryName {
        RepositoryName::parse(text).unwrap()
    }

    #[test]
    fn paths_are_read_from_their_tail() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let id = UploadId::from_random([7; 16]);
        let escaped = digest.to_string().replace(':', "%3A");
        let table = [
            ("/v2/".to_owned(), Endpoint::Base),
            ("/v2".to_owned(), Endpoint::Base),
            ("/v2/_catalog".to_owned(), Endpoint::Catalog),
            ("/v2/a/tags/list".to_owned(), Endpoint::Tags { name: name("a") }),
            ("/v2/tags/list/tags/list".to_owned(), Endpoint::Tags { name: name("tags/list") }),
            (format!("/v2/a/blobs/{digest}"), Endpoint::Blob { name: name("a"), digest: digest.clone() }),
            (format!("/v2/a/blobs/{escaped}"), Endpoint::Blob { name: name("a"), digest: digest.clone() }),
            (format!("/v2/a/b/referrers/{digest}"), Endpoint::Referrers { name: name("a/b"), digest: digest.clone() }),
            ("/v2/a/blobs/uploads/".to_owned(), Endpoint::Uploads { name: name("a") }),
            ("/v2/blobs/uploads/blobs/uploads".to_owned(), Endpoint::Uploads { name: name("blobs/uploads") }),
            (format!("/v2/a/blobs/uploads/{id}"), Endpoint::Upload { name: name("a"), id }),
            (
                "/v2/a/manifests/latest".to_owned(),
                Endpoint::Manifest { name: name("a"), reference: Reference::parse("latest").unwrap() },
            ),
        ];
        for (path, expected) in table {
            assert_eq!(Endpoint::parse(&path), Ok(expected), "{path}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        use EndpointError::NotFound;
        for path in
            ["", "/", "//v2/", "/V2/", "/v1/", "/v2/a", "/v2/a/b", "/v2/a/tags", "/v2/a/tags/lists", "/service/"]
        {
            assert_eq!(Endpoint::parse(path), Err(NotFound), "{path}");
        }
        for bad in ["..", "a/../b", "%2e%2e", "a%2fb", "a//b", "A", "a\0", "a/"] {
            let path = format!("/v2/{bad}/tags/list");
            assert!(matches!(Endpoint::parse(&path), Err(EndpointError::Name(_))), "{path}");
        }
        for bad in ["sha256:..%2f..", "sha256:abc", "md5:00", "x"] {
            let path = format!("/v2/a/blobs/{bad}");
            assert!(matches!(Endpoint::parse(&path), Err(EndpointError::Digest(_))), "{path}");
        }
        assert!(matches!(Endpoint::parse("/v2/a/manifests/.x"), Err(EndpointError::Tag(_))));
        assert_eq!(Endpoint::parse("/v2/a/blobs/uploads/x"), Err(EndpointError::UploadId));
    }

    #[test]
    fn upload_ids_are_uuids() {
        let id = UploadId::from_random([0xff; 16]);
        assert_eq!(id.as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(UploadId::parse(id.as_str()), Some(id));
        let bad = ["", "../../../../etc/passwd/../../../../x", "FFFFFFFF-ffff-4fff-bfff-ffffffffffff", "f%2f"];
        for text in bad {
            assert_eq!(UploadId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_megabyte_is_refused() {
        let long = "a/".repeat(1 << 19);
        assert_eq!(Endpoint::parse(&format!("/v2/{long}tags/list")), Err(EndpointError::Name(NameError::TooLong)));
        assert!(matches!(
            Endpoint::parse(&format!("/v2/a/blobs/sha256:{}", "a".repeat(1 << 20))),
            Err(EndpointError::Digest(_))
        ));
    }

    /// Names made of the API's own words.
    const NAME: &str =
        "(blobs|uploads|manifests|tags|list|referrers|v2|a)(/(blobs|uploads|manifests|tags|list|a)){0,4}";

    proptest! {
        #[test]
        fn any_path_is_read_or_refused(path in "(/v2)?[a-z/._%:-]{0,60}") {
            let _ = Endpoint::parse(&path);
        }

        #[test]
        fn an_endpoint_is_read_back_from_its_path(text in NAME, tag in "(list|uploads|v1)", random: [u8; 16]) {
            let (name, digest) = (name(&text), Digest::of(Algorithm::Sha512, &random));
            let reference = Reference::parse(&tag).unwrap();
            let endpoints = [
                Endpoint::Tags { name: name.clone() },
                Endpoint::Manifest { name: name.clone(), reference },
                Endpoint::Manifest { name: name.clone(), reference: Reference::Digest(digest.clone()) },
                Endpoint::Blob { name: name.clone(), digest: digest.clone() },
                Endpoint::Uploads { name: name.clone() },
                Endpoint::Upload { name: name.clone(), id: UploadId::from_random(random) },
                Endpoint::Referrers { name, digest },
            ];
            for endpoint in endpoints {
                prop_assert_eq!(Endpoint::parse(&endpoint.to_string()), Ok(endpoint));
            }
        }
    }
}
