//! Policies of repositories and of the registry: told where there is none, refused where they are none.

use berth_aws::ecr::Exception;
use berth_domain::{EcrError, Error};

use crate::registry::{TestRegistry, name};
use crate::repositories::{exception, new};

const OPEN: &str = r#"{ "Version":"2012-10-17",
    "Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}}"#;
const OPEN_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":"*"}}"#;

#[tokio::test]
async fn the_policy_of_a_repository_comes_back_as_it_was_written() {
    let registry = TestRegistry::new().await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    domain.create_repository(admin, new("a")).await.unwrap();
    let unknown = |answer: Result<String, Error>| {
        let is_unknown = matches!(&answer, Err(Error::Ecr(EcrError::RepositoryPolicyUnknown(of))) if *of == repository);
        assert!(is_unknown, "{answer:?}");
    };
    unknown(domain.get_repository_policy(admin, &repository).await);
    unknown(domain.delete_repository_policy(admin, &repository).await);
    domain.set_repository_policy(admin, &repository, OPEN, true).await.unwrap();
    assert_eq!(domain.get_repository_policy(admin, &repository).await.unwrap(), OPEN);
    for wrong in ["", "{}", "{\"Statement\":1}", &OPEN.replace("Allow", "Perhaps"), &" ".repeat(20_000)] {
        let refused = domain.set_repository_policy(admin, &repository, wrong, true).await;
        let told = refused.as_ref().unwrap_err().to_string();
        let begin =
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided: ";
        assert!(told.starts_with(begin), "{told}");
        assert_eq!(exception(refused), Some(Exception::InvalidParameter));
    }
    assert_eq!(domain.delete_repository_policy(admin, &repository).await.unwrap(), OPEN);
    unknown(domain.get_repository_policy(admin, &repository).await);
}

#[tokio::test]
async fn the_policy_of_the_registry_comes_back_as_it_was_written() {
    let registry = TestRegistry::new().await;
    let (domain, admin) = (&registry.domain, &registry.admin);
    let unknown = |answer: Result<String, Error>| {
        let is_unknown =
            matches!(&answer, Err(Error::Ecr(EcrError::RegistryPolicyUnknown(of))) if of == "000000000000");
        assert!(is_unknown, "{answer:?}");
    };
    unknown(domain.get_registry_policy(admin).await);
    unknown(domain.delete_registry_policy(admin).await);
    domain.set_registry_policy(admin, OPEN_ALL.to_owned()).await.unwrap();
    assert_eq!(domain.get_registry_policy(admin).await.unwrap(), OPEN_ALL);
    let refused = domain.set_registry_policy(admin, "{}".to_owned()).await;
    assert_eq!(exception(refused), Some(Exception::InvalidParameter));
    assert_eq!(domain.delete_registry_policy(admin).await.unwrap(), OPEN_ALL);
    unknown(domain.get_registry_policy(admin).await);
}
