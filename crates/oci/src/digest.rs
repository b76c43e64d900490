//! Digests (image spec, "Digests"): sha256 and sha512.

use std::cmp::Ordering;
use std::fmt;

use sha2::digest::common::hazmat::SerializableState as _;
use sha2::{Digest as _, Sha256, Sha512};

/// A hash algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// The digest of some content. Its text is `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest(Bits);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Bits {
    Sha256([u8; 32]),
    Sha512(Box<[u8; 64]>),
}

/// Why a text is no digest. What was sent is not repeated: it may be long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not of the form.
    #[error("a digest is sha256: and 64, or sha512: and 128, lower-case hexadecimal digits")]
    Malformed,
    /// Another algorithm.
    #[error("this digest's algorithm is not supported: use sha256 or sha512")]
    UnsupportedAlgorithm,
}

impl Algorithm {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ => Err(DigestError::UnsupportedAlgorithm),
        }
    }

    /// Hexadecimal digits of one of its digests.
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl Digest {
    /// Reads a digest.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text.split_once(':').ok_or(DigestError::Malformed)?;
        let algorithm = Algorithm::parse(algorithm)?;
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() != algorithm.hex_len() || !hex.bytes().all(lower) {
            return Err(DigestError::Malformed);
        }
        let mut digest = Self::zero(algorithm);
        hex::decode_to_slice(hex, digest.bytes_mut()).map_err(|_| DigestError::Malformed)?;
        Ok(digest)
    }

    fn zero(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self(Bits::Sha256([0; 32])),
            Algorithm::Sha512 => Self(Bits::Sha512(Box::new([0; 64]))),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Bits::Sha256(bytes) => bytes,
            Bits::Sha512(bytes) => bytes.as_mut(),
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.0 {
            Bits::Sha256(bytes) => bytes,
            Bits::Sha512(bytes) => bytes.as_ref(),
        }
    }

    /// The digest of `content`.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    }

    /// What it was made with.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Bits::Sha256(_) => Algorithm::Sha256,
            Bits::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Its hexadecimal digits.
    pub fn hex(&self) -> String {
        hex::encode(self.bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 128];
        let digits = &mut digits[..self.algorithm().hex_len()];
        hex::encode_to_slice(self.bytes(), digits).map_err(|_| fmt::Error)?;
        f.write_str(self.algorithm().as_str())?;
        f.write_str(":")?;
        f.write_str(std::str::from_utf8(digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Ord for Digest {
    fn cmp(&self, other: &Self) -> Ordering {
        let names = self.algorithm().as_str().cmp(other.algorithm().as_str());
        names.then_with(|| self.bytes().cmp(other.bytes()))
    }
}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::str::FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Hashes content as it comes.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// A hasher of nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self(State::Sha256(Sha256::new())),
            Algorithm::Sha512 => Self(State::Sha512(Box::new(Sha512::new()))),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of everything taken.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => Digest(Bits::Sha256(state.finalize().into())),
            State::Sha512(state) => Digest(Bits::Sha512(Box::new(state.finalize().into()))),
        }
    }

    /// The state of the hash, for going on with it in another process: opaque bytes.
    pub fn state(&self) -> Vec<u8> {
        match &self.0 {
            State::Sha256(state) => state.serialize().to_vec(),
            State::Sha512(state) => state.serialize().to_vec(),
        }
    }

    /// A hasher that goes on from [`Self::state`]; `None` where the bytes are no state of that algorithm.
    pub fn from_state(algorithm: Algorithm, state: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Sha256 => Self(State::Sha256(Sha256::deserialize(state.try_into().ok()?).ok()?)),
            Algorithm::Sha512 => Self(State::Sha512(Box::new(Sha512::deserialize(state.try_into().ok()?).ok()?))),
        })
    }

    /// What it hashes with.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn known_content_has_its_known_digest() {
        assert_eq!(Digest::of(Algorithm::Sha256, b"").to_string(), EMPTY);
        let sha512 = Digest::of(Algorithm::Sha512, b"abc").to_string();
        assert!(sha512.starts_with("sha512:ddaf35a193617abacc417349ae204131"), "{sha512}");
    }

    #[test]
    fn a_hash_goes_on_from_its_state() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let content = vec![7; 300];
            for cut in [0, 1, 63, 64, 65, 127, 128, 200, 300] {
                let mut first = Hasher::new(algorithm);
                first.update(&content[..cut]);
                let mut second = Hasher::from_state(algorithm, &first.state()).unwrap();
                second.update(&content[cut..]);
                assert_eq!(second.finish(), Digest::of(algorithm, &content), "{algorithm:?} cut at {cut}");
            }
            assert!(Hasher::from_state(algorithm, b"").is_none());
            assert!(Hasher::from_state(algorithm, &[0; 7]).is_none());
        }
    }

    #[test]
    fn only_the_exact_form_is_accepted() {
        assert_eq!(Digest::parse(EMPTY).unwrap().to_string(), EMPTY);
        let upper = EMPTY.to_uppercase().replace("SHA256", "sha256");
        let long = format!("sha256:{}", "a".repeat(1 << 20));
        for bad in ["", "sha256", "sha256:", &EMPTY[..70], &upper, &long, "sha256:..%2f..", &format!("{EMPTY} ")] {
            assert_eq!(Digest::parse(bad), Err(DigestError::Malformed), "{}", &bad[..bad.len().min(80)]);
        }
        assert_eq!(Digest::parse("md5:d41d8cd98f00b204e9800998ecf8427e"), Err(DigestError::UnsupportedAlgorithm));
    }

    proptest! {
        #[test]
        fn text_and_order_agree(a: Vec<u8>, b: Vec<u8>) {
            let a = Digest::of(Algorithm::Sha256, &a);
            let b = Digest::of(Algorithm::Sha512, &b);
            prop_assert_eq!(&Digest::parse(&a.to_string()).unwrap(), &a);
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            let other = Digest::of(Algorithm::Sha256, b.to_string().as_bytes());
            prop_assert_eq!(a.cmp(&other), a.to_string().cmp(&other.to_string()));
            prop_assert_eq!(serde_json::from_str::<Digest>(&serde_json::to_string(&b).unwrap()).unwrap(), b);
        }

        #[test]
        fn content_hashes_alike_in_any_pieces(content: Vec<u8>, at: prop::sample::Index) {
            let (first, second) = content.split_at(at.index(content.len() + 1));
            let mut hasher = Hasher::new(Algorithm::Sha512);
            hasher.update(first);
            let mut copy = hasher.clone();
            hasher.update(second);
            copy.update(second);
            prop_assert_eq!(hasher.finish(), Digest::of(Algorithm::Sha512, &content));
            prop_assert_eq!(copy.finish(), Digest::of(Algorithm::Sha512, &content));
        }

        #[test]
        fn any_text_is_refused_or_kept_as_it_is(text in "(sha256|sha512|md5)?:?[0-9a-fA-F]{0,130}") {
            if let Ok(digest) = Digest::parse(&text) {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
