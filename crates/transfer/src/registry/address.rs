//! The address of a registry, as an operator types it.

use url::Url;

/// Where a registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryAddress {
    base: Url,
}

/// Why a text is no address of a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not of the form.
    #[error("{0:?} is no address of a registry: write https://registry.example.com, or http:// where it has no TLS")]
    Malformed(String),
    /// A user or password in the address.
    #[error(
        "an address holds no user or password, because command lines are seen by others: give them as BERTH_IMPORT_USERNAME and BERTH_IMPORT_PASSWORD, or log in with docker login"
    )]
    Credentials,
    /// More than the host.
    #[error("{0:?} has a path: give the registry alone, and the repository with --repository")]
    Path(String),
}

impl RegistryAddress {
    /// Reads an address. Without a scheme it is `https`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(crate::error::clip(text.rsplit('@').next().unwrap_or_default()));
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let mut base = Url::parse(&whole).map_err(|_| malformed())?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none_or(str::is_empty) {
            return Err(malformed());
        }
        if !matches!(base.path(), "" | "/" | "/v2" | "/v2/") || base.query().is_some() || base.fragment().is_some() {
            return Err(AddressError::Path(crate::error::clip(text)));
        }
        if matches!(base.host_str(), Some("docker.io" | "index.docker.io")) {
            base.set_host(Some("registry-1.docker.io")).map_err(|_| malformed())?;
        }
        base.set_path("/");
        Ok(Self { base })
    }

    /// Its host, and its port where that is not the scheme's own: what logins are kept under.
    pub fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// A page below the registry's root. Nothing in `path` needs escaping: it is made of names, tags and digests.
    pub(super) fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(path);
        url.set_query(query);
        url
    }

    pub(super) fn is_home_of(&self, url: &Url) -> bool {
        self.base.origin() == url.origin()
    }

    pub(super) fn is_secure(&self) -> bool {
        self.base.scheme() == "https"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read() {
        let table = [
            ("https://a.example", "https://a.example/", "a.example"),
            ("a.example", "https://a.example/", "a.example"),
            ("a.example:5000", "https://a.example:5000/", "a.example:5000"),
            ("http://127.0.0.1:5000/", "http://127.0.0.1:5000/", "127.0.0.1:5000"),
            ("http://[::1]:5000", "http://[::1]:5000/", "[::1]:5000"),
            ("https://A.Example:443/v2/", "https://a.example/", "a.example"),
            ("docker.io", "https://registry-1.docker.io/", "registry-1.docker.io"),
        ];
        for (text, base, host) in table {
            let address = RegistryAddress::parse(text).unwrap();
            assert_eq!((address.base.as_str(), address.host().as_str()), (base, host), "{text}");
        }
    }

    #[test]
    fn others_are_refused_and_secrets_not_repeated() {
        for bad in ["", "https://", "ftp://a.example", "https://a b", "http://a:99999", "file:///etc"] {
            assert!(matches!(RegistryAddress::parse(bad), Err(AddressError::Malformed(_))), "{bad}");
        }
        for bad in ["https://u:hunter2@a.example", "u:hunter2@a.example", "https://u@a.example"] {
            assert_eq!(RegistryAddress::parse(bad), Err(AddressError::Credentials), "{bad}");
        }
        for bad in ["https://a.example/team/app", "a.example/x", "https://a.example?n=1", "https://a.example#x"] {
            assert!(matches!(RegistryAddress::parse(bad), Err(AddressError::Path(_))), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_has_a_host(text in "(https?://)?[a-z0-9@:/?#.\\[\\]%-]{0,30}") {
            if let Ok(address) = RegistryAddress::parse(&text) {
                prop_assert!(!address.host().is_empty());
                prop_assert!(!address.base.as_str().contains('@'));
            }
        }
    }
}
