//! What the rules of a listener must be together, be it that of `[server]` or one with a name.

use std::path::PathBuf;

use super::Settings;
use super::catalogue::Server;
use super::effective::Values;
use super::kinds::{ClientRule, ListenAddress, Network, ProxyProtocol, TlsVersion};
use super::listeners::Listener;
use super::problem::Problem;

/// One listener's rules, and what its settings are called: `server` or `listener.NAME` stands before them.
struct Entrance<'s> {
    section: String,
    listen: &'s [ListenAddress],
    trusted_proxies: &'s [Network],
    proxy_protocol: ProxyProtocol,
    tls_cert: Option<&'s PathBuf>,
    tls_key: Option<&'s PathBuf>,
    tls_versions: &'s [TlsVersion],
    client_certificates: ClientRule,
    client_ca: Option<&'s PathBuf>,
    client_names: &'s [String],
}

macro_rules! entrance {
    ($of:ident, $section:expr) => {
        Entrance {
            section: $section,
            listen: &$of.listen,
            trusted_proxies: &$of.trusted_proxies,
            proxy_protocol: $of.proxy_protocol,
            tls_cert: $of.tls_cert.as_ref(),
            tls_key: $of.tls_key.as_ref(),
            tls_versions: &$of.tls_versions,
            client_certificates: $of.client_certificates,
            client_ca: $of.client_ca.as_ref(),
            client_names: &$of.client_names,
        }
    };
}

impl<'s> From<&'s Server> for Entrance<'s> {
    fn from(server: &'s Server) -> Self {
        entrance!(server, "server".to_owned())
    }
}

impl<'s> From<&'s Listener> for Entrance<'s> {
    fn from(listener: &'s Listener) -> Self {
        entrance!(listener, format!("listener.{}", listener.name))
    }
}

/// What does not go together at any listener.
pub(super) fn check(settings: &Settings, values: &Values) -> Vec<Problem> {
    let named = settings.listeners.iter().map(Entrance::from);
    let all = std::iter::once(Entrance::from(&settings.server)).chain(named);
    all.flat_map(|entrance| entrance.problems(values)).collect()
}

impl Entrance<'_> {
    fn problems(&self, values: &Values) -> Vec<Problem> {
        let found =
            [self.addresses(), self.certificate(), self.versions(), self.clients(), self.authorities(), self.proxies()];
        let problem = |(name, message): (&str, String)| {
            let key = format!("{}.{name}", self.section);
            Problem::unfit(values.origin(&key), key, message)
        };
        found.into_iter().flatten().map(problem).collect()
    }

    fn addresses(&self) -> Option<(&'static str, String)> {
        self.listen.is_empty().then(|| ("listen", "is empty; name an address".to_owned()))
    }

    fn certificate(&self) -> Option<(&'static str, String)> {
        let (given, missing) = match (self.tls_cert, self.tls_key) {
            (Some(_), None) => ("tls_cert", "tls_key"),
            (None, Some(_)) => ("tls_key", "tls_cert"),
            _ => return None,
        };
        Some((given, format!("is set but {}.{missing} is not; TLS needs both", self.section)))
    }

    fn versions(&self) -> Option<(&'static str, String)> {
        self.tls_versions.is_empty().then(|| ("tls_versions", "is empty; name 1.2, 1.3 or both".to_owned()))
    }

    fn clients(&self) -> Option<(&'static str, String)> {
        let missing = match (self.client_certificates, self.client_ca, self.tls_cert.or(self.tls_key)) {
            (ClientRule::Off, _, _) | (_, Some(_), Some(_)) => return None,
            (_, None, _) => "client_ca",
            (_, _, None) => "tls_cert",
        };
        Some(("client_certificates", format!("is set but {}.{missing} is not", self.section)))
    }

    /// Authorities and names that nobody is asked for look as if they kept somebody out.
    fn authorities(&self) -> Option<(&'static str, String)> {
        let given = match (self.client_certificates, self.client_ca, self.client_names) {
            (ClientRule::Off, Some(_), _) => "client_ca",
            (ClientRule::Off, None, [_, ..]) => "client_names",
            _ => return None,
        };
        Some((given, format!("is set but {}.client_certificates is off; nobody is asked for one", self.section)))
    }

    fn proxies(&self) -> Option<(&'static str, String)> {
        let nobody = self.proxy_protocol != ProxyProtocol::Off && self.trusted_proxies.is_empty();
        let message = || format!("is set but {}.trusted_proxies is empty; nobody may send such a header", self.section);
        nobody.then(|| ("proxy_protocol", message()))
    }
}
