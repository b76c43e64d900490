//! A registry as a source: the client's side of the distribution specification, and Docker's dialect of it.

mod address;
pub mod challenge;
pub mod docker_config;
mod http;
pub mod link;
mod login;
mod scan;

use std::sync::atomic::{AtomicBool, Ordering};

use ::http::Method;
use async_trait::async_trait;
use berth_oci::digest::{Algorithm, Digest};
use berth_oci::manifest::{MAX_MANIFEST_BYTES, Manifest};
use berth_oci::media_type::{MediaType, OCI_INDEX};
use berth_oci::name::RepositoryName;
use berth_oci::reference::Reference;
use berth_oci::tag::Tag;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use url::Url;

pub use address::{AddressError, RegistryAddress};
pub use docker_config::Credentials;

use self::http::{Answer, Ask, Http};
use crate::error::clip;
use crate::{ByteStream, Entry, Listing, Retry, Root, Source, SourceError, SourceManifest};
use login::Login;

/// What is asked for at once in listings; registries give as many as they like.
const PAGE: u32 = 1000;
/// A page of a listing is no larger than this, in bytes. Some registries give all tags at once.
const PAGE_BYTES: usize = 16 * 1024 * 1024;
/// A registry that gives so many empty pages on end has lost its way.
const EMPTY_PAGES: u32 = 100;

const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.artifact.manifest.v1+json";

/// A registry.
pub struct RegistrySource {
    http: Http,
    home: RegistryAddress,
    login: Login,
    only: Option<RepositoryName>,
    has_referrers: AtomicBool,
}

impl RegistrySource {
    /// A registry at an address. With `only` it has one repository, and its catalog is not asked for.
    pub fn new(
        home: RegistryAddress,
        credentials: Option<Credentials>,
        only: Option<RepositoryName>,
        retry: Retry,
    ) -> Result<Self, SourceError> {
        let (http, login) = (Http::new(retry)?, Login::new(credentials));
        Ok(Self { http, home, login, only, has_referrers: AtomicBool::new(true) })
    }

    /// The same, with a token server on another host that may be told the password: `auth.example.com`, with its port where
    /// that is not 443. Without, only the registry itself is, and the token servers of Docker Hub and GitLab.com are theirs.
    #[must_use]
    pub fn trusting(self, token_server: Option<String>) -> Self {
        Self { login: self.login.trusting(token_server), ..self }
    }

    /// Sends a request, with what the registry's challenge asks for. The answer may have any status but 401.
    async fn ask(&self, mut ask: Ask, scope: &str) -> Result<Answer, SourceError> {
        ask.authorization = match self.login.granted(scope) {
            Some(granted) => Some(granted),
            None => self.login.begin(&self.http, &self.home, scope).await?,
        };
        let answer = self.http.send(&ask).await?;
        // A host that the registry sent us on to has no claim to our login.
        if answer.status() != 401 || !self.home.is_home_of(&answer.url) {
            return Ok(answer);
        }
        ask.authorization = Some(self.login.answer(&self.http, &self.home, &answer, scope).await?);
        let answer = self.http.send(&ask).await?;
        if answer.status() == 401 && self.home.is_home_of(&answer.url) {
            return Err(self.login.refused(&self.home));
        }
        Ok(answer)
    }

    async fn ask_successfully(&self, ask: Ask, scope: &str) -> Result<Answer, SourceError> {
        let answer = self.ask(ask, scope).await?;
        if matches!(answer.status(), 200 | 206) { Ok(answer) } else { Err(answer.refusal().await) }
    }

    /// One page of a listing: its document, and where the next one is.
    async fn page(&self, url: Url, scope: &str) -> Result<(bytes::Bytes, Option<Url>), SourceError> {
        let answer = self.ask_successfully(Ask::get(url.clone()), scope).await?;
        let next = next_page(&answer, &url)?.filter(|next| self.home.is_home_of(next));
        Ok((answer.body(PAGE_BYTES).await?, next))
    }

    /// A listing, page by page.
    fn list<P: Page + Send>(&self, path: &str, scope: String) -> Listing<'_, String> {
        let start = (Some(self.home.at(path)), scope, 0);
        let pages = stream::try_unfold(start, move |(url, scope, empty)| async move {
            let Some(url) = url else { return Ok(None) };
            let what = url.path().to_owned();
            let (document, next) = self.page(url, &scope).await?;
            let page: P = serde_json::from_slice(&document)
                .map_err(|_| SourceError::NotASource(format!("the source's answer for {what} is no such listing")))?;
            let names = page.names();
            let empty = if names.is_empty() { empty + 1 } else { 0 };
            if empty > EMPTY_PAGES {
                return Err(SourceError::NotASource(format!("the source gives empty pages without end for {what}")));
            }
            Ok(Some((stream::iter(names.into_iter().map(|name| Ok(Entry::Is(name)))), (next, scope, empty))))
        });
        pages.try_flatten().boxed()
    }

    /// A page of the referrers of a manifest, and where the next one is. `None` where the registry does not have such.
    async fn referrers_page(
        &self,
        url: Url,
        repository: &RepositoryName,
    ) -> Result<Option<(Vec<Digest>, Option<Url>)>, SourceError> {
        let ask = Ask { accept: Some(OCI_INDEX), ..Ask::get(url.clone()) };
        let answer = self.ask(ask, &pull(repository)).await?;
        match answer.status() {
            200 => {}
            // Never 404 where there is such an endpoint; others that do not know it answer all kinds of things.
            400..=499 if answer.status() != 429 => return Ok(None),
            _ => return Err(answer.refusal().await),
        }
        let next = next_page(&answer, &url)?.filter(|next| self.home.is_home_of(next));
        let index = Manifest::parse(&answer.body(MAX_MANIFEST_BYTES).await?, Some(OCI_INDEX));
        let index = index.map_err(|error| SourceError::Unusable(format!("the list of referrers: {error}")))?;
        Ok(Some((index.manifests.into_iter().map(|descriptor| descriptor.digest).collect(), next)))
    }
}

/// A document that lists names.
trait Page: for<'de> Deserialize<'de> {
    fn names(self) -> Vec<String>;
}

#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

impl Page for Catalog {
    fn names(self) -> Vec<String> {
        self.repositories.unwrap_or_default()
    }
}

impl Page for Tags {
    fn names(self) -> Vec<String> {
        self.tags.unwrap_or_default()
    }
}

/// The scope that a pull needs, where a challenge names none.
fn pull(repository: &RepositoryName) -> String {
    format!("repository:{repository}:pull")
}

/// Where the next page is. A listing that cannot be followed is no listing: half of it would look like all.
fn next_page(answer: &Answer, url: &Url) -> Result<Option<Url>, SourceError> {
    let unusable =
        |why: &str| SourceError::NotASource(format!("the listing {} cannot be followed: {why}", answer.what));
    for value in answer.headers().get_all(::http::header::LINK) {
        let value = value.to_str().map_err(|_| unusable("its Link header is no text"))?;
        if let Some(target) = link::next(value).map_err(|error| unusable(&error.to_string()))? {
            let next = url.join(target).map_err(|_| unusable("the next page has no address"))?;
            if next == *url {
                return Err(unusable("a page names itself as the next one"));
            }
            if next.origin() != url.origin() {
                return Err(unusable("the next page is on another host"));
            }
            return Ok(Some(next));
        }
    }
    Ok(None)
}

/// A listed name as what it should be.
fn parsed<T, E: std::fmt::Display>(entry: Entry<String>, parse: impl FnOnce(&str) -> Result<T, E>) -> Entry<T> {
    match entry {
        Entry::Unusable { name, reason } => Entry::Unusable { name, reason },
        Entry::Is(name) => match parse(&name) {
            Ok(value) => Entry::Is(value),
            Err(error) => Entry::Unusable { name: clip(&name), reason: error.to_string() },
        },
    }
}

/// A manifest from an answer; `expected` where it was asked for by digest.
async fn read_manifest(answer: Answer, expected: Option<&Digest>) -> Result<SourceManifest, SourceError> {
    let content_type = answer.header("content-type").and_then(|text| MediaType::parse_header(text).ok());
    if content_type.as_ref().is_some_and(MediaType::is_schema1) {
        return Err(SourceError::Unusable(berth_oci::manifest::ManifestError::Schema1.to_string()));
    }
    // Some registries say only that it is JSON; the manifest knows better.
    let known = |media_type: &MediaType| media_type.is_manifest() || media_type.is_index();
    let media_type = content_type.filter(known).map(|media_type| media_type.as_str().to_owned());
    let said = answer.header("docker-content-digest").and_then(|text| Digest::parse(text).ok());
    let bytes = answer.body(MAX_MANIFEST_BYTES).await?;
    let expected = expected.or(said.as_ref());
    let digest = Digest::of(expected.map_or(Algorithm::Sha256, Digest::algorithm), &bytes);
    match expected {
        Some(expected) if *expected != digest => {
            Err(SourceError::WrongDigest { expected: expected.clone(), actual: digest })
        }
        _ => Ok(SourceManifest { digest, media_type, bytes }),
    }
}

#[async_trait]
impl Source for RegistrySource {
    fn repositories(&self) -> Listing<'_, RepositoryName> {
        if let Some(only) = &self.only {
            return stream::iter([Ok(Entry::Is(only.clone()))]).boxed();
        }
        let listed = self.list::<Catalog>(&format!("/v2/_catalog?n={PAGE}"), "registry:catalog:*".to_owned());
        let listed = listed.map_err(|error| match error {
            SourceError::Missing(_) | SourceError::Denied { .. } | SourceError::Login(_) => SourceError::Login(
                format!("the source does not list its repositories to us ({error}): name one with --repository"),
            ),
            other => other,
        });
        listed.map_ok(|entry| parsed(entry, RepositoryName::parse)).boxed()
    }

    fn roots<'a>(&'a self, repository: &'a RepositoryName) -> Listing<'a, Root> {
        let tags = self.list::<Tags>(&format!("/v2/{repository}/tags/list?n={PAGE}"), pull(repository));
        // A catalog names repositories that lost their last tag too.
        let known_by_name = self.only.is_some();
        let tags = tags.filter(move |tags| {
            let empty = matches!(tags, Err(SourceError::Missing(_)));
            std::future::ready(known_by_name || !empty)
        });
        tags.map_ok(|entry| parsed(entry, |name| Tag::parse(name).map(|tag| Root::Tag(tag, None)))).boxed()
    }

    async fn resolve(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, SourceError> {
        let url = self.home.at(&format!("/v2/{repository}/manifests/{tag}"));
        let ask = Ask { method: Method::HEAD, accept: Some(MANIFESTS), ..Ask::get(url) };
        let answer = self.ask_successfully(ask, &pull(repository)).await?;
        Ok(answer.header("docker-content-digest").and_then(|text| Digest::parse(text).ok()))
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<SourceManifest, SourceError> {
        let (text, expected) = match reference {
            Reference::Tag(tag) => (tag.to_string(), None),
            Reference::Digest(digest) => (digest.to_string(), Some(digest)),
        };
        let url = self.home.at(&format!("/v2/{repository}/manifests/{text}"));
        let ask = Ask { accept: Some(MANIFESTS), ..Ask::get(url) };
        read_manifest(self.ask_successfully(ask, &pull(repository)).await?, expected).await
    }

    async fn referrers(&self, repository: &RepositoryName, subject: &Digest) -> Result<Vec<Digest>, SourceError> {
        let mut found = Vec::new();
        let mut next = Some(self.home.at(&format!("/v2/{repository}/referrers/{subject}")));
        while let Some(url) = next.filter(|_| self.has_referrers.load(Ordering::Relaxed)) {
            if let Some((digests, further)) = self.referrers_page(url, repository).await? {
                found.extend(digests);
                next = further;
            } else {
                self.has_referrers.store(false, Ordering::Relaxed);
                next = None;
            }
        }
        Ok(found)
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest, offset: u64) -> Result<ByteStream, SourceError> {
        let url = self.home.at(&format!("/v2/{repository}/blobs/{digest}"));
        let answer = self.ask_successfully(Ask { offset, ..Ask::get(url) }, &pull(repository)).await?;
        match answer.status() {
            206 if offset > 0 && begins_at(&answer, offset) => Ok(answer.stream()),
            200 => Ok(without(answer.stream(), offset)),
            status => Err(SourceError::Status {
                what: answer.what,
                status,
                said: ": these are not the bytes that were asked for".to_owned(),
            }),
        }
    }
}

fn begins_at(answer: &Answer, offset: u64) -> bool {
    let range = answer.header("content-range").and_then(|text| berth_oci::range::ContentRange::parse(text).ok());
    range.is_some_and(|range| range.start == offset)
}

/// A stream without its first bytes, for registries that know no ranges.
fn without(stream: ByteStream, skip: u64) -> ByteStream {
    let rest = stream.scan(skip, |skip, chunk| {
        let kept = chunk.map(|mut chunk| {
            let cut = usize::try_from(*skip).unwrap_or(usize::MAX).min(chunk.len());
            *skip -= cut as u64;
            chunk.split_off(cut)
        });
        std::future::ready(Some(kept))
    });
    rest.boxed()
}
