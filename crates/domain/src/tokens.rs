//! Tokens that stand in for credentials for an hour: registries whose images anybody may pull hand them out, because
//! clients that hold no credentials answer only the Bearer challenge (Docker's token authentication).
//!
//! A token is signed with the server key and the secret of the access key that it stands for, so it ends with either; one
//! without an access key is anonymous and opens what needs no credentials.

use std::fmt;
use std::time::Duration;

use berth_aws::AccessKeyId;
use berth_store::Timestamp;
use zeroize::Zeroizing;

use crate::Domain;
use crate::caller::Caller;
use crate::error::Error;

/// How long a token is good for.
pub const TOKEN_LIFE: Duration = Duration::from_hours(1);
const PREFIX: &str = "berth";
/// Stands where the access key id of an anonymous token would.
const NOBODY: &str = "anonymous";

/// A token as clients send it. Never printed.
pub struct Token(Zeroizing<String>);

impl Token {
    /// The text, for the one answer that hands it out.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What a token says before anything in it is believed: `berth.HOLDER.EXPIRY.SIGNATURE`.
pub struct Claims<'a> {
    /// The part that is signed.
    pub signed: &'a str,
    /// The access key id that the token stands for, or that it is anonymous.
    pub holder: &'a str,
    /// When it ends.
    pub expires: Timestamp,
    /// What should be the signature.
    pub signature: Vec<u8>,
}

impl<'a> Claims<'a> {
    /// Reads a token; `None` where it has not these four parts.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let mut parts = signed.split('.');
        let (Some(PREFIX), Some(holder), Some(expires), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let expires = Timestamp::from_millis(expires.parse().ok()?);
        Some(Self { signed, holder, expires, signature: hex::decode(signature).ok()? })
    }
}

impl Domain {
    /// A token for whoever holds this access key and knows its secret; refuses as [`Domain::authenticate`] does.
    pub async fn token_for(&self, id: &str, secret: &[u8]) -> Result<Token, Error> {
        self.authenticate(id, secret).await?;
        Ok(self.sign_token(id, secret))
    }

    /// A token for somebody without credentials: it opens what [`Caller::Anonymous`] may see.
    pub fn anonymous_token(&self) -> Token {
        self.sign_token(NOBODY, b"")
    }

    fn sign_token(&self, holder: &str, secret: &[u8]) -> Token {
        let expires = self.clock.now().after(TOKEN_LIFE).as_millis();
        let signed = format!("{PREFIX}.{holder}.{expires}");
        let signature = hex::encode(self.server_key.sign(&[signed.as_bytes(), secret]));
        Token(Zeroizing::new(format!("{signed}.{signature}")))
    }

    /// Who a token stands for. A token that is forged, too old, or of a key that was replaced is refused.
    pub async fn authenticate_token(&self, token: &str) -> Result<Caller, Error> {
        let claims = Claims::parse(token).ok_or(Error::WrongCredentials)?;
        if claims.expires <= self.clock.now() {
            return Err(Error::WrongCredentials);
        }
        let known = match AccessKeyId::parse(claims.holder) {
            Ok(id) => self.known_key(&id).await?,
            Err(_) => None,
        };
        let secret = known.as_ref().map_or("", |known| known.secret.reveal());
        let parts = [claims.signed.as_bytes(), secret.as_bytes()];
        let is_signed = self.server_key.has_signed(&parts, &claims.signature);
        match known {
            Some(known) if is_signed => Ok(known.into_caller()),
            None if is_signed && claims.holder == NOBODY => Ok(Caller::Anonymous),
            _ => Err(Error::WrongCredentials),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_four_parts_of_a_token_are_one() {
        let claims = Claims::parse("berth.AKIA.17.00ff").unwrap();
        assert_eq!((claims.signed, claims.holder, claims.signature), ("berth.AKIA.17", "AKIA", vec![0, 0xff]));
        assert_eq!(claims.expires, Timestamp::from_millis(17));
        for bad in
            ["", "berth", "berth.a.1", "x.a.1.00", "berth.a.b.1.00", "berth.a.x.00", "berth.a.1.0", "berth.a.1.zz"]
        {
            assert!(Claims::parse(bad).is_none(), "{bad}");
        }
    }
}
