//! The address of an issuer, as a provider is registered with it and tokens name it.

use std::fmt;

use url::Url;

/// The longest address, in characters (IAM `CreateOpenIDConnectProvider`, `Url`).
const LONGEST: usize = 255;
/// What condition keys of others begin with: a host of such a name would speak for them.
const TAKEN: [&str; 7] = ["aws", "sts", "saml", "iam", "ecr", "kms", "berth"];

/// Why a text is no issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Empty, or too long.
    #[error("it must have 1 to {LONGEST} characters")]
    Length,
    /// Not `https`.
    #[error("it must begin with https://")]
    Scheme,
    /// With a user, a password, a query or a fragment.
    #[error("it may have a host, a port and a path only")]
    Parts,
    /// Not written as an address is written canonically: capital letters in the host, `..` in the path, characters that need
    /// encoding.
    #[error("it must be written in its plain form, with a host in small letters")]
    Form,
    /// A host that would take the place of something else in policies.
    #[error("its host cannot be told from the keys of AWS's own in policies")]
    Taken,
}

/// The address of an issuer: `https://HOST[:PORT][/PATH]`. Two are the same only where every character is
/// (OpenID Connect Discovery 1.0, section 3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer(String);

impl Issuer {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, IssuerError> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(IssuerError::Length);
        }
        if !text.starts_with("https://") {
            return Err(IssuerError::Scheme);
        }
        let url = Url::parse(text).map_err(|_| IssuerError::Form)?;
        let is_bare = url.username().is_empty() && url.password().is_none();
        if !is_bare || url.query().is_some() || url.fragment().is_some() {
            return Err(IssuerError::Parts);
        }
        let plain = url.as_str();
        if plain != text && plain.strip_suffix('/') != Some(text) {
            return Err(IssuerError::Form);
        }
        let issuer = Self(text.to_owned());
        if TAKEN.contains(&issuer.without_scheme()) { Err(IssuerError::Taken) } else { Ok(issuer) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address without `https://`: what ARNs and condition keys have of it.
    pub fn without_scheme(&self) -> &str {
        self.0.strip_prefix("https://").unwrap_or(&self.0)
    }

    /// Where the discovery document is (OpenID Connect Discovery 1.0, section 4).
    pub fn discovery_address(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.0.strip_suffix('/').unwrap_or(&self.0))
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_they_are_or_refused() {
        let long = format!("https://example.org/{}", "a".repeat(LONGEST));
        let table = [
            ("https://token.actions.githubusercontent.com", None),
            ("https://gitlab.example.org/path", None),
            ("https://tenant.example.org/", None),
            ("https://kubernetes.default.svc.cluster.local", None),
            ("https://issuer.example.org:8443/a/b", None),
            ("https://127.0.0.1:8443", None),
            ("https://[::1]:8443", None),
            ("https://oidc.eks.us-west-2.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE", None),
            ("", Some(IssuerError::Length)),
            (&long, Some(IssuerError::Length)),
            ("http://example.org", Some(IssuerError::Scheme)),
            ("HTTPS://example.org", Some(IssuerError::Scheme)),
            ("example.org", Some(IssuerError::Scheme)),
            ("https://", Some(IssuerError::Form)),
            ("https://a@example.org", Some(IssuerError::Parts)),
            ("https://a:b@example.org", Some(IssuerError::Parts)),
            ("https://example.org?a", Some(IssuerError::Parts)),
            ("https://example.org/?", Some(IssuerError::Parts)),
            ("https://example.org#a", Some(IssuerError::Parts)),
            ("https://Example.org", Some(IssuerError::Form)),
            ("https://example.org:443", Some(IssuerError::Form)),
            ("https://example.org/a/../b", Some(IssuerError::Form)),
            ("https://example.org/a b", Some(IssuerError::Form)),
            ("https://example.org\\a", Some(IssuerError::Form)),
            ("https://2130706433/", Some(IssuerError::Form)),
            ("https://0x7f.1", Some(IssuerError::Form)),
            ("https://0177.0.0.1", Some(IssuerError::Form)),
            (" https://example.org", Some(IssuerError::Scheme)),
            ("https://example.org\n", Some(IssuerError::Form)),
            ("https://aws", Some(IssuerError::Taken)),
            ("https://saml", Some(IssuerError::Taken)),
        ];
        for (text, expected) in table {
            assert_eq!(Issuer::parse(text).err(), expected, "{text}");
        }
    }

    #[test]
    fn a_slash_at_the_end_counts_but_for_the_discovery_document() {
        let [bare, slash] = ["https://a.example/t", "https://a.example/t/"].map(|text| Issuer::parse(text).unwrap());
        assert_ne!(bare, slash);
        assert_eq!(bare.discovery_address(), "https://a.example/t/.well-known/openid-configuration");
        assert_eq!(bare.discovery_address(), slash.discovery_address());
        assert_eq!(slash.without_scheme(), "a.example/t/");
    }
}
