//! The key that links are signed with: Ed25519, derived from the server key, so that every node has it and no row.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::Domain;
use crate::error::Error;
use crate::seal::ServerKey;

const NAME: &[u8] = b"audit signing key";

/// The key.
pub(crate) struct SigningKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl SigningKey {
    /// That of a server key.
    pub(crate) fn of(server_key: &ServerKey) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&server_key.sign(&[NAME])).map_err(|_| Error::WrongServerKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| Error::WrongServerKey)?;
        Ok(Self { pair, public })
    }

    /// A signature: 64 bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }

    /// The half of it that checks.
    pub(super) const fn public(&self) -> &[u8; 32] {
        &self.public
    }
}

/// Whether a key has signed a message.
pub(super) fn has_signed(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

impl Domain {
    /// The public key that links of the chain are checked with (Ed25519).
    pub fn audit_public_key(&self) -> [u8; 32] {
        *self.audit_key.public()
    }
}
