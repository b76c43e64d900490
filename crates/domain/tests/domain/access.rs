//! Nothing is done for a caller who may not: every operation of the domain is walked by callers without rights.

use std::collections::BTreeSet;

use berth_aws::AccountId;
use berth_aws::ecr::mutability::TagMutability;
use berth_aws::ecr::shapes as s;
use berth_domain::audit::LookupEvents;
use berth_domain::backup::{self, BackupError};
use berth_domain::federation::oidc_providers::NewOidcProvider;
use berth_domain::identity::Owner;
use berth_domain::identity::explain::Explain;
use berth_domain::identity::policies::{NewPolicy, PolicyScope};
use berth_domain::identity::principals::{NewPrincipal, PrincipalChange};
use berth_domain::identity::simulate::Simulation;
use berth_domain::identity::tags::Tagged;
use berth_domain::images::{ImageId, ImageKey, Push, PutImage, TagStatus};
use berth_domain::import::{ImportError, LeftOut, Options, Progress};
use berth_domain::repair::Spare;
use berth_domain::repositories::NewRepository;
use berth_domain::sts::AssumeRole;
use berth_domain::{Action, Caller, Error};
use berth_oci::digest::Algorithm;
use berth_oci::name::RepositoryName;
use berth_oci::tag::Tag;
use berth_store::identity::Kind;
use berth_store_blob::{FilesystemStore, ObjectArchive};
use berth_transfer::folder::LayoutSource;
use bytes::Bytes;

use crate::registries::{other, others, two_accounts};
use crate::registry::{TestRegistry, body, digest, image, name, reference};

/// Operations of the operator, who holds the data folder, and those that find out who a caller is.
const WITHOUT_CALLER: [&str; 44] = [
    "administrator",
    "audit_filled",
    "audit_head_stands",
    "audit_is_behind",
    "audit_lines",
    "audit_public_key",
    "audit_rows_after",
    "authenticate",
    "authenticate_bearer",
    "authenticate_download",
    "authenticate_signed",
    "blob_totals",
    "chain_audit",
    "collect_garbage",
    "collect_step",
    "ensure_administrator_key",
    "ensure_known_signer",
    "expire_uploads",
    "export_link",
    "export_links_from",
    "export_position",
    "flush_audit",
    "free_space",
    "gather_export",
    "give_back_claims",
    "give_back_export_lease",
    "last_exports",
    "operator_of",
    "pending_export",
    "plan_export",
    "ready",
    "repository_count",
    "reset_administrator_key",
    "retain_audit",
    "scrub",
    "seal_export",
    "set_administrator_key",
    "settle_export",
    "share_quotas",
    "take_export_lease",
    "verify",
    "verify_audit",
    "write_key_usage",
    "write_pull_times",
];
/// What a handle that was given to a caller who may is good for, and what decides nothing.
const AFTERWARDS: [&str; 11] = [
    "open",
    "blob_address",
    "in_registry",
    "now",
    "reach_by",
    "read_blob",
    "regions",
    "registry_of",
    "settings",
    "throttle",
    "throttle_call",
];
/// What everybody with credentials may do about themselves, and a token that opens nothing beyond what its holder may.
const FOR_EVERYBODY: [&str; 5] =
    ["assume_role_with_saml", "assume_role_with_web_identity", "caller_identity", "get_session_token", "issue_bearer"];

/// Calls every operation that takes a caller; the answers by the operation's name.
async fn walk(registry: &TestRegistry, caller: &Caller, repository: &str) -> Vec<(&'static str, Result<(), Error>)> {
    let mut answers = of_registry(registry, caller, &name(repository)).await;
    answers.push(("allow_figures", registry.domain.allow_figures(caller)));
    answers.push(("lookup_events", registry.domain.lookup_events(caller, LookupEvents::default()).await.map(drop)));
    answers.extend(identities(registry, caller).await);
    answers.push(("import", import(registry, caller).await));
    answers.extend(keeping(registry, caller).await);
    answers
}

/// What is done to a registry and its repositories.
async fn of_registry(
    registry: &TestRegistry,
    caller: &Caller,
    repository: &RepositoryName,
) -> Vec<(&'static str, Result<(), Error>)> {
    let domain = &registry.domain;
    let (blob, tag) = (digest(b"layer"), reference("one"));
    let id = domain.begin_upload(&registry.admin, repository, Algorithm::Sha256).await.unwrap();
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
        check_blob(repository, &blob),
        get_blob(repository, &blob),
        resolve(repository, &tag),
        get_manifest(repository, &tag),
        referrers(repository, &blob, None, ""),
        list_tags(repository, "", 10),
        tag_history(repository, &Tag::parse("one").unwrap(), 10),
        image_sizes(repository, 0, 10),
        catalog("", 10),
        repository_sizes("", 10),
        begin_upload(repository, Algorithm::Sha256),
        upload_status(repository, &id),
        append_to_upload(repository, &id, None, &mut body(b"x")),
        finish_upload(repository, &id, None, &mut body(b"y"), &digest(b"xy")),
        cancel_upload(repository, &id),
        mount_blob(repository, &blob, None),
        push_manifest(repository, push),
        delete_manifest(repository, &tag),
        delete_blob(repository, &blob),
    ];
    answers.extend(images_by_ecr(registry, caller, repository).await);
    answers.push(("allow_catalog", domain.allow_catalog(caller).await));
    answers.push(("allow", domain.allow(caller, Action::BatchGetImage, repository).await));
    answers
        .push(("allow_beforehand", domain.allow_beforehand(&caller.clone(), Action::BatchGetImage, repository).await));
    answers.extend(policies(registry, caller, repository).await);
    answers.extend(ecr(registry, caller, repository).await);
    let unserved = domain.unserved_on_repository(caller, Action::StartImageScan, repository).await;
    answers.push(("unserved_on_repository", unserved));
    answers.push(("unserved_on_registry", domain.unserved_on_registry(caller, "ecr:PutSigningConfiguration").await));
    answers
}

/// What only the API of ECR does with images and layers.
async fn images_by_ecr(
    registry: &TestRegistry,
    caller: &Caller,
    repository: &RepositoryName,
) -> Vec<(&'static str, Result<(), Error>)> {
    let (domain, blob) = (&registry.domain, digest(b"layer"));
    let ids = [ImageId { digest: None, tag: Some(Tag::parse("one").unwrap()) }];
    let id = domain.begin_layer_upload(&registry.admin, repository).await.unwrap();
    let put = PutImage {
        manifest: Bytes::from(image(b"{}", &[b"layer"])),
        media_type: None,
        digest: None,
        tag: Some(Tag::parse("three").unwrap()),
    };
    macro_rules! answers {
        ($($operation:ident($($argument:expr),*)),* $(,)?) => {
            vec![$((stringify!($operation), domain.$operation(caller, $($argument),*).await.map(drop))),*]
        };
    }
    let blobs = [blob.clone()];
    let address = domain.layer_address(caller, repository, &blob).await.map(drop);
    let mut answers = answers![
        list_images(repository, TagStatus::Any, &ImageKey::default(), 10),
        describe_images(repository, &ids),
        describe_images_behind(repository, TagStatus::Any, "", 10),
        get_images(repository, &ids, &[]),
        delete_images(repository, &ids),
        put_image(repository, put),
        image_referrers(repository, &blob, &[], "", 10),
        layer_availability(repository, &blobs),
        begin_layer_upload(repository),
        upload_layer_part(repository, &id, 0, 0, Bytes::from_static(b"x")),
        complete_layer_upload(repository, &id, &blobs),
    ];
    answers.push(("layer_address", address));
    answers
}

/// What is managed of identities.
#[allow(clippy::too_many_lines, reason = "one line or two for each operation")]
async fn identities(registry: &TestRegistry, caller: &Caller) -> Vec<(&'static str, Result<(), Error>)> {
    let (domain, user, role) = (&registry.domain, Owner::user("administrator"), Owner::role("none"));
    let other = AccountId::parse("111111111111").unwrap();
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let arn = "arn:aws:iam::000000000000:policy/none";
    let provider = "arn:aws:iam::000000000000:oidc-provider/a.example";
    let saml = "arn:aws:iam::000000000000:saml-provider/corp";
    let new = || NewPrincipal {
        owner: Owner::user("somebody"),
        path: "/".to_owned(),
        boundary: None,
        tags: Vec::new(),
        role: None,
    };
    let policy = || NewPolicy {
        name: "new".to_owned(),
        path: "/".to_owned(),
        description: None,
        document: document.to_owned(),
        tags: Vec::new(),
    };
    let explain = Explain {
        principal_arn: "arn:aws:iam::000000000000:user/administrator".to_owned(),
        action: "ecr:PutImage".to_owned(),
        resource: "*".to_owned(),
        context: Vec::new(),
        endpoint: None,
    };
    let assume = AssumeRole {
        role_arn: "arn:aws:iam::000000000000:role/none".to_owned(),
        session_name: "session".to_owned(),
        ..AssumeRole::default()
    };
    let change = PrincipalChange::default();
    let tagged = Tagged::Principal(user.clone());
    macro_rules! answers {
        ($($operation:ident($($argument:expr),*)),* $(,)?) => {
            vec![$((stringify!($operation), domain.$operation(caller, $($argument),*).await.map(drop))),*]
        };
    }
    let mut answers = answers![
        create_principal(new()),
        get_principal(&user),
        list_principals(Kind::User, "/", "", 10),
        update_principal("iam:UpdateUser", &user, change),
        delete_principal(&user),
        add_to_group("group", "administrator"),
        remove_from_group("group", "administrator"),
        groups_of("administrator", "", 10),
        members_of("group", "", 10),
        tag(&tagged, vec![("key".to_owned(), "value".to_owned())]),
        untag(&tagged, vec!["key".to_owned()]),
        tags_of(&tagged),
        set_boundary(&role, None),
        put_inline_policy(&user, "name", document),
        get_inline_policy(&user, "name"),
        list_inline_policies(&user),
        delete_inline_policy(&user, "name"),
        create_policy(policy()),
        get_policy(arn),
        list_policies(PolicyScope::All, "/", "", 10),
        delete_policy(arn),
        create_policy_version(arn, document, true),
        get_policy_version(arn, 1),
        list_policy_versions(arn),
        set_default_policy_version(arn, 1),
        delete_policy_version(arn, 1),
        attach_policy(&user, arn),
        detach_policy(&user, arn),
        attached_policies(&user),
        entities_of(arn),
        create_access_key("administrator"),
        list_access_keys("administrator"),
        set_access_key_active("administrator", "AKIAAAAAAAAAAAAAAAAA", false),
        delete_access_key("administrator", "AKIAAAAAAAAAAAAAAAAA"),
        access_key_last_used("AKIAAAAAAAAAAAAAAAAA"),
        account_of_key("AKIAAAAAAAAAAAAAAAAA"),
        create_account(&other),
        list_accounts("", 10),
        delete_account(&other),
        account_alias(),
        set_account_alias("alias"),
        delete_account_alias("alias"),
        account_summary(),
        principal_details(Kind::User, "", 10),
        policy_details("", 10),
        managed_policy_details("", 10),
        simulate_principal("arn:aws:iam::000000000000:user/administrator", Simulation::default()),
        context_keys_of("arn:aws:iam::000000000000:user/administrator", &[]),
        explain_access(explain),
        assume_role(assume),
        create_oidc_provider(NewOidcProvider { url: "https://a.example".to_owned(), ..NewOidcProvider::default() }),
        get_oidc_provider(provider),
        list_oidc_providers(),
        delete_oidc_provider(provider),
        add_oidc_client_id(provider, "a"),
        remove_oidc_client_id(provider, "a"),
        set_oidc_thumbprints(provider, Vec::new()),
        tag_oidc_provider(provider, Vec::new()),
        untag_oidc_provider(provider, Vec::new()),
        tags_of_oidc_provider(provider),
        create_saml_provider("corp", String::new(), Vec::new()),
        saml_provider(saml),
        saml_providers(),
        update_saml_provider(saml, None),
        delete_saml_provider(saml),
        tag_saml_provider(saml, Vec::new()),
        untag_saml_provider(saml, Vec::new()),
        saml_provider_tags(saml),
    ];
    answers.push(("get_authorization_token", domain.get_authorization_token(caller).map(drop)));
    answers.push(("simulate_custom", domain.simulate_custom(caller, &Simulation::default()).map(drop)));
    answers.push(("context_keys", domain.context_keys(caller, &[]).map(drop)));
    answers
}

/// What is said about repositories and the registry by policies of their own.
async fn policies(
    registry: &TestRegistry,
    caller: &Caller,
    repository: &RepositoryName,
) -> Vec<(&'static str, Result<(), Error>)> {
    let domain = &registry.domain;
    vec![
        ("set_repository_policy", domain.set_repository_policy(caller, repository, "{}", false).await),
        ("get_repository_policy", domain.get_repository_policy(caller, repository).await.map(drop)),
        ("delete_repository_policy", domain.delete_repository_policy(caller, repository).await.map(drop)),
        ("tag_repository", domain.tag_repository(caller, repository, Vec::new()).await),
        ("untag_repository", domain.untag_repository(caller, repository, vec!["key".to_owned()]).await),
        ("tags_of_repository", domain.tags_of_repository(caller, repository).await.map(drop)),
        ("set_registry_policy", domain.set_registry_policy(caller, "{}".to_owned()).await),
        ("get_registry_policy", domain.get_registry_policy(caller).await.map(drop)),
        ("delete_registry_policy", domain.delete_registry_policy(caller).await.map(drop)),
    ]
}

/// What ECR's API makes of repositories and sets for the registry.
async fn ecr(
    registry: &TestRegistry,
    caller: &Caller,
    repository: &RepositoryName,
) -> Vec<(&'static str, Result<(), Error>)> {
    let (domain, names) = (&registry.domain, std::slice::from_ref(repository));
    let new = NewRepository {
        name: repository.clone(),
        mutability: TagMutability::default(),
        scan_on_push: false,
        encryption: None,
        tags: Vec::new(),
    };
    macro_rules! answers {
        ($($operation:ident($($argument:expr),*)),* $(,)?) => {
            vec![$((stringify!($operation), domain.$operation(caller, $($argument),*).await.map(drop))),*]
        };
    }
    let mut answers = answers![
        create_repository(new),
        describe_repositories(names),
        describe_repositories_behind("", 10),
        put_tag_mutability(repository, TagMutability::default()),
        put_scan_on_push(repository, true),
        put_lifecycle_policy(repository, "{}"),
        get_lifecycle_policy(repository),
        delete_lifecycle_policy(repository),
        repository_scanning(names),
        create_template(s::CreateRepositoryCreationTemplateRequest::default()),
        update_template(s::UpdateRepositoryCreationTemplateRequest::default()),
        delete_template("a"),
        describe_templates(&[]),
        describe_templates_behind("", 10),
        get_account_setting("BLOB_MOUNTING"),
        put_account_setting("BLOB_MOUNTING", "ENABLED"),
        register_exclusion("none"),
        deregister_exclusion("none"),
        list_exclusions("", 10),
        put_replication(s::ReplicationConfiguration::default()),
        describe_registry(),
        put_registry_scanning(None, None),
        get_registry_scanning(),
        put_signing(s::SigningConfiguration::default()),
        get_signing(),
        delete_signing(),
        create_pull_through_rule(s::CreatePullThroughCacheRuleRequest::default()),
        update_pull_through_rule(s::UpdatePullThroughCacheRuleRequest::default()),
        delete_pull_through_rule("a"),
        describe_pull_through_rules(&[]),
        describe_pull_through_rules_behind("", 10),
        delete_repository(repository, true),
    ];
    let unserved = domain.unserved_on_repository::<()>(caller, Action::StartImageScan, repository).await;
    answers.push(("unserved_on_repository", unserved));
    let unserved = domain.unserved_on_registry::<()>(caller, "ecr:StartReplicationBackfill").await;
    answers.push(("unserved_on_registry", unserved));
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
    let caller = registry.user("nobody", None).await;
    for repository in ["open/a", "closed/a"] {
        for (operation, answer) in walk(&registry, &caller, repository).await {
            assert!(matches!(answer, Err(Error::Denied { .. })), "{operation}: {answer:?}");
        }
    }
    assert_eq!(registry.tags("closed/a").await, ["one"]);
}

/// Rights in one's own account are none in another's registry.
#[tokio::test]
async fn a_principal_with_every_right_may_do_nothing_in_another_account() {
    let (mut registry, _) = two_accounts().await;
    let every = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let caller = registry.user("mighty", Some(every)).await;
    registry.domain = others(&registry.domain).await;
    registry.admin = registry.domain.operator_of(&other());
    for repository in ["open/a", "closed/a"] {
        registry.image(repository, "one", b"{}", &[b"layer"]).await;
        for (operation, answer) in of_registry(&registry, &caller, &name(repository)).await {
            assert!(matches!(answer, Err(Error::Denied { .. })), "{operation}: {answer:?}");
        }
    }
    assert_eq!(registry.tags("closed/a").await, ["one"]);
}

#[tokio::test]
async fn a_stranger_may_pull_what_is_open_and_nothing_else() {
    let registry = filled().await;
    for (operation, answer) in walk(&registry, &Caller::anonymous(), "closed/a").await {
        let lists_what_is_open = matches!(operation, "catalog" | "allow_catalog" | "describe_repositories_behind");
        let is_right = matches!((&answer, lists_what_is_open), (Ok(()), true) | (Err(Error::Unauthenticated), false));
        assert!(is_right, "{operation}: {answer:?}");
    }
    let pulls = [
        "allow",
        "allow_beforehand",
        "allow_catalog",
        "catalog",
        "check_blob",
        "describe_repositories",
        "describe_repositories_behind",
        "get_blob",
        "get_images",
        "get_manifest",
        "image_sizes",
        "layer_address",
        "layer_availability",
        "list_images",
        "list_tags",
        "referrers",
        "resolve",
        "tag_history",
    ];
    for (operation, answer) in walk(&registry, &Caller::anonymous(), "open/a").await {
        let is_right =
            matches!((&answer, pulls.contains(&operation)), (Ok(()), true) | (Err(Error::Unauthenticated), false));
        assert!(is_right, "{operation}: {answer:?}");
    }
    let seen = registry.domain.catalog(&Caller::anonymous(), "", 10).await.unwrap().items;
    assert_eq!(seen.iter().map(RepositoryName::as_str).collect::<Vec<_>>(), ["open/a"]);
}

#[tokio::test]
async fn a_closed_registry_shows_strangers_no_catalog() {
    let registry = TestRegistry::new().await;
    registry.image("a", "one", b"{}", &[]).await;
    for (operation, answer) in walk(&registry, &Caller::anonymous(), "a").await {
        assert!(matches!(answer, Err(Error::Unauthenticated)), "{operation}: {answer:?}");
    }
}

#[tokio::test]
async fn a_stranger_mounts_nothing_into_what_is_open() {
    let registry = filled().await;
    let blob = digest(b"layer");
    let answer = registry.domain.mount_blob(&Caller::anonymous(), &name("open/b"), &blob, Some(&name("open/a"))).await;
    assert!(matches!(answer, Err(Error::Unauthenticated)), "{answer:?}");
}

/// A new operation has to join the walk, or to be named above with a reason.
#[tokio::test]
async fn the_walk_is_complete() {
    let registry = filled().await;
    let walked: BTreeSet<String> =
        walk(&registry, &Caller::anonymous(), "open/a").await.iter().map(|(name, _)| (*name).to_owned()).collect();
    let known: BTreeSet<String> = walked
        .into_iter()
        .chain(WITHOUT_CALLER.iter().chain(&AFTERWARDS).chain(&FOR_EVERYBODY).map(|name| (*name).to_owned()))
        .collect();
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
