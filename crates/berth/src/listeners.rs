//! From the configuration of listeners to what the server and the domain take, and the files of endpoint policies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use berth_domain::Domain;
use berth_domain::settings::{Endpoint, EndpointPolicy};
use berth_http::aws::{AwsDoor, AwsOnly};
use berth_http::front::Front;
use berth_http::server::{
    Cidr, ClientCertificates, Handler, ListenAddress, ListenerSettings, ProxyProtocol, TlsFiles, TlsVersion,
};

use crate::config::Settings;
use crate::config::kinds::{self, Apis, ClientRule};
use crate::config::listeners::Listener;
use crate::failure::Failure;

/// How often the files of policies are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The file of an endpoint's policy, with the text that was read last.
pub struct PolicyFile {
    listener: String,
    path: PathBuf,
    seen: String,
    policy: EndpointPolicy,
}

/// What the domain has to know of listeners with a name, and the files to look at again.
pub fn endpoints(settings: &Settings) -> Result<(BTreeMap<String, Endpoint>, Vec<PolicyFile>), Failure> {
    let (mut endpoints, mut files) = (BTreeMap::new(), Vec::new());
    for listener in &settings.listeners {
        let file =
            listener.endpoint_policy.as_deref().map(|path| PolicyFile::read(&listener.name, path)).transpose()?;
        let endpoint = Endpoint {
            id: listener.endpoint_id.as_ref().map(|id| id.as_str().to_owned()),
            policy: file.as_ref().map(|file| file.policy.clone()),
        };
        endpoints.insert(listener.name.clone(), endpoint);
        files.extend(file);
    }
    Ok((endpoints, files))
}

impl PolicyFile {
    fn read(listener: &str, path: &Path) -> Result<Self, Failure> {
        let about = |reason: &dyn ToString| {
            let file = path.display();
            Failure::CouldNotRun(format!("the endpoint policy {file} of listener {listener}: {}", reason.to_string()))
        };
        let seen = std::fs::read_to_string(path).map_err(|error| about(&error))?;
        let policy = EndpointPolicy::parse(listener, &seen).map_err(|error| about(&error))?;
        Ok(Self { listener: listener.to_owned(), path: path.to_owned(), seen, policy })
    }

    /// Takes a new text that is a policy; another one is reported once, and the old policy stays.
    fn look(&mut self) {
        // A file that is just being replaced may be absent for a moment; the next look finds it.
        let Ok(text) = std::fs::read_to_string(&self.path) else { return };
        if text == self.seen {
            return;
        }
        let (listener, file) = (self.listener.as_str(), self.path.display());
        match self.policy.replace(&text) {
            Ok(()) => tracing::info!(listener, %file, "the endpoint policy was renewed"),
            Err(error) => {
                tracing::error!(listener, %file, %error, "the new endpoint policy is not used; the old one stays");
            }
        }
        self.seen = text;
    }
}

/// Looks at the files of policies again and again, for as long as the process lives.
pub async fn watch(mut files: Vec<PolicyFile>) {
    while !files.is_empty() {
        tokio::time::sleep(LOOK).await;
        let looked = tokio::task::spawn_blocking(move || {
            files.iter_mut().for_each(PolicyFile::look);
            files
        });
        files = looked.await.unwrap_or_default();
    }
}

/// The listeners with a name, each with what it serves: everything by `front`, or a part of it.
pub fn further(
    settings: &Settings,
    domain: &Arc<Domain>,
    front: &Arc<Front>,
) -> Vec<(ListenerSettings, Arc<dyn Handler>)> {
    let handler = |apis: Apis| -> Arc<dyn Handler> {
        match apis {
            Apis::All => Arc::<Front>::clone(front),
            Apis::Oci => Arc::new(front.without_apis()),
            Apis::Aws => Arc::new(AwsOnly(AwsDoor::new(Arc::clone(domain)))),
        }
    };
    settings.listeners.iter().map(|listener| (of(listener), handler(listener.apis))).collect()
}

fn of(listener: &Listener) -> ListenerSettings {
    ListenerSettings {
        name: Some(listener.name.as_str().into()),
        listen: listener.listen.iter().map(listen_address).collect(),
        tls: tls(listener.tls_cert.as_ref(), listener.tls_key.as_ref()),
        tls_versions: listener.tls_versions.iter().copied().map(tls_version).collect(),
        client_certificates: clients(listener.client_certificates, listener.client_ca.as_ref(), &listener.client_names),
        proxy_protocol: proxy_protocol(listener.proxy_protocol),
        trusted_proxies: networks(&listener.trusted_proxies),
        public_url: listener.public_url.as_ref().map(|url| url.as_str().to_owned()),
    }
}

/// Both files, or none.
pub fn tls(cert: Option<&PathBuf>, key: Option<&PathBuf>) -> Option<TlsFiles> {
    cert.cloned().zip(key.cloned()).map(|(cert, key)| TlsFiles { cert, key })
}

/// Which clients are let in by their certificates.
pub fn clients(rule: ClientRule, ca: Option<&PathBuf>, names: &[String]) -> Option<ClientCertificates> {
    let required = match rule {
        ClientRule::Off => return None,
        ClientRule::Optional => false,
        ClientRule::Required => true,
    };
    Some(ClientCertificates { ca: ca?.clone(), required, names: names.to_vec() })
}

/// The same in the server's words.
pub fn proxy_protocol(mode: kinds::ProxyProtocol) -> ProxyProtocol {
    match mode {
        kinds::ProxyProtocol::Off => ProxyProtocol::Off,
        kinds::ProxyProtocol::Accept => ProxyProtocol::Accept,
        kinds::ProxyProtocol::Require => ProxyProtocol::Require,
    }
}

/// The same in the server's words.
pub fn tls_version(version: kinds::TlsVersion) -> TlsVersion {
    match version {
        kinds::TlsVersion::V1_2 => TlsVersion::V1_2,
        kinds::TlsVersion::V1_3 => TlsVersion::V1_3,
    }
}

/// The same in the server's words.
pub fn networks(networks: &[kinds::Network]) -> Vec<Cidr> {
    networks.iter().filter_map(|network| network.to_string().parse().ok()).collect()
}

/// The same in the server's words.
pub fn listen_address(address: &kinds::ListenAddress) -> ListenAddress {
    let text = address.to_string();
    text.parse().unwrap_or(ListenAddress::Tcp(text))
}
