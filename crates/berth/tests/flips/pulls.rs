//! Pulling something in every way there is, and judging what came.

use berth_testkit::{Client, Random, Reply, sha256};

use crate::stock::{AWAY, HOME, Held, Kind};

/// What one pull came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The right bytes.
    Right,
    /// An error, or an answer that broke off.
    Refused,
    /// Another manifest under a tag, whole and with its own digest.
    Other,
    /// Other bytes, as if they were right.
    Wrong,
}

/// Bytes of a whole or a part, and whether they were asked for by HEAD.
struct Way {
    method: &'static str,
    target: String,
    part: Option<(usize, usize)>,
}

fn ways(held: &Held, random: &mut Random) -> Vec<Way> {
    let get = |target| Way { method: "GET", target, part: None };
    let mut ways = Vec::new();
    for repository in [HOME, AWAY] {
        let place = if held.kind == Kind::Manifest { "manifests" } else { "blobs" };
        let target = format!("/v2/{repository}/{place}/{}", held.digest);
        ways.push(Way { method: "HEAD", target: target.clone(), part: None });
        if held.kind != Kind::Manifest {
            let start = random.below(held.bytes.len());
            let end = start + random.below(held.bytes.len() - start);
            ways.push(Way { method: "GET", target: target.clone(), part: Some((start, end)) });
        }
        ways.push(get(target));
    }
    ways.extend(held.tags.iter().map(|(repository, tag)| get(format!("/v2/{repository}/manifests/{tag}"))));
    ways
}

fn names_itself(reply: &Reply) -> bool {
    reply.header("docker-content-digest") == Some(sha256(&reply.body).as_str())
}

fn go(client: &Client, way: &Way, held: &Held) -> Seen {
    let range = way.part.map(|(start, end)| format!("bytes={start}-{end}"));
    let headers: Vec<(&str, &str)> = range.iter().map(|range| ("Range", range.as_str())).collect();
    let Ok(reply) = client.try_request(way.method, &way.target, &headers, b"") else { return Seen::Refused };
    let expected = way.part.map_or(&held.bytes[..], |(start, end)| &held.bytes[start..=end]);
    match reply.status {
        200 if way.method == "HEAD" => {
            let length = reply.header("content-length").and_then(|length| length.parse().ok());
            if length == Some(held.bytes.len()) { Seen::Right } else { Seen::Wrong }
        }
        200 | 206 => {
            let is_asked = (reply.status == 206) == way.part.is_some();
            let is_other = || !way.target.ends_with(&held.digest) && names_itself(&reply);
            match reply.body == expected {
                true if is_asked => Seen::Right,
                false if is_asked && is_other() => Seen::Other,
                _ => Seen::Wrong,
            }
        }
        status => {
            assert!(status >= 400, "{} {}: {status}", way.method, way.target);
            Seen::Refused
        }
    }
}

/// Pulls in every way.
pub fn pull(client: &Client, held: &Held, random: &mut Random) -> Vec<Seen> {
    ways(held, random).iter().map(|way| go(client, way, held)).collect()
}

/// Nothing wrong was served that never may be.
pub fn assert_never_wrong(held: &Held, seen: &[Seen], what: impl std::fmt::Debug) {
    let may_be_wrong = held.kind == Kind::LargeBlob;
    let is_wrong = |seen: &Seen| matches!(seen, Seen::Other | Seen::Wrong);
    assert!(may_be_wrong || !seen.iter().any(is_wrong), "{:?} {} after {what:?}: {seen:?}", held.kind, held.digest);
}

/// All ways give the right bytes.
pub fn assert_right(client: &Client, held: &Held, random: &mut Random) {
    let seen = pull(client, held, random);
    assert!(seen.iter().all(|seen| *seen == Seen::Right), "{:?} {}: {seen:?}", held.kind, held.digest);
}

/// Whoever wants the bytes is told that they are not to be had at the moment.
pub fn assert_quarantined(client: &Client, held: &Held) {
    let place = if held.kind == Kind::Manifest { "manifests" } else { "blobs" };
    for repository in [HOME, AWAY] {
        let target = format!("/v2/{repository}/{place}/{}", held.digest);
        client.get(&target).expect(503);
        if held.kind != Kind::Manifest {
            client.request("GET", &target, &[("Range", "bytes=0-0")], b"").expect(503);
            // For a client that pushes it is not there.
            client.request("HEAD", &target, &[], b"").expect(404);
        }
    }
    for (repository, tag) in &held.tags {
        client.manifest(repository, tag).expect(503);
    }
}
