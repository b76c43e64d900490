//! The registry's verbs, as the distribution specification has them, over one kept connection.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{Image, Manifest, RawConnection, Reply, secrets, sha256};

/// A caller of one server. A clone has a connection of its own.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    host: Option<String>,
    authorization: Option<String>,
    connection: RefCell<Option<RawConnection>>,
}

impl Clone for Client {
    fn clone(&self) -> Self {
        let (host, authorization) = (self.host.clone(), self.authorization.clone());
        Self { address: self.address, host, authorization, connection: RefCell::new(None) }
    }
}

impl Client {
    /// A caller who sends no credentials.
    pub fn anonymous(address: SocketAddr) -> Self {
        Self { address, host: None, authorization: None, connection: RefCell::new(None) }
    }

    /// A caller who sends these by Basic authentication.
    pub fn login(address: SocketAddr, user: &str, password: &str) -> Self {
        let token = STANDARD.encode(format!("{user}:{password}"));
        Self { authorization: Some(format!("Basic {token}")), ..Self::anonymous(address) }
    }

    /// A caller who shows this token.
    pub fn bearer(address: SocketAddr, token: &str) -> Self {
        Self { authorization: Some(format!("Bearer {token}")), ..Self::anonymous(address) }
    }

    /// The same caller, who calls the server by another name: the value of its `Host` headers.
    #[must_use]
    pub fn at_host(&self, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..self.clone() }
    }

    /// The value of the `Host` header.
    pub fn host(&self) -> String {
        self.host.clone().unwrap_or_else(|| self.address.to_string())
    }

    /// Where requests go.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The request as bytes up to its body: line, `Host`, `Authorization` and the headers given; a `Content-Length` only if among them.
    pub fn head(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.host());
        if let Some(authorization) = &self.authorization {
            let _ = write!(head, "Authorization: {authorization}\r\n");
        }
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// A fresh connection with the head of a request already sent; the body is the caller's affair.
    pub fn open(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> RawConnection {
        let mut connection = RawConnection::connect(self.address).expect("the server takes connections");
        connection.send(&self.head(method, target, headers)).expect("the server reads a request's head");
        connection
    }

    /// Sends a request with `Content-Length` and reads its reply.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let reply = self.try_request(method, target, headers, body);
        reply.unwrap_or_else(|error| panic!("{method} {target:.200}: no reply: {error}"))
    }

    /// Like [`Self::request`] for a server that may be gone.
    pub fn try_request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Reply> {
        let message = self.message(method, target, headers, body);
        let kept = self.connection.take();
        let was_kept = kept.is_some();
        match self.exchange(kept, method, &message) {
            // The server may have ended the kept connection before it saw the request.
            Err(error) if was_kept && is_stale(&error) => self.exchange(None, method, &message),
            other => other,
        }
    }

    /// Like [`Self::try_request`], but never sends twice: what was cut off may have been done.
    pub fn try_once(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Reply> {
        let message = self.message(method, target, headers, body);
        self.exchange(self.connection.take(), method, &message)
    }

    /// GET without a body or further headers.
    pub fn get(&self, target: &str) -> Reply {
        self.request("GET", target, &[], &[])
    }

    /// DELETE.
    pub fn delete(&self, target: &str) -> Reply {
        self.request("DELETE", target, &[], &[])
    }

    /// Pushes a blob by POST and PUT and gives its digest.
    pub fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        let location = self.start_upload(repository);
        self.finish_upload(&location, &digest, bytes).expect(201);
        digest
    }

    /// Starts an upload session and gives the path of its `Location`.
    pub fn start_upload(&self, repository: &str) -> String {
        let reply = self.request("POST", &format!("/v2/{repository}/blobs/uploads/"), &[], &[]).expect(202);
        target_of(&reply)
    }

    /// Sends a chunk that begins at `offset`, with `Content-Range`.
    pub fn patch_upload(&self, location: &str, offset: usize, bytes: &[u8]) -> Reply {
        let range = format!("{offset}-{}", (offset + bytes.len()).saturating_sub(1));
        let headers = [("Content-Range", range.as_str()), ("Content-Type", "application/octet-stream")];
        self.request("PATCH", location, &headers, bytes)
    }

    /// Ends a session with the last bytes.
    pub fn finish_upload(&self, location: &str, digest: &str, bytes: &[u8]) -> Reply {
        let headers = [("Content-Type", "application/octet-stream")];
        self.request("PUT", &path_and_query(location, &format!("digest={digest}")), &headers, bytes)
    }

    /// How many bytes the server says that a session holds: its `Range` header read as the specification says.
    pub fn upload_offset(&self, location: &str) -> u64 {
        let reply = self.get(location).expect(204);
        let range = reply.header("range").expect("an upload's status has a Range");
        let last: u64 = range.strip_prefix("0-").and_then(|last| last.parse().ok()).expect("a Range of the form 0-N");
        if last == 0 { 0 } else { last + 1 }
    }

    /// Pushes a manifest under a tag or digest.
    pub fn push_manifest(&self, repository: &str, reference: &str, manifest: &Manifest) -> Reply {
        self.push_manifest_as(repository, reference, &manifest.media_type, &manifest.bytes)
    }

    /// Pushes bytes as a manifest of a media type.
    pub fn push_manifest_as(&self, repository: &str, reference: &str, media_type: &str, bytes: &[u8]) -> Reply {
        let target = format!("/v2/{repository}/manifests/{reference}");
        self.request("PUT", &target, &[("Content-Type", media_type)], bytes)
    }

    /// Pushes an image's blobs, then its manifest under a tag.
    pub fn push_image(&self, repository: &str, tag: &str, image: &Image) {
        self.push_blobs(repository, image);
        self.push_manifest(repository, tag, &image.manifest).expect(201);
    }

    /// Pushes what an image's manifest refers to.
    pub fn push_blobs(&self, repository: &str, image: &Image) {
        for blob in image.blobs() {
            self.push_blob(repository, blob);
        }
    }

    /// GET of a manifest under a tag or digest.
    pub fn manifest(&self, repository: &str, reference: &str) -> Reply {
        self.get(&format!("/v2/{repository}/manifests/{reference}"))
    }

    /// GET of a blob.
    pub fn blob(&self, repository: &str, digest: &str) -> Reply {
        self.get(&format!("/v2/{repository}/blobs/{digest}"))
    }

    fn message(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let length = body.len().to_string();
        let mut all = headers.to_vec();
        if !body.is_empty() || !matches!(method, "GET" | "HEAD") {
            all.push(("Content-Length", &length));
        }
        let mut message = self.head(method, target, &all);
        message.extend_from_slice(body);
        message
    }

    fn exchange(&self, kept: Option<RawConnection>, method: &str, message: &[u8]) -> io::Result<Reply> {
        let mut connection = match kept {
            Some(connection) => connection,
            None => RawConnection::connect(self.address)?,
        };
        // A server that refuses early may close before it read the whole body; its reply still counts.
        let sent = connection.send(message);
        let reply = match (connection.read_reply(method), sent) {
            (Err(_), Err(error)) => return Err(error),
            (reply, _) => reply?,
        };
        secrets::note_reply(&reply);
        if !reply.closes() {
            self.connection.replace(Some(connection));
        }
        Ok(reply)
    }
}

fn is_stale(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// The path and query of a reply's `Location`, be it relative or absolute.
pub fn target_of(reply: &Reply) -> String {
    let location = reply.header("location").expect("a Location");
    match location.split_once("://") {
        Some((_, rest)) => rest[rest.find('/').unwrap_or(rest.len())..].to_owned(),
        None => location.to_owned(),
    }
}

/// Adds a parameter to a target that may have a query already.
pub fn path_and_query(target: &str, parameter: &str) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    format!("{target}{separator}{parameter}")
}
