//! Scopes of bearer tokens (Docker's "Token Scope Documentation"): `repository:NAME:ACTION,...` and `registry:catalog:*`.
//! They only ever narrow what policies allow.

use berth_oci::digest::Digest;
use berth_oci::name::RepositoryName;
use berth_store::repositories::Registry;

use crate::Domain;
use crate::caller::{Action, Caller};
use crate::error::Error;

/// Scopes of one token; what is asked beyond is not granted.
pub const MAX_SCOPES: usize = 100;

/// What a token may be used for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Scope {
    /// Something in one repository.
    Repository {
        /// Its name.
        name: String,
        /// Reading.
        pull: bool,
        /// Uploading.
        push: bool,
        /// Taking away.
        delete: bool,
    },
    /// Listing repositories.
    Catalog,
    /// Downloading one blob, and nothing else: never asked for, only handed out (ECR `GetDownloadUrlForLayer`).
    Layer {
        /// The account of the registry.
        account: String,
        /// Its region.
        region: String,
        /// The repository's name.
        name: String,
        /// The digest.
        digest: String,
    },
}

impl Scope {
    /// Reads one scope; `None` where it is of no kind that is known here. `*` stands for every action, never for a name.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        match kind {
            "registry" if name == "catalog" && actions == "*" => Some(Self::Catalog),
            "repository" | "repository(plugin)" => {
                let name = RepositoryName::parse(name).ok()?;
                let asks = |wanted: &str| actions.split(',').any(|action| action == wanted || action == "*");
                let (pull, push, delete) = (asks("pull"), asks("push"), asks("delete"));
                Some(Self::Repository { name: name.as_str().to_owned(), pull, push, delete })
            }
            _ => None,
        }
    }

    const fn is_layer(&self) -> bool {
        matches!(self, Self::Layer { .. })
    }

    /// Whether it covers an action on a repository.
    pub(crate) fn covers(&self, action: Action, on: &RepositoryName) -> bool {
        match self {
            Self::Catalog => action == Action::DescribeRepositories,
            Self::Layer { name, .. } => name == on.as_str() && action == Action::GetDownloadUrlForLayer,
            Self::Repository { name, pull, push, delete } => {
                name == on.as_str()
                    && match action {
                        Action::BatchGetImage
                        | Action::GetDownloadUrlForLayer
                        | Action::ListImages
                        | Action::DescribeRepositories => *pull,
                        Action::BatchCheckLayerAvailability => *pull || *push,
                        Action::InitiateLayerUpload
                        | Action::UploadLayerPart
                        | Action::CompleteLayerUpload
                        | Action::PutImage
                        // A push may make its repository.
                        | Action::CreateRepository => *push,
                        Action::BatchDeleteImage => *delete,
                        _ => false,
                    }
            }
        }
    }
}

/// To what a token is narrowed.
#[derive(Debug)]
pub(crate) struct Narrowing {
    /// What it opens.
    pub(crate) scopes: Vec<Scope>,
    /// Account and region of the registry that it was made for; the server's own where none is named.
    pub(crate) registry: Option<(String, String)>,
}

/// The scope of one blob.
pub(crate) fn layer(registry: &Registry, name: &RepositoryName, digest: &Digest) -> Scope {
    Scope::Layer {
        account: registry.account.as_str().to_owned(),
        region: registry.region.as_str().to_owned(),
        name: name.as_str().to_owned(),
        digest: digest.to_string(),
    }
}

/// Goes on where what the caller showed opens this blob too. What is narrowed to one blob opens no other.
pub(crate) fn ensure_opens(
    caller: &Caller,
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<(), Error> {
    match caller.narrowing.as_ref().map(|narrowing| &narrowing.scopes) {
        Some(scopes) if scopes.contains(&layer(registry, name, digest)) => Ok(()),
        _ => ensure_wide(caller),
    }
}

/// Goes on where what the caller showed is good for more than downloading one blob, or `action` is that.
pub(crate) fn ensure_covers(caller: &Caller, action: &str) -> Result<(), Error> {
    if action == Action::GetDownloadUrlForLayer.as_str() { Ok(()) } else { ensure_wide(caller) }
}

/// Goes on where what the caller showed is good for more than downloading one blob.
pub(crate) fn ensure_wide(caller: &Caller) -> Result<(), Error> {
    let is_narrow = caller.narrowing.as_ref().is_some_and(|narrowing| narrowing.scopes.iter().any(Scope::is_layer));
    if is_narrow { Err(Error::OutOfScope) } else { Ok(()) }
}

/// Reads what a client asks for: values of the query's `scope`, each of which may hold several with spaces between them.
pub fn asked<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Scope> {
    values.flat_map(str::split_whitespace).take(MAX_SCOPES).filter_map(Scope::parse).collect()
}

impl Domain {
    /// Whether what a caller showed opens something here: a token does where one of its scopes fits, in its own registry;
    /// other credentials do.
    pub(crate) fn is_covered(&self, caller: &Caller, fits: impl Fn(&Scope) -> bool) -> bool {
        let Some(narrowing) = &caller.narrowing else { return true };
        let here = &self.settings.registry;
        let is_made_for_here = narrowing.registry.as_ref().map_or(*here == self.home, |(account, region)| {
            account == here.account.as_str() && region == here.region.as_str()
        });
        is_made_for_here && narrowing.scopes.iter().any(fits)
    }

    /// Of the scopes that a client asks for, what the caller may do: the intersection.
    pub(crate) async fn granted_scopes(&self, caller: &Caller, asked: Vec<Scope>) -> Result<Vec<Scope>, Error> {
        let mut granted = Vec::with_capacity(asked.len());
        for scope in asked.into_iter().filter(|scope| !scope.is_layer()) {
            let Scope::Repository { name, pull, push, delete } = scope else {
                if !caller.is_anonymous() || !self.anonymous.is_empty() {
                    granted.push(scope);
                }
                continue;
            };
            let Ok(on) = RepositoryName::parse(&name) else { continue };
            let pull = pull && self.may(caller, Action::BatchGetImage, &on).await?;
            let push = push && self.may(caller, Action::InitiateLayerUpload, &on).await?;
            let delete = delete && self.may(caller, Action::BatchDeleteImage, &on).await?;
            if pull || push || delete {
                granted.push(Scope::Repository { name, pull, push, delete });
            }
        }
        Ok(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(name: &str, pull: bool, push: bool, delete: bool) -> Scope {
        Scope::Repository { name: name.to_owned(), pull, push, delete }
    }

    #[test]
    fn scopes_are_read() {
        let table = [
            ("repository:a/b:pull", Some(repository("a/b", true, false, false))),
            ("repository:a:pull,push", Some(repository("a", true, true, false))),
            ("repository:a:*", Some(repository("a", true, true, true))),
            ("repository:a:fly", Some(repository("a", false, false, false))),
            ("registry:catalog:*", Some(Scope::Catalog)),
            ("repository:*:*", None),
            ("repository:A:pull", None),
            ("registry:other:*", None),
            ("repository", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(Scope::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_scope_covers_its_repository_and_its_actions_only() {
        let name = |text| RepositoryName::parse(text).unwrap();
        let pull = repository("a", true, false, false);
        assert!(pull.covers(Action::BatchGetImage, &name("a")));
        assert!(!pull.covers(Action::PutImage, &name("a")));
        assert!(!pull.covers(Action::BatchGetImage, &name("b")));
        assert!(!Scope::Catalog.covers(Action::BatchGetImage, &name("a")));
        assert!(!repository("a", true, true, true).covers(Action::SetRepositoryPolicy, &name("a")));
    }

    #[test]
    fn the_number_of_scopes_is_bounded() {
        let many = "repository:a:pull ".repeat(1000);
        assert_eq!(asked([many.as_str()].into_iter()).len(), MAX_SCOPES);
    }
}
