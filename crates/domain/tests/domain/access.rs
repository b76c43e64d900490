//! Nothing is done for a caller who may not: every operation of the domain is walked by callers without rights.

use std::collections::BTreeSet;

use berth_domain::backup::{self, BackupError};
use berth_domain::images::Push;
use berth_domain::import::{ImportError, LeftOut, Options, Progress};
use berth_domain::repair::Spare;
use berth_domain::{Caller, Error};
use berth_oci::digest::Algorithm;
use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;
use berth_store_blob::{FilesystemStore, ObjectArchive};
use berth_transfer::folder::LayoutSource;
use bytes::Bytes;

use crate::registry::{TestRegistry, body, digest, image, name, reference};

/// Operations of the operator, who holds the data folder, and those that find out who a caller is.
const WITHOUT_CALLER: [&str; 17] = [
    "administrator",
    "anonymous_token",
    "authenticate",
    "authenticate_token",
    "blob_totals",
    "collect_garbage",
    "collect_step",
    "ensure_administrator_key",
    "expire_uploads",
    "free_space",
    "ready",
    "repository_count",
    "reset_administrator_key",
    "scrub",
    "set_administrator_key",
    "token_for",
    "verify",
];
/// What a handle that was given to a caller who may is good for, and what decides nothing.
const AFTERWARDS: [&str; 4] = ["open", "blob_address", "read_blob", "settings"];

/// Calls every operation that takes a caller; the answers by the operation's name.
async fn walk(registry: &TestRegistry, caller: &Caller, repository: &str) -> Vec<(&'static str, Result<(), Error>)> {
    let (domain, repository) = (&registry.domain, name(repository));
    let (blob, tag) = (digest(b"layer"), reference("one"));
    let id = domain.begin_upload(&registry.admin, &repository, Algorithm::Sha256).await.unwrap();
    let push = Push {
        reference: reference("two"),
        tags: Vec::new(),
        content_type: None,
        bytes: Bytes::from(image(b"{}", &[b"layer"])),
    };
    macro_rules! answers {
        ($($operation:ident($($argument:expr),*)),* $(,)?) => {
            vec![$((stringify!($operation), domain.$operation(caller, $($argument),*).await.map(drop))),*]
        };
    }
    let mut answers = answers![
        check_blob(&repository, &blob),
        get_blob(&repository, &blob),
        resolve(&repository, &tag),
        get_manifest(&repository, &tag),
        referrers(&repository, &blob, None, ""),
        list_tags(&repository, "", 10),
        tag_history(&repository, &Tag::parse("one").unwrap(), 10),
        image_sizes(&repository, 0, 10),
        catalog("", 10),
        repository_sizes("", 10),
        begin_upload(&repository, Algorithm::Sha256),
        upload_status(&repository, &id),
        append_to_upload(&repository, &id, None, &mut body(b"x")),
        finish_upload(&repository, &id, None, &mut body(b"y"), &digest(b"xy")),
        cancel_upload(&repository, &id),
        mount_blob(&repository, &blob, None),
        push_manifest(&repository, push),
        delete_manifest(&repository, &tag),
        delete_blob(&repository, &blob),
    ];
    answers.push(("allow_catalog", domain.allow_catalog(caller)));
    answers.push(("import", import(registry, caller).await));
    answers.extend(keeping(registry, caller).await);
    answers
}

/// What operators do for keeping content.
async fn keeping(registry: &TestRegistry, caller: &Caller) -> Vec<(&'static str, Result<(), Error>)> {
    let (domain, folder) = (&registry.domain, tempfile::tempdir().unwrap());
    let archive = ObjectArchive::folder(folder.path()).unwrap();
    let scratch = || tempfile::tempfile().unwrap();
    let refused = |error| match error {
        BackupError::Registry(error) => error,
        other => panic!("{other}"),
    };
    let backed_up = domain.back_up(caller, &archive, scratch(), None, &Silent).await;
    let repaired = domain.repair(caller, Vec::new(), &Spare::Backups(&archive), &scratch()).await;
    let store = FilesystemStore::open(folder.path().join("store")).unwrap();
    vec![
        ("back_up", backed_up.map(drop).map_err(refused)),
        ("repair", repaired.map(drop).map_err(refused)),
        ("rebuild", domain.rebuild(caller, &name("open/a"), &mut crate::keeping::Hashed::default()).await.map(drop)),
        ("move_blobs", domain.move_blobs(caller, &store, &store, &Silent).await.map(drop)),
    ]
}

/// An import from a layout that is empty.
async fn import(registry: &TestRegistry, caller: &Caller) -> Result<(), Error> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    std::fs::write(folder.path().join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    let source = LayoutSource::open(folder.path(), name("empty")).unwrap();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    match registry.domain.import(caller, &source, &Options::default(), &Silent, stopped).await.1 {
        Err(ImportError::Registry(error)) => Err(error),
        other => panic!("{other:?}"),
    }
}

/// Hears nothing.
struct Silent;

impl Progress for Silent {
    fn repository(&self, _: &RepositoryName) {}
    fn read(&self, _: u64) {}
    fn image(&self) {}
    fn left_out(&self, _: &LeftOut) {}
}

impl backup::Progress for Silent {
    fn expect(&self, _: u64) {}
    fn done(&self, _: u64) {}
}

async fn filled() -> TestRegistry {
    let registry = TestRegistry::with(|settings| settings.anonymous_pull = vec!["open/*".to_owned()]).await;
    for repository in ["open/a", "closed/a"] {
        registry.image(repository, "one", b"{}", &[b"layer"]).await;
    }
    registry
}

#[tokio::test]
async fn a_principal_without_rights_may_do_nothing() {
    let registry = filled().await;
    let caller = Caller::Powerless { principal: "arn:aws:iam::000000000000:user/nobody".to_owned() };
    for repository in ["open/a", "closed/a"] {
        for (operation, answer) in walk(&registry, &caller, repository).await {
            assert!(matches!(answer, Err(Error::Denied { .. })), "{operation}: {answer:?}");
        }
    }
    assert_eq!(registry.tags("closed/a").await, ["one"]);
}

#[tokio::test]
async fn a_stranger_may_pull_what_is_open_and_nothing_else() {
    let registry = filled().await;
    for (operation, answer) in walk(&registry, &Caller::Anonymous, "closed/a").await {
        let lists_what_is_open = matches!(operation, "catalog" | "allow_catalog");
        let is_right = matches!((&answer, lists_what_is_open), (Ok(()), true) | (Err(Error::Unauthenticated), false));
        assert!(is_right, "{operation}: {answer:?}");
    }
    let pulls = [
        "allow_catalog",
        "catalog",
        "check_blob",
        "get_blob",
        "get_manifest",
        "image_sizes",
        "list_tags",
        "referrers",
        "resolve",
        "tag_history",
    ];
    for (operation, answer) in walk(&registry, &Caller::Anonymous, "open/a").await {
        let is_right =
            matches!((&answer, pulls.contains(&operation)), (Ok(()), true) | (Err(Error::Unauthenticated), false));
        assert!(is_right, "{operation}: {answer:?}");
    }
    let seen = registry.domain.catalog(&Caller::Anonymous, "", 10).await.unwrap().items;
    assert_eq!(seen.iter().map(RepositoryName::as_str).collect::<Vec<_>>(), ["open/a"]);
}

#[tokio::test]
async fn a_closed_registry_shows_strangers_no_catalog() {
    let registry = TestRegistry::new().await;
    registry.image("a", "one", b"{}", &[]).await;
    for (operation, answer) in walk(&registry, &Caller::Anonymous, "a").await {
        assert!(matches!(answer, Err(Error::Unauthenticated)), "{operation}: {answer:?}");
    }
}

#[tokio::test]
async fn a_stranger_mounts_nothing_into_what_is_open() {
    let registry = filled().await;
    let blob = digest(b"layer");
    let answer = registry.domain.mount_blob(&Caller::Anonymous, &name("open/b"), &blob, Some(&name("open/a"))).await;
    assert!(matches!(answer, Err(Error::Unauthenticated)), "{answer:?}");
}

/// A new operation has to join the walk, or to be named above with a reason.
#[tokio::test]
async fn the_walk_is_complete() {
    let registry = filled().await;
    let walked: BTreeSet<String> =
        walk(&registry, &Caller::Anonymous, "open/a").await.iter().map(|(name, _)| (*name).to_owned()).collect();
    let known: BTreeSet<String> =
        walked.into_iter().chain(WITHOUT_CALLER.iter().chain(&AFTERWARDS).map(|name| (*name).to_owned())).collect();
    assert_eq!(operations(), known);
}

/// The public functions of `impl Domain` in the sources.
fn operations() -> BTreeSet<String> {
    let mut files = Vec::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { files.push(std::fs::read_to_string(path).unwrap()) }
        }
    }
    let mut found = BTreeSet::new();
    for text in files {
        for block in text.split("\nimpl Domain {").skip(1) {
            let block = block.split("\n}\n").next().unwrap();
            for line in block.lines() {
                let declared = line.strip_prefix("    pub async fn ").or_else(|| line.strip_prefix("    pub fn "));
                found.extend(declared.map(|rest| rest.split(['(', '<']).next().unwrap().to_owned()));
            }
        }
    }
    found
}
