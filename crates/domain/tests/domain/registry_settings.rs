//! What is set for a registry as a whole.

use std::time::Duration;

use berth_aws::ecr::Exception;
use berth_aws::ecr::mutability::TagMutability;
use berth_aws::ecr::shapes as s;
use berth_domain::repositories::NewRepository;
use berth_domain::uploads::Mount;
use berth_domain::{EcrError, Error};

use crate::registry::{TestRegistry, digest, name};
use crate::repositories::{exception, new};

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/hub-AbCdEf";

fn user(name: &str) -> String {
    format!("arn:aws:iam::000000000000:user/{name}")
}

#[tokio::test]
async fn account_settings_have_defaults_and_take_known_values() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let get = async |setting: &str| domain.get_account_setting(admin, setting).await;
    assert_eq!(get("BLOB_MOUNTING").await.unwrap(), "ENABLED");
    assert_eq!(get("BASIC_SCAN_TYPE_VERSION").await.unwrap(), "AWS_NATIVE");
    domain.put_account_setting(admin, "BLOB_MOUNTING", "DISABLED").await.unwrap();
    assert_eq!(get("BLOB_MOUNTING").await.unwrap(), "DISABLED");
    for (setting, value) in [("BLOB_MOUNTING", "PERHAPS"), ("NONE", "ENABLED")] {
        let refused = domain.put_account_setting(admin, setting, value).await;
        assert_eq!(exception(refused), Some(Exception::Validation));
    }
    assert_eq!(exception(get("NONE").await), Some(Exception::Validation));
}

#[tokio::test]
async fn nothing_is_mounted_where_mounting_is_disabled() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let blob = registry.blob("a", b"layer").await;
    let mount = async || domain.mount_blob(admin, &name("b"), &blob, Some(&name("a"))).await.unwrap();
    domain.put_account_setting(admin, "BLOB_MOUNTING", "DISABLED").await.unwrap();
    assert_eq!(mount().await, Mount::NotFound);
    domain.put_account_setting(admin, "BLOB_MOUNTING", "ENABLED").await.unwrap();
    assert_eq!(mount().await, Mount::Mounted);
    // What was mounted stays.
    domain.put_account_setting(admin, "BLOB_MOUNTING", "DISABLED").await.unwrap();
    assert_eq!(domain.check_blob(admin, &name("b"), &digest(b"layer")).await.unwrap().size(), 5);
}

#[tokio::test]
async fn exclusions_are_registered_listed_and_taken_away() {
    let registry = TestRegistry::with(|settings| settings.pull_time_exclusions = 3).await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    for who in ["c", "a", "b"] {
        assert_eq!(domain.register_exclusion(admin, &user(who)).await.unwrap(), domain.now());
    }
    let again = domain.register_exclusion(admin, &user("a")).await;
    assert!(matches!(again, Err(Error::Ecr(EcrError::ExclusionExists(_)))), "{again:?}");
    let full = domain.register_exclusion(admin, &user("d")).await;
    let is_full = |error: &EcrError| {
        matches!(
            error,
            EcrError::LimitExceeded { limit: 3, setting: "pull_time_exclusions", what: "pull time update exclusions" }
        )
    };
    assert!(matches!(&full, Err(Error::Ecr(error)) if is_full(error)), "{full:?}");
    assert_eq!(exception(domain.register_exclusion(admin, "alice").await), Some(Exception::InvalidParameter));
    let page = domain.list_exclusions(admin, "", 2).await.unwrap();
    assert_eq!((page.items, page.more), (vec![user("a"), user("b")], true));
    let page = domain.list_exclusions(admin, &user("b"), 2).await.unwrap();
    assert_eq!((page.items, page.more), (vec![user("c")], false));
    domain.deregister_exclusion(admin, &user("a")).await.unwrap();
    let again = domain.deregister_exclusion(admin, &user("a")).await;
    assert!(matches!(again, Err(Error::Ecr(EcrError::ExclusionUnknown(_)))), "{again:?}");
    domain.register_exclusion(admin, &user("d")).await.unwrap();
}

#[tokio::test]
async fn the_replication_configuration_is_one_document() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    assert_eq!(domain.describe_registry(admin).await.unwrap(), s::ReplicationConfiguration::default());
    let to = |region: &str| s::ReplicationConfiguration {
        rules: vec![s::ReplicationRule {
            destinations: vec![s::ReplicationDestination {
                region: region.to_owned(),
                registry_id: "000000000000".to_owned(),
            }],
            ..Default::default()
        }],
    };
    assert_eq!(domain.put_replication(admin, to("eu-west-1")).await.unwrap(), to("eu-west-1"));
    let itself = domain.put_replication(admin, to("us-east-1")).await;
    assert!(exception(itself).is_some());
    assert_eq!(domain.describe_registry(admin).await.unwrap(), to("eu-west-1"));
    domain.put_replication(admin, s::ReplicationConfiguration::default()).await.unwrap();
    assert_eq!(domain.describe_registry(admin).await.unwrap(), s::ReplicationConfiguration::default());
}

#[tokio::test]
async fn the_scanning_configuration_says_how_repositories_are_scanned() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    domain.create_repository(admin, new("prod/a")).await.unwrap();
    domain.create_repository(admin, NewRepository { scan_on_push: true, ..new("dev/a") }).await.unwrap();
    let names = [name("dev/a"), name("none"), name("prod/a")];
    let scanned = async || {
        let found = domain.repository_scanning(admin, &names).await.unwrap();
        assert_eq!(found[1], Err(name("none")));
        let brief = |nth: usize| {
            let found = found[nth].clone().unwrap();
            (found.scan_on_push.unwrap(), found.scan_frequency, found.applied_scan_filters.unwrap().len())
        };
        [brief(0), brief(2)]
    };
    let (on_push, manual) = (Some("SCAN_ON_PUSH".to_owned()), Some("MANUAL".to_owned()));
    let usual = domain.get_registry_scanning(admin).await.unwrap();
    assert_eq!((usual.scan_type.as_deref(), usual.rules.as_deref()), (Some("BASIC"), Some(&[][..])));
    assert_eq!(scanned().await, [(true, on_push.clone(), 0), (false, manual, 0)]);
    let rule = |frequency: &str| s::RegistryScanningRule {
        scan_frequency: frequency.to_owned(),
        repository_filters: vec![s::ScanningRepositoryFilter {
            filter: "prod*".to_owned(),
            filter_type: "WILDCARD".to_owned(),
        }],
    };
    let set = domain.put_registry_scanning(admin, None, Some(vec![rule("SCAN_ON_PUSH")])).await.unwrap();
    assert_eq!(set.scan_type.as_deref(), Some("BASIC"));
    assert_eq!(domain.get_registry_scanning(admin).await.unwrap(), set);
    assert_eq!(scanned().await, [(true, on_push.clone(), 0), (true, on_push, 1)]);
    domain.put_registry_scanning(admin, Some("ENHANCED"), Some(vec![rule("CONTINUOUS_SCAN")])).await.unwrap();
    assert_eq!(scanned().await, [(false, None, 0), (false, Some("CONTINUOUS_SCAN".to_owned()), 1)]);
    let wrong = domain.put_registry_scanning(admin, Some("BASIC"), Some(vec![rule("CONTINUOUS_SCAN")])).await;
    assert_eq!(exception(wrong), Some(Exception::Validation));
}

#[tokio::test]
async fn the_signing_configuration_is_there_or_told_to_be_missing() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let unknown = |answer: Result<s::SigningConfiguration, Error>| {
        assert!(matches!(answer, Err(Error::Ecr(EcrError::SigningConfigurationUnknown))), "{answer:?}");
    };
    unknown(domain.get_signing(admin).await);
    unknown(domain.delete_signing(admin).await);
    let in_region = |region: &str| s::SigningConfiguration {
        rules: vec![s::SigningRule {
            signing_profile_arn: format!("arn:aws:signer:{region}:000000000000:/signing-profiles/mine"),
            repository_filters: None,
        }],
    };
    let set = domain.put_signing(admin, in_region("us-east-1")).await.unwrap();
    assert_eq!(exception(domain.put_signing(admin, in_region("eu-west-1")).await), Some(Exception::Validation));
    assert_eq!(domain.get_signing(admin).await.unwrap(), set);
    assert_eq!(domain.delete_signing(admin).await.unwrap(), set);
    unknown(domain.get_signing(admin).await);
}

fn hub(prefix: &str) -> s::CreatePullThroughCacheRuleRequest {
    s::CreatePullThroughCacheRuleRequest {
        ecr_repository_prefix: prefix.to_owned(),
        upstream_registry_url: "registry-1.docker.io".to_owned(),
        credential_arn: Some(SECRET.to_owned()),
        ..Default::default()
    }
}

#[tokio::test]
async fn pull_through_rules_are_made_changed_listed_and_taken_away() {
    let registry = TestRegistry::with(|settings| settings.pull_through_rules = 2).await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let made = domain.create_pull_through_rule(admin, hub("hub/")).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!((&made.ecr_repository_prefix, &made.upstream_registry), (&text("hub"), &text("docker-hub")));
    assert_eq!((&made.upstream_repository_prefix, &made.registry_id), (&text("ROOT"), &text("000000000000")));
    let again = domain.create_pull_through_rule(admin, hub("hub")).await;
    assert!(matches!(again, Err(Error::Ecr(EcrError::PullThroughRuleExists(_)))), "{again:?}");
    let odd = s::CreatePullThroughCacheRuleRequest { upstream_registry_url: "example.com".to_owned(), ..hub("odd") };
    let odd = domain.create_pull_through_rule(admin, odd).await;
    assert_eq!(exception(odd), Some(Exception::UnsupportedUpstreamRegistry));
    let without = s::CreatePullThroughCacheRuleRequest { credential_arn: None, ..hub("without") };
    assert!(exception(domain.create_pull_through_rule(admin, without).await).is_some());
    domain.create_pull_through_rule(admin, hub("other")).await.unwrap();
    let full = domain.create_pull_through_rule(admin, hub("third")).await;
    let is_full =
        |error: &EcrError| matches!(error, EcrError::LimitExceeded { limit: 2, setting: "pull_through_rules", .. });
    assert!(matches!(&full, Err(Error::Ecr(error)) if is_full(error)), "{full:?}");
    registry.clock.advance(Duration::from_secs(5));
    let update = |prefix: &str, credential_arn: Option<String>| s::UpdatePullThroughCacheRuleRequest {
        ecr_repository_prefix: prefix.to_owned(),
        credential_arn,
        ..Default::default()
    };
    let second = format!("{SECRET}2");
    let updated = domain.update_pull_through_rule(admin, update("hub/", Some(second.clone()))).await.unwrap();
    let later = Some(berth_aws::protocol::Timestamp(domain.now().as_millis()));
    assert_eq!(updated, s::PullThroughCacheRule { credential_arn: Some(second), updated_at: later, ..made });
    let asked = ["hub/".to_owned()];
    assert_eq!(domain.describe_pull_through_rules(admin, &asked).await.unwrap(), std::slice::from_ref(&updated));
    let page = domain.describe_pull_through_rules_behind(admin, "", 1).await.unwrap();
    assert_eq!((page.items, page.more), (vec![updated.clone()], true));
    assert_eq!(domain.delete_pull_through_rule(admin, "hub").await.unwrap(), updated);
    let unknown = [
        domain.delete_pull_through_rule(admin, "hub").await,
        domain.update_pull_through_rule(admin, update("hub", None)).await,
        domain.describe_pull_through_rules(admin, &asked).await.map(|rules| rules[0].clone()),
    ];
    for answer in unknown {
        assert!(
            matches!(&answer, Err(Error::Ecr(EcrError::PullThroughRuleUnknown(prefix))) if prefix == "hub"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_read_only_registry_can_be_asked_and_changes_nothing() {
    let registry = TestRegistry::new().await;
    registry.domain.create_repository(&registry.admin, new("a")).await.unwrap();
    let registry = registry.restarted(|settings| settings.read_only = true).await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    let policy = crate::lifecycle::policy(1);
    let template = s::CreateRepositoryCreationTemplateRequest {
        prefix: "a".to_owned(),
        applied_for: vec!["CREATE_ON_PUSH".to_owned()],
        ..Default::default()
    };
    let answers = [
        domain.create_repository(admin, new("b")).await.map(drop),
        domain.delete_repository(admin, &repository, true).await.map(drop),
        domain.put_scan_on_push(admin, &repository, true).await,
        domain.put_tag_mutability(admin, &repository, TagMutability::default()).await,
        domain.tag_repository(admin, &repository, Vec::new()).await,
        domain.untag_repository(admin, &repository, Vec::new()).await,
        domain.put_lifecycle_policy(admin, &repository, &policy).await,
        domain.delete_lifecycle_policy(admin, &repository).await.map(drop),
        domain.create_template(admin, template).await.map(drop),
        domain.delete_template(admin, "a").await.map(drop),
        domain.put_account_setting(admin, "BLOB_MOUNTING", "ENABLED").await,
        domain.register_exclusion(admin, &user("a")).await.map(drop),
        domain.deregister_exclusion(admin, &user("a")).await,
        domain.put_replication(admin, s::ReplicationConfiguration::default()).await.map(drop),
        domain.put_registry_scanning(admin, None, None).await.map(drop),
        domain.put_signing(admin, s::SigningConfiguration::default()).await.map(drop),
        domain.delete_signing(admin).await.map(drop),
        domain.create_pull_through_rule(admin, hub("hub")).await.map(drop),
        domain.delete_pull_through_rule(admin, "hub").await.map(drop),
    ];
    for (nth, answer) in answers.into_iter().enumerate() {
        assert!(matches!(answer, Err(Error::ReadOnly)), "{nth}: {answer:?}");
    }
    assert_eq!(domain.describe_repositories(admin, &[repository]).await.unwrap().len(), 1);
    domain.get_registry_scanning(admin).await.unwrap();
}
