//! Secrets are sealed, not hashed: request signing needs them back. AES-256-GCM under the server key.

use base64::Engine as _;
use berth_store::{Database, Random, properties};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::Error;

const CANARY: &[u8] = b"berth server key";
/// Signatures have a key of their own, derived from the server key with this.
const SIGNING: &[u8] = b"berth signing key";
pub(crate) const CANARY_PROPERTY: &str = "server_key_check";

/// The key that secrets are sealed with: 32 bytes, the same on all nodes. Never printed.
#[derive(Clone)]
pub struct ServerKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

impl ServerKey {
    /// A new key.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(bytes.as_mut());
        Self(bytes)
    }

    /// Reads a key: 64 hexadecimal digits, white space around them allowed, or 32 bytes in base64.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut bytes = Zeroizing::new([0; 32]);
        if hex::decode_to_slice(text, bytes.as_mut()).is_ok() {
            return Some(Self(bytes));
        }
        let decoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.decode(text).ok()?);
        (decoded.len() == 32).then(|| {
            bytes.copy_from_slice(&decoded);
            Self(bytes)
        })
    }

    /// The 64 hexadecimal digits, for the key file.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_ref()))
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, self.0.as_ref()).ok().map(LessSafeKey::new)
    }

    /// Seals `secret` for `owner`: it opens for no other owner. The nonce stands in front.
    pub fn seal(&self, owner: &str, secret: &[u8], random: &dyn Random) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut sealed = secret.to_vec();
        let aad = Aad::from(owner.as_bytes());
        self.cipher()?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
        Some([nonce.as_slice(), &sealed].concat())
    }

    /// Signs a list of byte strings: 32 bytes of HMAC-SHA-256. The same bytes cut elsewhere have another signature.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.as_ref()), SIGNING);
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()));
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut signature = [0; 32];
        signature.copy_from_slice(context.sign().as_ref());
        signature
    }

    /// Whether `signature` is that of these parts, in time that does not depend on where it differs.
    pub fn has_signed(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.sign(parts).as_slice().ct_eq(signature).into()
    }

    /// Opens what was sealed for `owner`; `None` where the key, the owner or the bytes are not the same.
    pub fn open(&self, owner: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = Zeroizing::new(body.to_vec());
        let aad = Aad::from(owner.as_bytes());
        let length = self.cipher()?.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

/// Refuses a server key other than the one that the registry was first started with.
pub(crate) async fn check_server_key(database: &Database, key: &ServerKey, random: &dyn Random) -> Result<(), Error> {
    let fresh = key.seal(CANARY_PROPERTY, CANARY, random).ok_or(Error::WrongServerKey)?;
    let sealed =
        database.write(move |txn| properties::get_or_set(txn, CANARY_PROPERTY, &fresh).map_err(Error::from)).await?;
    if opens(key, &sealed) { Ok(()) } else { Err(Error::WrongServerKey) }
}

/// Whether a key opens what the registry was first started with sealed for the comparison.
pub(crate) fn opens(key: &ServerKey, sealed: &[u8]) -> bool {
    key.open(CANARY_PROPERTY, sealed).is_some_and(|opened| opened.as_slice() == CANARY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_store::SystemRandom;

    #[test]
    fn what_is_sealed_opens_only_for_its_owner_and_key() {
        let key = ServerKey::generate(&SystemRandom);
        let mut sealed = key.seal("a", b"secret", &SystemRandom).unwrap();
        assert_eq!(key.open("a", &sealed).unwrap().as_slice(), b"secret");
        assert!(key.open("b", &sealed).is_none());
        assert!(ServerKey::generate(&SystemRandom).open("a", &sealed).is_none());
        sealed[14] ^= 1;
        assert!(key.open("a", &sealed).is_none());
        assert!(key.open("a", &[1, 2]).is_none());
    }

    #[test]
    fn a_signature_is_of_these_parts_and_this_key() {
        let key = ServerKey::generate(&SystemRandom);
        let signature = key.sign(&[b"ab", b"c"]);
        assert!(key.has_signed(&[b"ab", b"c"], &signature));
        assert!(!key.has_signed(&[b"a", b"bc"], &signature));
        assert!(!key.has_signed(&[b"ab", b"c"], &signature[..31]));
        assert!(!ServerKey::generate(&SystemRandom).has_signed(&[b"ab", b"c"], &signature));
    }

    #[test]
    fn a_key_is_read_as_hex_or_base64() {
        let key = ServerKey::generate(&SystemRandom);
        assert_eq!(ServerKey::parse(&format!(" {}\n", *key.reveal())).unwrap().0, key.0);
        let base64 = base64::engine::general_purpose::STANDARD.encode(key.0.as_ref());
        assert_eq!(ServerKey::parse(&base64).unwrap().0, key.0);
        for bad in ["", "abc", &"0".repeat(63), &"g".repeat(64)] {
            assert!(ServerKey::parse(bad).is_none(), "{bad}");
        }
    }
}
