//! Listeners that ask clients for certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_http::server::{
    ClientCertificates, Handler, ListenerSettings, Server, ServerError, ServerSettings, TlsFiles,
};
use berth_http::server::{ListenAddress, TlsVersion};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::listeners::named;
use crate::running::*;
use crate::tls;

type Authority = CertifiedIssuer<'static, KeyPair>;
pub type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

const REQUEST: &[u8] = b"GET /origin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(authority: &Authority, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Shown {
    let mut params = CertificateParams::new(vec![format!("{name}.example")]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

struct Place {
    folder: tempfile::TempDir,
    server: CertificateDer<'static>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = tls::certificate();
        tls::write(&tls::files(folder.path()), &certificate);
        Self { server: certificate.cert.der().clone(), folder }
    }

    fn trust(&self, authority: &Authority) -> PathBuf {
        let path = self.folder.path().join("clients.pem");
        std::fs::write(self.folder.path().join("new"), authority.pem()).unwrap();
        std::fs::rename(self.folder.path().join("new"), &path).unwrap();
        path
    }

    fn files(&self) -> TlsFiles {
        tls::files(self.folder.path())
    }

    fn settings(&self, authority: &Authority, required: bool, names: &[&str]) -> ServerSettings {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let rule = ClientCertificates { ca: self.trust(authority), required, names };
        ServerSettings { tls: Some(self.files()), client_certificates: Some(rule), ..settings() }
    }

    /// The reply, or nothing where the client does not come in.
    async fn ask(&self, running: &Running, which: usize, shown: Option<&Shown>) -> Option<String> {
        let stream = TcpStream::connect(running.addresses[which]).await.unwrap();
        let shown = shown.map(|(chain, key)| (chain.clone(), key.clone_key()));
        let mut stream = tls::over(stream, &self.server, shown).await.ok()?;
        // With TLS 1.3 a client is done before it is refused.
        stream.write_all(REQUEST).await.ok()?;
        Some(read_to_end(&mut stream).await).filter(|reply| reply.contains("tls=true"))
    }

    async fn comes_in(&self, running: &Running, shown: Option<&Shown>) -> bool {
        self.ask(running, 0, shown).await.is_some()
    }
}

#[tokio::test]
async fn only_certificates_of_the_authority_come_in() {
    let (place, ours, others) = (Place::new(), authority("ours"), authority("others"));
    let long_ago = |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let later = |params: &mut CertificateParams| params.not_before = rcgen::date_time_ymd(2999, 1, 1);
    let for_servers = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    let right = signed(&ours, "robot", |_| {});
    let table = [
        (Some(right), true, true),
        (None, false, true),
        (Some(signed(&others, "robot", |_| {})), false, false),
        (Some(signed(&ours, "robot", long_ago)), false, false),
        (Some(signed(&ours, "robot", later)), false, false),
        (Some(signed(&ours, "robot", for_servers)), false, false),
    ];
    for (number, (shown, where_required, where_optional)) in table.iter().enumerate() {
        for (required, expected) in [(true, *where_required), (false, *where_optional)] {
            let running = Running::start(place.settings(&ours, required, &[]));
            let came_in = place.comes_in(&running, shown.as_ref()).await;
            assert_eq!(came_in, expected, "{number} required={required}");
        }
    }
}

#[tokio::test]
async fn requests_bear_the_subject() {
    let (place, ours) = (Place::new(), authority("ours"));
    let running = Running::start(place.settings(&ours, false, &[]));
    let robot = signed(&ours, "robot", |params| params.distinguished_name.push(DnType::OrganizationName, "Example"));
    let reply = place.ask(&running, 0, Some(&robot)).await.unwrap();
    assert!(reply.ends_with("shown=O=Example,CN=robot"), "{reply}");
    assert!(place.ask(&running, 0, None).await.unwrap().ends_with("shown=none"));
}

#[tokio::test]
async fn a_certificate_must_bear_one_of_the_names() {
    let (place, ours) = (Place::new(), authority("ours"));
    let (robot, other) = (signed(&ours, "robot", |_| {}), signed(&ours, "other", |_| {}));
    for name in ["CN=robot", "robot", "Robot.Example"] {
        for required in [true, false] {
            let running = Running::start(place.settings(&ours, required, &["nobody", name]));
            assert!(place.comes_in(&running, Some(&robot)).await, "{name}");
            assert!(!place.comes_in(&running, Some(&other)).await, "{name}");
            assert_eq!(place.comes_in(&running, None).await, !required);
        }
    }
}

#[tokio::test]
async fn new_authorities_count_without_a_restart() {
    let (place, first, second) = (Place::new(), authority("first"), authority("second"));
    let (old, new) = (signed(&first, "robot", |_| {}), signed(&second, "robot", |_| {}));
    let running = Running::start(place.settings(&first, true, &[]));
    assert!(place.comes_in(&running, Some(&old)).await);
    place.trust(&second);
    patiently(async {
        while !place.comes_in(&running, Some(&new)).await {
            tokio::time::sleep(SHORT).await;
        }
    })
    .await;
    assert!(!place.comes_in(&running, Some(&old)).await);
    // What holds no certificate changes nothing.
    std::fs::write(place.folder.path().join("clients.pem"), "nothing").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert!(place.comes_in(&running, Some(&new)).await);
}

#[tokio::test]
async fn each_listener_has_its_certificate_and_its_rule() {
    let (ours, place, other) = (authority("ours"), Place::new(), Place::new());
    let rule = ClientCertificates { ca: other.trust(&ours), required: true, names: Vec::new() };
    let inner = ListenerSettings {
        tls: Some(other.files()),
        client_certificates: Some(rule),
        tls_versions: vec![TlsVersion::V1_3],
        ..named("inner")
    };
    let running =
        Running::start_all(ServerSettings { tls: Some(place.files()), ..settings() }, vec![inner, named("plain")]);
    assert!(running.urls[1].starts_with("https:") && running.urls[2].starts_with("http:"), "{:?}", running.urls);
    let robot = signed(&ours, "robot", |_| {});
    let reply = other.ask(&running, 1, Some(&robot)).await.unwrap();
    assert!(reply.ends_with("listener=inner shown=CN=robot"), "{reply}");
    assert!(other.ask(&running, 1, None).await.is_none());
    assert!(place.ask(&running, 1, Some(&robot)).await.is_none(), "it has another certificate");
    assert!(other.ask(&running, 0, None).await.is_none(), "it has another certificate");
    assert!(place.ask(&running, 0, None).await.unwrap().ends_with("listener=none shown=none"));
    for (which, expected) in [(0, true), (1, false)] {
        let server = if which == 0 { &place.server } else { &other.server };
        let stream = TcpStream::connect(running.addresses[which]).await.unwrap();
        let shown = Some((robot.0.clone(), robot.1.clone_key()));
        let versions = &[&rustls::version::TLS12];
        assert_eq!(tls::over_versions(stream, server, versions, &[], shown).await.is_ok(), expected, "{which}");
    }
}

#[tokio::test]
async fn rules_that_cannot_hold_are_refused_at_the_start() {
    let (place, ours) = (Place::new(), authority("ours"));
    let bind = |settings: ServerSettings| {
        let handler: Arc<dyn Handler> = Arc::new(|_| async { unreachable!() });
        Server::bind(settings, handler).map(drop)
    };
    let settings = place.settings(&ours, true, &[]);
    assert!(matches!(bind(ServerSettings { tls: None, ..settings.clone() }), Err(ServerError::NotEncrypted)));
    let unix = ListenAddress::Unix(Path::new("/nowhere/x").to_owned());
    assert!(matches!(bind(ServerSettings { listen: vec![unix], ..settings.clone() }), Err(ServerError::Bind { .. })));
    for content in ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(place.folder.path().join("clients.pem"), content).unwrap();
        let refused = bind(settings.clone());
        assert!(matches!(refused, Err(ServerError::ClientCa { .. })), "{content}: {refused:?}");
    }
    std::fs::remove_file(place.folder.path().join("clients.pem")).unwrap();
    assert!(matches!(bind(settings), Err(ServerError::TlsFile { .. })));
}
