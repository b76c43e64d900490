//! What is signed about a file: the hash of its bytes, the links that it has the records of, and the file before it.

use serde::{Deserialize, Serialize};

/// What every signed text begins with, so that a signature of the chain is none of a file.
const DOMAIN: &[u8] = b"berth audit export 1\n";

/// An end of a range of links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LinkEnd {
    /// The number of the link.
    pub number: u64,
    /// Its hash, in hexadecimal; empty of the link 0, which there is not.
    pub hash: String,
    /// The chain's signature of it, in hexadecimal; left out of the link before the range.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signature: String,
}

/// The digest file before, of the same account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Previous {
    /// Its path below the folder of the export.
    pub path: String,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
}

/// What is known of a file of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Exported {
    /// 1.
    pub version: u32,
    /// The account whose records they are.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// Its path below the folder of the export.
    pub path: String,
    /// SHA-256 of the compressed file, in hexadecimal.
    pub sha256: String,
    /// How many records it holds.
    pub records: u64,
    /// The link before the first one whose records it holds.
    pub behind: LinkEnd,
    /// The last link whose records it holds.
    pub last: LinkEnd,
    /// Links that did not hash to what the chain says when the file was written: somebody had changed their rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<u64>,
    /// The digest file before; none of the first.
    pub previous: Option<Previous>,
}

/// A digest file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DigestFile {
    /// What is signed.
    pub digest: Exported,
    /// The key that it was signed with, in hexadecimal; for finding it, not for believing it.
    pub public_key: String,
    /// The Ed25519 signature of the digest, in hexadecimal.
    pub signature: String,
}

/// A digest file as it is written, and its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of them, in hexadecimal.
    pub sha256: String,
}

impl Exported {
    /// The bytes that are signed.
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        [DOMAIN, &json].concat()
    }
}

impl DigestFile {
    /// Signs a digest; `sign` gives the Ed25519 signature of bytes.
    pub(super) fn seal(digest: Exported, public_key: &[u8; 32], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Sealed {
        let signature = hex::encode(sign(&digest.signed_bytes()));
        let file = Self { digest, public_key: hex::encode(public_key), signature };
        let mut bytes = serde_json::to_vec_pretty(&file).unwrap_or_default();
        bytes.push(b'\n');
        let sha256 = hex::encode(ring::digest::digest(&ring::digest::SHA256, &bytes));
        Sealed { bytes, sha256 }
    }

    /// Reads a digest file; the error says what is wrong with it. `public_key` is that of the chain.
    pub fn open(bytes: &[u8], public_key: &[u8; 32]) -> Result<Self, &'static str> {
        let file: Self = serde_json::from_slice(bytes).map_err(|_| "is no digest file")?;
        if file.digest.version != 1 {
            return Err("was written by a later version");
        }
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public_key);
        let signature = hex::decode(&file.signature).map_err(|_| "has no signature")?;
        key.verify(&file.digest.signed_bytes(), &signature).map_err(|_| "has a wrong signature")?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    fn digest() -> Exported {
        let end = |number, hash: &str, signature: &str| LinkEnd {
            number,
            hash: hash.to_owned(),
            signature: signature.to_owned(),
        };
        Exported {
            version: 1,
            account_id: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            path: "AWSLogs/a".to_owned(),
            sha256: "00".repeat(32),
            records: 7,
            behind: end(0, "", ""),
            last: end(3, "aa", "bb"),
            doubtful: Vec::new(),
            previous: Some(Previous { path: "AWSLogs/b".to_owned(), sha256: "11".repeat(32) }),
        }
    }

    fn key() -> (Ed25519KeyPair, [u8; 32]) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        (pair, public)
    }

    #[test]
    fn what_was_sealed_is_opened_and_nothing_else() {
        let (pair, public) = key();
        let sealed = DigestFile::seal(digest(), &public, |bytes| pair.sign(bytes).as_ref().to_vec());
        assert_eq!(DigestFile::open(&sealed.bytes, &public).unwrap().digest, digest());
        assert_eq!(DigestFile::open(&sealed.bytes, &[0; 32]), Err("has a wrong signature"));
        let text = String::from_utf8(sealed.bytes).unwrap();
        for (from, to) in [
            ("\"records\": 7", "\"records\": 8"),
            ("\"number\": 3", "\"number\": 4"),
            ("AWSLogs/b", "AWSLogs/c"),
            ("\"aa\"", "\"ab\""),
            ("us-east-1", "us-east-2"),
        ] {
            assert!(text.contains(from), "{from}");
            assert_eq!(
                DigestFile::open(text.replace(from, to).as_bytes(), &public),
                Err("has a wrong signature"),
                "{from}"
            );
        }
        let version = text.replace("\"version\": 1", "\"version\": 2");
        assert_eq!(DigestFile::open(version.as_bytes(), &public), Err("was written by a later version"));
        let more = text.replacen('{', "{\"more\": 1,", 1);
        assert_eq!(DigestFile::open(more.as_bytes(), &public), Err("is no digest file"));
    }

    proptest! {
        #[test]
        fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(DigestFile::open(&bytes, &[0; 32]).is_err());
        }
    }
}
