//! Lifecycle policies: kept as they were written, refused where they are none.

use berth_aws::ecr::Exception;
use berth_domain::{EcrError, Error};

use crate::registry::{TestRegistry, name};
use crate::repositories::{exception, new};

/// A policy that keeps so many images.
pub fn policy(count: u64) -> String {
    format!(
        r#"{{ "rules": [ {{ "rulePriority": 1, "selection": {{ "tagStatus": "any", "countType": "imageCountMoreThan",
        "countNumber": {count} }}, "action": {{ "type": "expire" }} }} ] }}"#
    )
}

#[tokio::test]
async fn a_policy_is_kept_as_it_was_written_until_it_is_taken_away() {
    let registry = TestRegistry::new().await;
    let (domain, admin, repository) = (&registry.domain, &registry.admin, name("a"));
    domain.create_repository(admin, new("a")).await.unwrap();
    let unknown = |answer: Result<_, Error>| {
        let is_unknown = matches!(&answer, Err(Error::Ecr(EcrError::LifecyclePolicyUnknown(of))) if *of == repository);
        assert!(is_unknown, "{answer:?}");
    };
    unknown(domain.get_lifecycle_policy(admin, &repository).await);
    unknown(domain.delete_lifecycle_policy(admin, &repository).await);
    for count in [5, 7] {
        domain.put_lifecycle_policy(admin, &repository, &policy(count)).await.unwrap();
        let kept = domain.get_lifecycle_policy(admin, &repository).await.unwrap();
        assert_eq!((kept.document, kept.last_evaluated_at), (policy(count), None));
    }
    for wrong in ["", "{}", &policy(0), &policy(5).replace("expire", "explode")] {
        let refused = domain.put_lifecycle_policy(admin, &repository, wrong).await;
        assert_eq!(exception(refused), Some(Exception::InvalidParameter), "{wrong}");
    }
    assert_eq!(domain.delete_lifecycle_policy(admin, &repository).await.unwrap().document, policy(7));
    unknown(domain.get_lifecycle_policy(admin, &repository).await);
}
