//! Which registry is asked for, and whether it is one of ours.
//!
//! docker and the kubelet are configured to ask for some hosts only, so that any host may be ours. It would still be wrong to
//! give the login of one registry to another: where an address is named for the registry, only its host is ours, or those of
//! `BERTH_CREDENTIAL_HOSTS`.

use berth_profile::Environment;
use url::Url;

/// The hosts that are ours: a list with commas between, as in `*.dkr.ecr.*.example.org,registry.example.org:5000`.
pub const HOSTS: &str = "BERTH_CREDENTIAL_HOSTS";
/// Docker Hub goes by many names, and docker asks for the first of them although nobody mapped it.
const DOCKER_HUB: [&str; 4] = ["index.docker.io", "docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// A registry: a host in lower case, with a port where one is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    name: String,
    /// Whether plain HTTP was asked for.
    is_plain: bool,
}

impl Host {
    /// Of the address of a server, as docker and podman write it: a host, a URL, or a host with a path.
    pub fn of_server(server: &str) -> Option<Self> {
        let (rest, is_plain) = match (server.strip_prefix("https://"), server.strip_prefix("http://")) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => (server, false),
        };
        Self::parse(rest.split('/').next()?, is_plain)
    }

    /// Of the name of an image, as Kubernetes and docker read it: the first part is a host where it has a dot or a colon or is
    /// `localhost`.
    pub fn of_image(image: &str) -> Option<Self> {
        let (first, _) = image.split_once('/')?;
        if first == "localhost" || first.contains(['.', ':']) { Self::parse(first, false) } else { None }
    }

    fn parse(text: &str, is_plain: bool) -> Option<Self> {
        let scheme = if is_plain { "http" } else { "https" };
        let url = Url::parse(&format!("{scheme}://{text}/")).ok()?;
        let is_bare =
            url.username().is_empty() && url.password().is_none() && url.path() == "/" && url.query().is_none();
        let host = url.host_str().filter(|_| is_bare && url.fragment().is_none())?;
        // The port as it was written: it is part of the name that whoever asks knows.
        let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
        let port = text
            .len()
            .checked_sub(digits)
            .and_then(|at| text.get(at..))
            .filter(|port| !port.is_empty() && text.strip_suffix(port).is_some_and(|rest| rest.ends_with(':')));
        let name = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Some(Self { name, is_plain })
    }

    /// `registry.example.com`, with its port where one was named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the registry's API is: by TLS, and on this machine by plain HTTP where there is no TLS, as docker has it. The
    /// better comes first. None where plain HTTP is asked for and the registry is on another machine.
    pub fn addresses(&self) -> Vec<String> {
        let (secure, plain) = (format!("https://{}", self.name), format!("http://{}", self.name));
        let is_here = Url::parse(&plain).is_ok_and(|url| crate::remote::connection::is_loopback(&url));
        match (is_here, self.is_plain) {
            (true, true) => vec![plain],
            (true, false) => vec![secure, plain],
            (false, false) => vec![secure],
            (false, true) => Vec::new(),
        }
    }

    /// Whether the login of a registry may be given for this host. `endpoint` is the registry's address, where one is named.
    pub fn is_ours(&self, environment: Environment<'_>, endpoint: Option<&str>) -> bool {
        let bare = self.name.strip_suffix(":443").unwrap_or(&self.name);
        if let Some(patterns) = environment(HOSTS) {
            return patterns.split(',').any(|pattern| covers(&pattern.trim().to_ascii_lowercase(), bare));
        }
        match endpoint.map(|url| Url::parse(url).map(|url| named(&url))) {
            Some(Ok(host)) => host == bare || host == self.name,
            // Whoever connects to it says what is wrong.
            Some(Err(_)) => true,
            None => !DOCKER_HUB.contains(&bare),
        }
    }
}

fn named(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether a pattern covers a host. `*` stands for any characters of one label, as in `matchImages` of Kubernetes.
fn covers(pattern: &str, host: &str) -> bool {
    let (mut patterns, mut labels) = (pattern.split('.'), host.split('.'));
    loop {
        match (patterns.next(), labels.next()) {
            (None, None) => return true,
            (Some(pattern), Some(label)) if covers_label(pattern, label) => {}
            _ => return false,
        }
    }
}

fn covers_label(pattern: &str, label: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == label };
    let Some(left) = label.strip_prefix(begin) else { return false };
    // A star never stands for the colon before a port.
    let ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
    ends.take_while(|end| !left.get(..*end).unwrap_or_default().contains(':'))
        .any(|end| left.get(end..).is_some_and(|tail| covers_label(rest, tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_read_from_addresses_and_images() {
        for (server, expected) in [
            ("registry.example.com", Some("registry.example.com")),
            ("Registry.Example.com:5000", Some("registry.example.com:5000")),
            ("https://registry.example.com:443/v2/", Some("registry.example.com:443")),
            ("http://127.0.0.1:5000", Some("127.0.0.1:5000")),
            ("registry.example.com/team/app", Some("registry.example.com")),
            ("[::1]:5000", Some("[::1]:5000")),
            ("[::1]", Some("[::1]")),
            ("https://index.docker.io/v1/", Some("index.docker.io")),
            ("u:p@registry.example.com", None),
            ("https://", None),
            ("", None),
            ("a b", None),
            ("registry.example.com?x", None),
            ("registry.example.com:99999", None),
        ] {
            assert_eq!(Host::of_server(server).as_ref().map(Host::name), expected, "{server}");
        }
        for (image, expected) in [
            ("registry.example.com/app:1", Some("registry.example.com")),
            ("localhost/app", Some("localhost")),
            ("localhost:5000/app@sha256:00", Some("localhost:5000")),
            ("library/busybox", None),
            ("busybox:1.36", None),
            ("", None),
        ] {
            assert_eq!(Host::of_image(image).as_ref().map(Host::name), expected, "{image}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for (server, expected) in [
            ("registry.example.com", &["https://registry.example.com"][..]),
            ("http://registry.example.com", &[]),
            ("127.0.0.1:5000", &["https://127.0.0.1:5000", "http://127.0.0.1:5000"]),
            ("http://localhost", &["http://localhost"]),
        ] {
            assert_eq!(Host::of_server(server).unwrap().addresses(), expected, "{server}");
        }
    }

    #[test]
    fn ours_is_what_is_listed_or_named_or_mapped() {
        let listed = "*.dkr.ecr.*.example.org, registry.example.org:5000,app*x.example.org";
        for (host, hosts, endpoint, expected) in [
            ("any.example.com", None, None, true),
            ("https://index.docker.io/v1/", None, None, false),
            ("docker.io", None, None, false),
            ("registry.example.org", None, Some("https://registry.example.org"), true),
            ("registry.example.org:443", None, Some("https://registry.example.org"), true),
            ("registry.example.org:5000", None, Some("https://registry.example.org"), false),
            ("evil.example.com", None, Some("https://registry.example.org"), false),
            ("127.0.0.1:5000", None, Some("http://127.0.0.1:5000"), true),
            ("1.dkr.ecr.eu.example.org", Some(listed), Some("https://x"), true),
            ("a.b.dkr.ecr.eu.example.org", Some(listed), None, false),
            ("registry.example.org:5000", Some(listed), None, true),
            ("registry.example.org", Some(listed), None, false),
            ("app-1-x.example.org", Some(listed), None, true),
            ("app-1.example.org", Some(listed), None, false),
            ("REGISTRY.example.org:5000", Some(listed), None, true),
            ("a:5000", Some("*"), None, false),
            ("a:5000", Some("*:5000"), None, true),
        ] {
            let found = Host::of_server(host).unwrap();
            let environment = |name: &str| hosts.filter(|_| name == HOSTS).map(str::to_owned);
            assert_eq!(found.is_ours(&environment, endpoint), expected, "{host} {hosts:?} {endpoint:?}");
        }
    }
}
