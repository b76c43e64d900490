//! Clients that push one image each, of a layer that costs a client next to nothing to make and to hash.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::{Client, Hasher, Image, Manifest, Random, RawConnection, Reply, media, path_and_query, sha256, target_of};

/// How long one answer may take while a thousand others are under way on two cores.
const PATIENCE: Duration = Duration::from_mins(10);
/// What the kernel takes ahead for one client. A thousand clients on one machine would use up what it has for all of TCP.
const SEND_BUFFER: usize = 128 * 1024;
/// How often a client that is told to come back does so.
const ATTEMPTS: usize = 20;
/// Pushers share so many repositories.
const REPOSITORIES: usize = 50;

/// Layers that share all but their last bytes.
#[derive(Clone)]
pub struct Layers {
    shared: Vec<u8>,
    hashed: Hasher,
}

impl Layers {
    /// Layers of so many bytes, at least 8.
    pub fn new(seed: u64, length: usize) -> Self {
        let shared = Random::seeded(seed).bytes(length - 8);
        let mut hashed = Hasher::default();
        hashed.update(&shared);
        Self { shared, hashed }
    }

    fn end(number: usize) -> [u8; 8] {
        (number as u64).to_le_bytes()
    }

    /// The digest of the layer with this number.
    pub fn digest(&self, number: usize) -> String {
        let mut hasher = self.hashed.clone();
        hasher.update(&Self::end(number));
        hasher.finish()
    }

    fn length(&self) -> usize {
        self.shared.len() + 8
    }

    fn send(&self, number: usize, connection: &mut RawConnection) -> io::Result<()> {
        connection.send_within(&self.shared, PATIENCE)?;
        connection.send_within(&Self::end(number), PATIENCE)
    }
}

/// The repository and the tag that a pusher pushes to.
pub fn pushed_to(number: usize) -> (String, String) {
    (format!("many/r{}", number % REPOSITORIES), format!("v{number}"))
}

/// One client and its one connection.
pub struct Pusher {
    client: Client,
    connection: RawConnection,
    number: usize,
}

impl Pusher {
    /// Connects.
    pub fn new(client: Client, number: usize) -> Self {
        let connection = connected(&client);
        Self { client, connection, number }
    }

    /// One request, tried again where the server says so, as docker does.
    fn ask(&mut self, method: &str, target: &str, body: &[u8]) -> Reply {
        self.ask_with(method, target, "application/octet-stream", body.len(), |connection| connection.send(body))
    }

    fn ask_with(
        &mut self,
        method: &str,
        target: &str,
        content_type: &str,
        length: usize,
        body: impl Fn(&mut RawConnection) -> io::Result<()>,
    ) -> Reply {
        let length = length.to_string();
        let head = self.client.head(method, target, &[("Content-Length", &length), ("Content-Type", content_type)]);
        for _ in 0..ATTEMPTS {
            self.connection.send(&head).expect("the server reads a request's head");
            let sent = body(&mut self.connection);
            let reply = self.connection.read_reply(method).unwrap_or_else(|error| panic!("{method}: {error} {sent:?}"));
            let Some(after) = reply.header("retry-after").filter(|_| matches!(reply.status, 429 | 503)) else {
                return reply;
            };
            sleep(Duration::from_secs(after.parse().expect("seconds")));
            if reply.closes() {
                self.connection = connected(&self.client);
            }
        }
        panic!("{method} {target}: still told to come back later after {ATTEMPTS} attempts");
    }

    /// A layer, its config, its manifest; how often the layer was begun again.
    pub fn push(&mut self, layers: &Layers) -> usize {
        let digest = layers.digest(self.number);
        let (repository, tag) = pushed_to(self.number);
        let post = format!("/v2/{repository}/blobs/uploads/");
        let mut begun_again = 0;
        while !self.push_layer(&post, layers, &digest) {
            begun_again += 1;
            assert!(begun_again < ATTEMPTS, "layer {} was cut off {begun_again} times", self.number);
            self.connection = connected(&self.client);
        }
        let (number, length) = (self.number, layers.length());
        let config = format!(r#"{{"architecture":"amd64","os":"linux","n":{number}}}"#).into_bytes();
        self.ask("POST", &format!("{post}?digest={}", sha256(&config)), &config).expect(201);
        let manifest = manifest(&config, &digest, length);
        let target = format!("/v2/{repository}/manifests/{tag}");
        let body = &manifest.bytes;
        self.ask_with("PUT", &target, media::MANIFEST, body.len(), |to| to.send(body)).expect(201);
        begun_again
    }

    /// A layer by POST, PATCH or not, and PUT; `false` where the server heard nothing of its body for too long, as happens where a
    /// thousand clients share two processors with the server. Docker begins again then, too.
    fn push_layer(&mut self, post: &str, layers: &Layers, digest: &str) -> bool {
        let session = target_of(&self.ask("POST", post, b"").expect(202));
        let (number, length) = (self.number, layers.length());
        let put = |session: &str| path_and_query(session, &format!("digest={digest}"));
        let octets = "application/octet-stream";
        let patched = number % 2 == 0;
        let (method, target) = if patched { ("PATCH", session.clone()) } else { ("PUT", put(&session)) };
        let reply = self.ask_with(method, &target, octets, length, |to| layers.send(number, to));
        if reply.status == 400 && reply.closes() && reply.text().contains("BLOB_UPLOAD_INVALID") {
            return false;
        }
        if patched {
            let session = target_of(&reply.expect(202));
            self.ask("PUT", &put(&session), b"").expect(201);
        } else {
            reply.expect(201);
        }
        true
    }
}

fn connected(client: &Client) -> RawConnection {
    let mut connection = RawConnection::connect(client.address()).expect("the server takes connections");
    connection.read_timeout(PATIENCE);
    connection.send_buffer(SEND_BUFFER);
    connection
}

fn manifest(config: &[u8], layer: &str, length: usize) -> Manifest {
    let mut document = Image::of(Vec::new()).manifest.document();
    document["config"]["digest"] = json!(sha256(config));
    document["config"]["size"] = json!(config.len());
    document["layers"] = json!([{"mediaType": media::LAYER, "digest": layer, "size": length}]);
    Manifest::of(media::MANIFEST, &document)
}
