//! What only whoever began a login knows: state, nonce, and the verifier of PKCE (RFC 7636).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use berth_store::Random;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Three texts of 43 characters each, 256 bits of randomness.
pub struct Secrets {
    /// Comes back with the code.
    pub state: Zeroizing<String>,
    /// Comes back in the id token.
    pub nonce: Zeroizing<String>,
    /// Goes with the code; its hash went before.
    pub verifier: Zeroizing<String>,
}

impl Secrets {
    /// New ones.
    pub fn new(random: &dyn Random) -> Self {
        let text = || {
            let mut bytes = Zeroizing::new([0; 32]);
            random.fill(&mut *bytes);
            Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
        };
        Self { state: text(), nonce: text(), verifier: text() }
    }

    /// The hash of the verifier, method S256.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// Whether an answer has our state. Hashes are compared, so that how long it takes tells nothing of it.
    pub fn is_state(&self, given: Option<&str>) -> bool {
        given.is_some_and(|given| Sha256::digest(given) == Sha256::digest(self.state.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.iter_mut().zip(0..).for_each(|(byte, value)| *byte = value);
        }
    }

    /// The example of RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_that_of_the_standard() {
        let mut secrets = Secrets::new(&Counting);
        assert_eq!(secrets.verifier.len(), 43);
        secrets.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned().into();
        assert_eq!(secrets.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn only_the_state_itself_is_it() {
        let secrets = Secrets::new(&Counting);
        let state = secrets.state.to_string();
        assert!(secrets.is_state(Some(&state)));
        for other in [None, Some(""), Some("x"), Some(&state[1..])] {
            assert!(!secrets.is_state(other));
        }
    }
}
