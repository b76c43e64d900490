//! Listeners beside that of `[server]`: sections `[listener.NAME]`, each with the same settings.

use std::path::PathBuf;

use super::Problem;
use super::effective::Values;
use super::kinds::{Apis, ClientRule, EndpointId, ListenAddress, Network, ProxyProtocol, PublicUrl, TlsVersion};
use super::setting::Setting;

/// The section of one listener, for reading.
pub const SECTION: &str = "listener.NAME";
/// What the sections are about.
pub const ABOUT: &str = " A further listener, under any name of lower-case letters, digits and `-`: a private endpoint with\n its own \
    certificate, rules and policy. There may be any number of them.";
/// Names are no longer, as labels of DNS.
const LONGEST_NAME: usize = 63;

/// Makes the struct of one listener and the table [`LISTENER_SETTINGS`].
macro_rules! listener_settings {
    ($( $(#[doc = $doc:literal])+ $name:ident: $kind:ty = $default:literal; )+) => {
        /// A listener with a name.
        #[derive(Debug, Clone)]
        pub struct Listener {
            /// Its name.
            pub name: String,
            $( $(#[doc = $doc])+ pub $name: $kind, )+
        }

        impl Listener {
            fn read(name: &str, values: &Values) -> Result<Self, Problem> {
                Ok(Self { name: name.to_owned(), $( $name: values.read_of(name, stringify!($name))?, )+ })
            }
        }

        /// The settings of each listener with a name, in the order in which they are printed.
        pub const LISTENER_SETTINGS: &[Setting] = &[ $(
            Setting::new::<$kind>(
                SECTION,
                stringify!($name),
                concat!("listener.NAME.", stringify!($name)),
                &[$($doc),+],
                $default,
            ),
        )+ ];
    };
}

listener_settings! {
    /// Addresses to listen on, as in `server.listen`; at least one.
    listen: Vec<ListenAddress> = "";
    /// The address that clients of this listener reach the registry at. Empty: upload locations are relative.
    public_url: Option<PublicUrl> = "";
    /// Networks of proxies whose `X-Forwarded-For`, `-Proto` and `-Host`, and whose PROXY headers, are believed. Those of
    /// `server.trusted_proxies` where nothing is said here; an empty list: nobody's are.
    trusted_proxies: Vec<Network> = "";
    /// Whether connections begin with a header of the PROXY protocol, version 1 or 2: `off`, `accept` (trusted proxies may
    /// send one), or `require` (connections of others, and without one, are closed). TLS comes behind it.
    proxy_protocol: ProxyProtocol = "off";
    /// File with the certificate chain, PEM. Read again when it changes.
    tls_cert: Option<PathBuf> = "";
    /// File with the certificate's private key, PEM. Read again when it changes.
    tls_key: Option<PathBuf> = "";
    /// Versions of TLS that are spoken.
    tls_versions: Vec<TlsVersion> = "1.2,1.3";
    /// Whether clients are asked for a certificate: `off`, `optional` (those who show none come in too), or `required`.
    client_certificates: ClientRule = "off";
    /// File with the certificates of the authorities that clients' certificates must come from, PEM. Read again when it changes.
    client_ca: Option<PathBuf> = "";
    /// Names of which a client's certificate must bear one: its subject (`CN=robot,O=Example`), its common name, or an
    /// alternative name (DNS, mail, URI, address). Empty: any certificate of the authorities will do.
    client_names: Vec<String> = "";
    /// File with the endpoint policy, JSON in the form of a repository policy: what it does not allow is refused to whoever
    /// comes by this listener. Read again when it changes. Empty: this listener narrows nothing.
    endpoint_policy: Option<PathBuf> = "";
    /// The id that policies know this listener by (`aws:SourceVpce`): `vpce-` and lower-case letters and digits.
    endpoint_id: Option<EndpointId> = "";
    /// What is served: `all`, `oci` (what docker and its like use), or `aws` (STS, IAM and ECR).
    apis: Apis = "all";
}

impl Listener {
    /// All listeners that have values, in the order of their names.
    pub(super) fn read_all(values: &Values) -> Result<Vec<Self>, Problem> {
        values.listeners().into_iter().map(|name| Self::read(name, values)).collect()
    }
}

/// Whether a listener may be called so.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= LONGEST_NAME && !text.starts_with('-') && text.bytes().all(plain)
}

/// The setting of that name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    LISTENER_SETTINGS.iter().find(|setting| setting.name == name)
}

/// What the setting of a listener is called in messages: `listener.private.tls_key`.
pub(super) fn key(listener: &str, name: &str) -> String {
    format!("listener.{listener}.{name}")
}
