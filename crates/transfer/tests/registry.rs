//! The registry client against a registry that plays by a script, on a loopback port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/played.rs"]
mod played;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use berth_testkit::{Image, index, media, sha256};
use berth_transfer::registry::{Credentials, RegistryAddress, RegistrySource};
use berth_transfer::{BlobReader, Entry, Retry, Root, Source, SourceError};
use futures_util::StreamExt as _;
use played::{Heard, Played, Reply};
use tokio::io::AsyncWriteExt as _;

const USER: &str = "importer";
const PASSWORD: &str = "NeverToAnotherHost";

fn name() -> RepositoryName {
    RepositoryName::parse("team/app").unwrap()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::parse(&sha256(bytes)).unwrap()
}

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")))
}

/// Tries three times, without waiting to speak of.
fn quick() -> Retry {
    Retry { tries: 3, first_pause: Duration::from_millis(1) }
}

/// As nobody.
fn source(played: &Played) -> RegistrySource {
    of(played, None)
}

/// As somebody.
fn with_login(played: &Played) -> RegistrySource {
    of(played, Some(Credentials { username: USER.to_owned(), password: PASSWORD.to_owned() }))
}

fn of(played: &Played, credentials: Option<Credentials>) -> RegistrySource {
    let address = RegistryAddress::parse(&played.url()).unwrap();
    RegistrySource::new(address, credentials, None, quick()).unwrap()
}

async fn read(source: &dyn Source, bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
    let (name, digest) = (name(), digest(bytes));
    let mut reader = BlobReader::new(source, &name, &digest, bytes.len() as u64, quick());
    let mut read = Vec::new();
    while let Some(chunk) = reader.chunk().await? {
        read.extend_from_slice(&chunk);
    }
    Ok(read)
}

async fn names(source: &RegistrySource) -> Result<Vec<String>, SourceError> {
    let mut names = Vec::new();
    let mut listing = source.repositories();
    while let Some(entry) = listing.next().await {
        names.push(match entry? {
            Entry::Is(name) => name.to_string(),
            Entry::Unusable { name, .. } => format!("unusable {name}"),
        });
    }
    Ok(names)
}

async fn tags(source: &RegistrySource) -> Result<Vec<String>, SourceError> {
    let (name, mut tags) = (name(), Vec::new());
    let mut listing = source.roots(&name);
    while let Some(entry) = listing.next().await {
        tags.push(match entry? {
            Entry::Is(Root::Tag(tag, None)) => tag.to_string(),
            other => format!("{other:?}"),
        });
    }
    Ok(tags)
}

fn wants_basic(heard: &Heard) -> Option<Reply> {
    let refused = heard.header("authorization") != Some(&basic());
    refused.then(|| Reply::of(401, b"").with("WWW-Authenticate", "Basic realm=\"r\""))
}

#[tokio::test]
async fn basic_login_is_given_when_it_is_asked_for_and_then_at_once() {
    let blob = b"some bytes";
    let played = Played::start(|heard| wants_basic(heard).unwrap_or_else(|| Reply::of(200, b"some bytes"))).await;
    let source = with_login(&played);
    assert_eq!(read(&source, blob).await.unwrap(), blob);
    assert_eq!(read(&source, blob).await.unwrap(), blob);
    let sent: Vec<bool> = played.heard().iter().map(|heard| heard.header("authorization").is_some()).collect();
    assert_eq!(sent, [false, true, true]);
}

#[tokio::test]
async fn a_login_is_used_where_the_registry_shows_a_part_to_everybody() {
    let played = Played::start(|heard| match (heard.path(), heard.header("authorization")) {
        ("/v2/", None) => Reply::of(401, b"").with("WWW-Authenticate", "Basic realm=\"r\""),
        (_, None) => Reply::of(200, br#"{"repositories":["public"]}"#),
        (_, Some(sent)) => {
            assert_eq!(sent, &basic());
            Reply::of(200, br#"{"repositories":["private","public"]}"#)
        }
    })
    .await;
    assert_eq!(names(&with_login(&played)).await.unwrap(), ["private", "public"]);
    assert_eq!(names(&source(&played)).await.unwrap(), ["public"]);
}

#[tokio::test]
async fn a_login_that_is_missing_or_wrong_is_told_with_what_to_do() {
    let played = Played::start(|_| Reply::of(401, b"").with("WWW-Authenticate", "Basic realm=\"r\"")).await;
    let missing = read(&source(&played), b"x").await.unwrap_err();
    assert!(missing.is_fatal() && missing.to_string().contains("BERTH_IMPORT_USERNAME"), "{missing}");
    let wrong = read(&with_login(&played), b"x").await.unwrap_err();
    assert!(wrong.is_fatal() && wrong.to_string().contains("refuses the login of importer"), "{wrong}");
    assert!(!wrong.to_string().contains(PASSWORD));
    let unknown = Played::start(|_| Reply::of(401, b"").with("WWW-Authenticate", "Negotiate")).await;
    assert!(read(&with_login(&unknown), b"x").await.unwrap_err().to_string().contains("not known here"));
}

#[tokio::test]
async fn a_token_is_fetched_for_the_scope_and_fetched_again_when_it_expires() {
    let played = Played::start(|heard| {
        if heard.path() == "/token" {
            assert_eq!(heard.header("authorization"), Some(&basic()));
            assert_eq!(heard.query(), "service=the+service&scope=repository%3Ateam%2Fapp%3Apull");
            return Reply::of(200, format!(r#"{{"token":"token-{}"}}"#, heard.number).as_bytes());
        }
        // The first token is good for one request.
        let used = heard.header("authorization");
        if used == Some(&"Bearer token-1".to_owned()) && heard.number == 2 || used == Some(&"Bearer token-4".to_owned())
        {
            return Reply::of(200, b"bytes");
        }
        let challenge = format!(
            "Bearer realm=\"http://{}/token\",service=\"the service\",scope=\"repository:team/app:pull\"",
            heard.header("host").unwrap()
        );
        Reply::of(401, b"").with("WWW-Authenticate", &challenge)
    })
    .await;
    let source = with_login(&played);
    assert_eq!(read(&source, b"bytes").await.unwrap(), b"bytes");
    assert_eq!(read(&source, b"bytes").await.unwrap(), b"bytes");
    let paths: Vec<String> = played.heard().iter().map(|heard| heard.path().to_owned()).collect();
    let blob = format!("/v2/team/app/blobs/{}", sha256(b"bytes"));
    assert_eq!(paths, ["/v2/", "/token", &blob, &blob, "/token", &blob]);
}

#[tokio::test]
async fn a_token_server_without_tls_on_another_host_gets_no_password() {
    let tokens = Played::start(|_| Reply::of(200, br#"{"access_token":"for-anybody"}"#)).await;
    let realm = format!("{}/token", tokens.url());
    let played = Played::start(move |heard| match heard.header("authorization").map(String::as_str) {
        Some("Bearer for-anybody") => Reply::of(200, b"bytes"),
        _ => Reply::of(401, b"").with("WWW-Authenticate", &format!("Bearer realm=\"{realm}\"")),
    })
    .await;
    assert_eq!(read(&with_login(&played), b"bytes").await.unwrap(), b"bytes");
    assert_eq!(tokens.heard().len(), 1);
    assert_eq!(tokens.heard()[0].header("authorization"), None);
    assert!(
        tokens.heard()[0].query().contains("scope=repository%3Ateam%2Fapp%3Apull"),
        "{}",
        tokens.heard()[0].query()
    );
}

#[tokio::test]
async fn another_host_gets_the_request_without_the_login() {
    let storage = Played::start(|_| Reply::of(200, b"from the storage")).await;
    let target = format!("{}/signed?key=1", storage.url());
    let played =
        Played::start(move |heard| wants_basic(heard).unwrap_or_else(|| Reply::of(307, b"").with("Location", &target)))
            .await;
    assert_eq!(read(&with_login(&played), b"from the storage").await.unwrap(), b"from the storage");
    let heard = storage.heard();
    assert_eq!((heard.len(), heard[0].target.as_str()), (1, "/signed?key=1"));
    let told = format!("{:?}", heard[0]);
    assert!(!told.to_lowercase().contains("authorization") && !told.contains(PASSWORD), "{told}");
}

#[tokio::test]
async fn another_host_that_asks_for_a_login_gets_none() {
    let storage = Played::start(|_| Reply::of(401, b"").with("WWW-Authenticate", "Basic realm=\"give\"")).await;
    let target = storage.url();
    let played = Played::start(move |_| Reply::of(302, b"").with("Location", &target)).await;
    assert!(matches!(read(&with_login(&played), b"x").await, Err(SourceError::Denied { .. })));
    let heard = storage.heard();
    assert!(!heard.is_empty() && heard.iter().all(|heard| heard.header("authorization").is_none()), "{heard:?}");
}

#[tokio::test]
async fn a_redirect_on_the_same_host_keeps_the_login_and_a_loop_ends() {
    let played = Played::start(|heard| {
        wants_basic(heard).unwrap_or_else(|| match heard.path() {
            "/elsewhere" => Reply::of(200, b"here"),
            _ => Reply::of(301, b"").with("Location", "/elsewhere"),
        })
    })
    .await;
    assert_eq!(read(&with_login(&played), b"here").await.unwrap(), b"here");
    let looping = Played::start(|_| Reply::of(302, b"").with("Location", "/again")).await;
    let error = read(&source(&looping), b"x").await.unwrap_err();
    assert!(error.to_string().contains("more than 5 times"), "{error}");
    assert_eq!(looping.heard().len(), 6);
}

#[tokio::test]
async fn redirects_that_cannot_be_followed_are_refused() {
    for location in ["ftp://a.example/", "http://u:p@127.0.0.1:1/", "http://[", "file:///etc/passwd"] {
        let played = Played::start(move |_| Reply::of(302, b"").with("Location", location)).await;
        let error = read(&source(&played), b"x").await.unwrap_err();
        assert!(matches!(error, SourceError::Unusable(_)), "{location}: {error}");
    }
}

#[tokio::test]
async fn a_blob_that_breaks_off_is_taken_up_by_range() {
    let blob: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    let content = blob.clone();
    let played = Played::start(move |heard| match heard.range_start() {
        None => Reply::of(200, &content).cut_after(300_000),
        Some(start) if heard.number == 1 => Reply::part(&content, start).cut_after(100_000),
        Some(start) => Reply::part(&content, start),
    })
    .await;
    assert!(read(&source(&played), &blob).await.unwrap() == blob);
    let ranges: Vec<Option<usize>> = played.heard().iter().map(Heard::range_start).collect();
    assert_eq!((ranges.len(), ranges[0]), (3, None), "{ranges:?}");
    assert!(ranges[1].unwrap() <= 300_000 && ranges[1] < ranges[2], "{ranges:?}");
}

#[tokio::test]
async fn a_registry_without_ranges_is_read_from_the_beginning_again() {
    let blob: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let content = blob.clone();
    let played = Played::start(move |heard| {
        let whole = Reply::of(200, &content);
        if heard.number == 0 { whole.cut_after(123_457) } else { whole }
    })
    .await;
    assert!(read(&source(&played), &blob).await.unwrap() == blob);
    assert!(played.heard()[1].range_start().is_some());
}

#[tokio::test]
async fn a_part_from_elsewhere_is_not_taken() {
    let played = Played::start(|heard| match heard.number {
        0 => Reply::of(200, b"0123456789").cut_after(4),
        _ => Reply::of(206, b"6789").with("Content-Range", "bytes 6-9/10"),
    })
    .await;
    let error = read(&source(&played), b"0123456789").await.unwrap_err();
    assert!(error.to_string().contains("not the bytes that were asked for"), "{error}");
}

#[tokio::test]
async fn a_blob_that_always_breaks_off_ends_the_import() {
    let played = Played::start(|_| Reply::of(200, b"0123456789").cut_after(0)).await;
    let error = read(&source(&played), b"0123456789").await.unwrap_err();
    assert!(error.is_fatal() && matches!(error, SourceError::Unreachable { .. }), "{error}");
    assert_eq!(played.heard().len(), 3);
}

#[tokio::test]
async fn more_or_fewer_bytes_than_there_should_be_are_refused() {
    let played = Played::start(|_| Reply::of(200, b"0123456789")).await;
    let (name, digest) = (name(), digest(b"0123456789"));
    for size in [9, 11] {
        let source = source(&played);
        let mut reader = BlobReader::new(&source, &name, &digest, size, quick());
        let mut outcome = reader.chunk().await;
        while let Ok(Some(_)) = outcome {
            outcome = reader.chunk().await;
        }
        assert!(matches!(outcome, Err(SourceError::WrongSize { actual: 10, .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_busy_registry_is_asked_again() {
    for (status, seconds) in [(429, "1"), (500, "0"), (502, "soon"), (503, "0"), (504, "")] {
        let played = Played::start(move |heard| match heard.number {
            0 => Reply::of(status, b"").with("Retry-After", seconds),
            _ => Reply::of(200, b"at last"),
        })
        .await;
        assert_eq!(read(&source(&played), b"at last").await.unwrap(), b"at last", "{status}");
        assert_eq!(played.heard().len(), 2);
    }
    let played =
        Played::start(|_| Reply::of(429, br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow"}]}"#)).await;
    let error = read(&source(&played), b"x").await.unwrap_err();
    assert!(error.is_fatal() && error.to_string().contains("429") && error.to_string().contains("slow"), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_refused_is_tried_again_and_then_told() {
    let played = Played::start(|_| Reply::of(200, b"")).await;
    let address = RegistryAddress::parse(&played.url()).unwrap();
    played.stop().await;
    let source = RegistrySource::new(address, None, None, quick()).unwrap();
    let error = read(&source, b"x").await.unwrap_err();
    assert!(error.is_fatal() && matches!(error, SourceError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_registry_without_tls_is_told_from_one_that_is_away() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = RegistryAddress::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
    let plain = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        connection.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await.unwrap();
    });
    let source = RegistrySource::new(address, None, None, quick()).unwrap();
    let error = read(&source, b"x").await.unwrap_err();
    plain.await.unwrap();
    assert!(error.is_fatal() && error.to_string().contains("write http://"), "{error}");
}

#[tokio::test]
async fn the_catalog_is_read_page_by_page() {
    let played = Played::start(|heard| match heard.query() {
        "n=1000" => Reply::of(200, br#"{"repositories":["a","b/c"]}"#)
            .with("Link", "</v2/_catalog?last=b%2Fc&n=2>; rel=\"next\""),
        "last=b%2Fc&n=2" => {
            Reply::of(200, br#"{"repositories":["d","NOT A NAME"]}"#).with("Link", "<_catalog?last=d>; rel=next")
        }
        "last=d" => Reply::of(200, br#"{"repositories":null}"#),
        other => panic!("{other}"),
    })
    .await;
    assert_eq!(names(&source(&played)).await.unwrap(), ["a", "b/c", "d", "unusable NOT A NAME"]);
}

#[tokio::test]
async fn listings_that_cannot_be_followed_are_errors() {
    for link in ["</v2/_catalog?n=1000>; rel=next", "<http://other.example/x>; rel=next", "no link", "<a"] {
        let played = Played::start(move |_| Reply::of(200, br#"{"repositories":["a"]}"#).with("Link", link)).await;
        let error = names(&source(&played)).await.unwrap_err();
        assert!(error.is_fatal() && error.to_string().contains("cannot be followed"), "{link}: {error}");
    }
    let endless = Played::start(|heard| {
        let link = format!("</v2/_catalog?last={}>; rel=next", heard.number);
        Reply::of(200, br#"{"repositories":[]}"#).with("Link", &link)
    })
    .await;
    assert!(names(&source(&endless)).await.unwrap_err().to_string().contains("empty pages"));
    let large = Played::start(|_| Reply::of(200, &vec![b' '; 16 * 1024 * 1024 + 1])).await;
    assert!(names(&source(&large)).await.unwrap_err().to_string().contains("more than"));
    let other = Played::start(|_| Reply::of(200, b"<html>")).await;
    assert!(names(&source(&other)).await.unwrap_err().to_string().contains("no such listing"));
}

#[tokio::test]
async fn a_registry_without_a_catalog_wants_the_name_of_a_repository() {
    for status in [403, 404] {
        let played = Played::start(move |_| Reply::of(status, b"")).await;
        let error = names(&source(&played)).await.unwrap_err();
        assert!(error.is_fatal() && error.to_string().contains("--repository"), "{error}");
    }
    let played = Played::start(|_| panic!("nothing is to be asked for")).await;
    let address = RegistryAddress::parse(&played.url()).unwrap();
    let one = RegistrySource::new(address, None, Some(name()), quick()).unwrap();
    assert_eq!(names(&one).await.unwrap(), ["team/app"]);
}

#[tokio::test]
async fn tags_are_read_page_by_page_and_a_repository_without_any_is_empty() {
    let played = Played::start(|heard| match heard.query() {
        "n=1000" => Reply::of(200, br#"{"name":"team/app","tags":["1","2"]}"#).with("Link", "</x?y>; rel=\"next\""),
        _ => Reply::of(200, br#"{"tags":["-odd"]}"#),
    })
    .await;
    let tags_read = tags(&source(&played)).await.unwrap();
    assert_eq!(tags_read[..2], ["1", "2"]);
    assert!(tags_read[2].contains("Unusable"), "{tags_read:?}");
    let gone = Played::start(|_| Reply::of(404, b"")).await;
    assert!(tags(&source(&gone)).await.unwrap().is_empty());
    let address = RegistryAddress::parse(&gone.url()).unwrap();
    let named = RegistrySource::new(address, None, Some(name()), quick()).unwrap();
    assert!(matches!(tags(&named).await, Err(SourceError::Missing(_))), "one that was named must be there");
}

#[tokio::test]
async fn manifests_are_checked_and_bounded() {
    let image = Image::small("a").manifest;
    let reference = Reference::parse(&image.digest).unwrap();
    let bytes = image.bytes.clone();
    let played = Played::start(move |heard| {
        assert!(heard.header("accept").unwrap().contains(media::INDEX));
        Reply::of(200, &bytes).with("Content-Type", media::MANIFEST)
    })
    .await;
    let found = source(&played).manifest(&name(), &reference).await.unwrap();
    assert_eq!((found.bytes.as_ref(), found.media_type.as_deref()), (image.bytes.as_slice(), Some(media::MANIFEST)));

    let other = Played::start(|_| Reply::of(200, b"{}")).await;
    let wrong = source(&other).manifest(&name(), &reference).await;
    assert!(matches!(wrong, Err(SourceError::WrongDigest { .. })), "{wrong:?}");

    let said = image.digest.clone();
    let lying = Played::start(move |_| Reply::of(200, b"{}").with("Docker-Content-Digest", &said)).await;
    let tag = Reference::parse("latest").unwrap();
    let wrong = source(&lying).manifest(&name(), &tag).await;
    assert!(matches!(wrong, Err(SourceError::WrongDigest { .. })), "{wrong:?}");

    let large = Played::start(|_| Reply::of(200, &vec![b' '; 4 * 1024 * 1024 + 1])).await;
    let large = source(&large).manifest(&name(), &tag).await.unwrap_err();
    assert!(large.to_string().contains("more than 4194304 bytes"), "{large}");

    let old = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let old = Played::start(move |_| Reply::of(200, b"{}").with("Content-Type", old)).await;
    let old = source(&old).manifest(&name(), &tag).await.unwrap_err();
    assert!(old.to_string().contains("schema 1") && !old.is_fatal(), "{old}");
}

#[tokio::test]
async fn a_tag_is_resolved_by_its_head() {
    let image = Image::small("a").manifest;
    let said = image.digest.clone();
    let played = Played::start(move |heard| {
        assert_eq!(heard.method, "HEAD");
        Reply::of(200, b"").with("Docker-Content-Digest", &said)
    })
    .await;
    let tag = Tag::parse("1").unwrap();
    let found = source(&played).resolve(&name(), &tag).await.unwrap();
    assert_eq!(found.unwrap().to_string(), image.digest);
    let silent = Played::start(|_| Reply::of(200, b"")).await;
    assert_eq!(source(&silent).resolve(&name(), &tag).await.unwrap(), None);
}

#[tokio::test]
async fn referrers_are_listed_where_the_registry_can() {
    let (first, second) = (Image::small("first").manifest, Image::small("second").manifest);
    let subject = digest(b"subject");
    let pages = [index(&[first.descriptor()]).bytes, index(&[second.descriptor()]).bytes];
    let played = Played::start(move |heard| match heard.query() {
        "" => Reply::of(200, &pages[0]).with("Link", "<?page=2>; rel=\"next\""),
        _ => Reply::of(200, &pages[1]),
    })
    .await;
    let found = source(&played).referrers(&name(), &subject).await.unwrap();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, [first.digest, second.digest]);

    let old = Played::start(|_| Reply::of(404, b"404 page not found")).await;
    let old_source = source(&old);
    assert!(old_source.referrers(&name(), &subject).await.unwrap().is_empty());
    assert!(old_source.referrers(&name(), &subject).await.unwrap().is_empty());
    assert_eq!(old.heard().len(), 1, "a registry without referrers is asked once");
}

#[tokio::test]
async fn what_the_source_says_is_told_without_control_characters() {
    let page = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"go \\u001b[31maway\"}]}";
    let played = Played::start(move |_| Reply::of(403, page.as_bytes())).await;
    let error = read(&source(&played), b"x").await.unwrap_err().to_string();
    assert!(error.contains("DENIED go [31maway") && !error.contains('\u{1b}'), "{error}");
}
