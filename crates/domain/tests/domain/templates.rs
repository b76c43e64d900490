//! Repository creation templates, and the repositories that pushes make by them.

use std::time::Duration;

use berth_aws::ecr::Exception;
use berth_aws::ecr::shapes as s;
use berth_aws::protocol::Timestamp;
use berth_domain::settings::CreateOnPush;
use berth_domain::{Action, Caller, EcrError, Error};

use crate::lifecycle::policy;
use crate::registry::{TestRegistry, body, name};
use crate::repositories::{exception, pairs};

const ROLE: &str = "arn:aws:iam::000000000000:role/ecr";
const OPEN: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}}"#;

fn template(prefix: &str, applied_for: &str) -> s::CreateRepositoryCreationTemplateRequest {
    let (prefix, applied_for) = (prefix.to_owned(), vec![applied_for.to_owned()]);
    s::CreateRepositoryCreationTemplateRequest { prefix, applied_for, ..Default::default() }
}

fn full(prefix: &str) -> s::CreateRepositoryCreationTemplateRequest {
    s::CreateRepositoryCreationTemplateRequest {
        description: Some("everything".to_owned()),
        resource_tags: Some(vec![s::Tag { key: "team".to_owned(), value: "core".to_owned() }]),
        image_tag_mutability: Some("IMMUTABLE".to_owned()),
        repository_policy: Some(OPEN.to_owned()),
        lifecycle_policy: Some(policy(3)),
        custom_role_arn: Some(ROLE.to_owned()),
        ..template(prefix, "CREATE_ON_PUSH")
    }
}

async fn create(
    registry: &TestRegistry,
    request: s::CreateRepositoryCreationTemplateRequest,
) -> s::RepositoryCreationTemplate {
    registry.domain.create_template(&registry.admin, request).await.unwrap()
}

fn prefixes(templates: &[s::RepositoryCreationTemplate]) -> Vec<&str> {
    templates.iter().map(|template| template.prefix.as_deref().unwrap()).collect()
}

#[tokio::test]
async fn templates_are_made_listed_and_taken_away() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let made = create(&registry, full("prod/")).await;
    assert_eq!(made.prefix.as_deref(), Some("prod"), "a slash at the end is implied");
    assert_eq!((made.created_at, made.updated_at), (Some(at(&registry)), Some(at(&registry))));
    let plain = create(&registry, template("ROOT", "REPLICATION")).await;
    assert_eq!(plain.image_tag_mutability.as_deref(), Some("MUTABLE"));
    assert_eq!(plain.encryption_configuration.clone().unwrap().encryption_type, "AES256");
    create(&registry, template("prod/team", "CREATE_ON_PUSH")).await;
    let again = domain.create_template(admin, template("prod", "REPLICATION")).await;
    assert!(matches!(&again, Err(Error::Ecr(EcrError::TemplateExists(prefix))) if prefix == "prod"), "{again:?}");
    let page = domain.describe_templates_behind(admin, "", 2).await.unwrap();
    assert_eq!((prefixes(&page.items), page.more), (vec!["ROOT", "prod"], true));
    let page = domain.describe_templates_behind(admin, "prod", 2).await.unwrap();
    assert_eq!((prefixes(&page.items), page.more), (vec!["prod/team"], false));
    let asked = ["prod/".to_owned(), "none".to_owned(), "ROOT".to_owned()];
    assert_eq!(domain.describe_templates(admin, &asked).await.unwrap(), [made.clone(), plain]);
    assert_eq!(domain.delete_template(admin, "prod/").await.unwrap(), made);
    let again = domain.delete_template(admin, "prod").await;
    assert!(matches!(&again, Err(Error::Ecr(EcrError::TemplateUnknown(prefix))) if prefix == "prod"), "{again:?}");
}

fn at(registry: &TestRegistry) -> Timestamp {
    Timestamp(registry.domain.now().as_millis())
}

#[tokio::test]
async fn an_update_leaves_alone_what_it_does_not_name() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let made = create(&registry, full("prod")).await;
    registry.clock.advance(Duration::from_secs(5));
    let request =
        |prefix: &str| s::UpdateRepositoryCreationTemplateRequest { prefix: prefix.to_owned(), ..Default::default() };
    let text = |text: &str| Some(text.to_owned());
    let updated = domain.update_template(
        admin,
        s::UpdateRepositoryCreationTemplateRequest { description: text("new"), ..request("prod/") },
    );
    let expected = s::RepositoryCreationTemplate { description: text("new"), updated_at: Some(at(&registry)), ..made };
    assert_eq!(updated.await.unwrap(), expected);
    let emptied = s::UpdateRepositoryCreationTemplateRequest {
        repository_policy: text(""),
        lifecycle_policy: text(""),
        ..request("prod")
    };
    let expected = s::RepositoryCreationTemplate { repository_policy: None, lifecycle_policy: None, ..expected };
    assert_eq!(domain.update_template(admin, emptied).await.unwrap(), expected);
    // Tags without a role, a mode without its filters: what is left is checked as a whole.
    let wrong = [
        s::UpdateRepositoryCreationTemplateRequest { custom_role_arn: text(""), ..request("prod") },
        s::UpdateRepositoryCreationTemplateRequest {
            image_tag_mutability: text("IMMUTABLE_WITH_EXCLUSION"),
            ..request("prod")
        },
        s::UpdateRepositoryCreationTemplateRequest { lifecycle_policy: text("{}"), ..request("prod") },
        s::UpdateRepositoryCreationTemplateRequest { repository_policy: text("{}"), ..request("prod") },
    ];
    for wrong in wrong {
        let refused = domain.update_template(admin, wrong.clone()).await;
        let kind = if wrong.custom_role_arn.is_some() { Exception::Validation } else { Exception::InvalidParameter };
        assert_eq!(exception(refused), Some(kind), "{wrong:?}");
    }
    assert_eq!(domain.describe_templates(admin, &["prod".to_owned()]).await.unwrap(), [expected]);
    let none = domain.update_template(admin, request("none")).await;
    assert!(matches!(none, Err(Error::Ecr(EcrError::TemplateUnknown(_)))), "{none:?}");
}

#[tokio::test]
async fn there_are_no_more_templates_than_the_limit_allows() {
    let registry = TestRegistry::with(|settings| settings.creation_templates = 1).await;
    create(&registry, template("a", "CREATE_ON_PUSH")).await;
    let full = registry.domain.create_template(&registry.admin, template("b", "CREATE_ON_PUSH")).await;
    let is_full =
        |error: &EcrError| matches!(error, EcrError::LimitExceeded { limit: 1, setting: "creation_templates", .. });
    assert!(matches!(&full, Err(Error::Ecr(error)) if is_full(error)), "{full:?}");
}

/// What a repository was made with: mutability, tags, and whether it has a policy and a lifecycle policy.
async fn made_with(registry: &TestRegistry, repository: &str) -> (String, Vec<(String, String)>, bool, bool) {
    let (domain, admin, at) = (&registry.domain, &registry.admin, name(repository));
    let described = domain.describe_repositories(admin, std::slice::from_ref(&at)).await.unwrap();
    (
        described[0].mutability.mode_str().to_owned(),
        domain.tags_of_repository(admin, &at).await.unwrap(),
        domain.get_repository_policy(admin, &at).await.is_ok(),
        domain.get_lifecycle_policy(admin, &at).await.is_ok(),
    )
}

#[tokio::test]
async fn a_push_makes_its_repository_by_the_longest_template() {
    let registry = TestRegistry::new().await;
    create(&registry, full("prod")).await;
    create(&registry, template("prod/team", "CREATE_ON_PUSH")).await;
    // Longer, though for something else.
    create(&registry, template("prod/app", "REPLICATION")).await;
    registry.image("prod/app/a", "one", b"{}", &[]).await;
    registry.image("prod/team/a", "one", b"{}", &[]).await;
    registry.image("other", "one", b"{}", &[]).await;
    let whole = ("IMMUTABLE".to_owned(), pairs(&[("team", "core")]), true, true);
    let plain = ("MUTABLE".to_owned(), Vec::new(), false, false);
    assert_eq!(made_with(&registry, "prod/app/a").await, whole);
    assert_eq!(made_with(&registry, "prod/team/a").await, plain);
    assert_eq!(made_with(&registry, "other").await, plain);
    // Its policy counts from a second later on at the latest, whoever asked before.
    registry.clock.advance(Duration::from_secs(1));
    registry.domain.allow(&Caller::anonymous(), Action::BatchGetImage, &name("prod/app/a")).await.unwrap();
    // Repositories that are there stay as they are.
    registry.domain.delete_template(&registry.admin, "prod").await.unwrap();
    registry.image("prod/app/a", "two", b"{}", &[]).await;
    assert_eq!(made_with(&registry, "prod/app/a").await, whole);
}

#[tokio::test]
async fn where_templates_decide_a_push_makes_nothing_without_one() {
    let registry = TestRegistry::with(|settings| settings.create_on_push = CreateOnPush::ByTemplate).await;
    create(&registry, full("prod")).await;
    let unknown = registry.try_blob("dev/a", b"x").await;
    assert!(matches!(unknown, Err(Error::RepositoryUnknown(_))), "{unknown:?}");
    registry.image("prod/a", "one", b"{}", &[]).await;
    assert_eq!(made_with(&registry, "prod/a").await.0, "IMMUTABLE");
    create(&registry, template("ROOT", "CREATE_ON_PUSH")).await;
    registry.image("dev/a", "one", b"{}", &[]).await;
    assert_eq!(made_with(&registry, "dev/a").await.0, "MUTABLE");
}

#[tokio::test]
async fn where_templates_decide_whoever_pushes_must_have_the_right_to_make_one() {
    let registry = TestRegistry::with(|settings| settings.create_on_push = CreateOnPush::ByTemplate).await;
    create(&registry, template("prod", "CREATE_ON_PUSH")).await;
    let rights = |actions: &str| {
        format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":{actions},"Resource":"*"}}}}"#)
    };
    let push = r#""ecr:InitiateLayerUpload","ecr:UploadLayerPart","ecr:CompleteLayerUpload""#;
    let pusher = registry.user("pusher", Some(&rights(&format!("[{push}]")))).await;
    let maker = registry.user("maker", Some(&rights(&format!("[{push},\"ecr:CreateRepository\"]")))).await;
    let begin = async |caller: &Caller, repository: &str| {
        let (domain, repository, sha256) = (&registry.domain, name(repository), berth_oci::digest::Algorithm::Sha256);
        let id = domain.begin_upload(caller, &repository, sha256).await?;
        domain.append_to_upload(caller, &repository, &id, None, &mut body(b"x")).await
    };
    let refused = begin(&pusher, "prod/a").await;
    assert!(matches!(refused, Err(Error::Denied { action: "ecr:CreateRepository", .. })), "{refused:?}");
    let unknown = begin(&pusher, "dev/a").await;
    assert!(matches!(unknown, Err(Error::RepositoryUnknown(_))), "{unknown:?}");
    begin(&maker, "prod/a").await.unwrap();
    begin(&pusher, "prod/a").await.unwrap();
    // Whoever may push to what is there needs no more, not even a name.
    let anybody =
        format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":"*","Action":[{push}]}}}}"#);
    registry.domain.set_repository_policy(&registry.admin, &name("prod/a"), &anybody, true).await.unwrap();
    begin(&Caller::anonymous(), "prod/a").await.unwrap();
    assert!(matches!(begin(&Caller::anonymous(), "prod/b").await, Err(Error::Unauthenticated)));
}
