use super::*;

const OWN: Registry<'_> = Registry { account: "111122223333", region: "us-east-1" };
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:ecr-pullthroughcache/hub-AbCdEf";
const ROLE: &str = "arn:aws:iam::111122223333:role/ecr";

fn request(url: &str) -> s::CreatePullThroughCacheRuleRequest {
    s::CreatePullThroughCacheRuleRequest {
        ecr_repository_prefix: "cache".into(),
        upstream_registry_url: url.into(),
        ..Default::default()
    }
}

#[test]
fn the_registry_is_told_from_the_url() {
    let table = [
        ("222233334444.dkr.ecr.eu-west-1.amazonaws.com", "ecr"),
        ("222233334444.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"),
        ("public.ecr.aws", "ecr-public"),
        ("quay.io", "quay"),
        ("registry.k8s.io", "k8s"),
        ("registry-1.docker.io", "docker-hub"),
        ("ghcr.io", "github-container-registry"),
        ("mine-01.azurecr.io", "azure-container-registry"),
        ("registry.gitlab.com", "gitlab-container-registry"),
        ("cgr.dev", "chainguard"),
    ];
    for (url, name) in table {
        assert_eq!(UpstreamRegistry::of_url(url).map(UpstreamRegistry::as_str), Some(name), "{url}");
    }
}

#[test]
fn other_urls_are_not_supported() {
    let long = "a".repeat(100_000);
    let table = [
        "",
        "harbor.example.com",
        "https://quay.io",
        "quay.io/",
        "quay.io:443",
        "Quay.io",
        "evil.quay.io",
        ".azurecr.io",
        "a.b.azurecr.io",
        "-a.azurecr.io",
        "a-.azurecr.io",
        "azurecr.io",
        "22223333444.dkr.ecr.eu-west-1.amazonaws.com",
        "22223333444a.dkr.ecr.eu-west-1.amazonaws.com",
        "222233334444.dkr.ecr..amazonaws.com",
        "222233334444.dkr.ecr.a.b.amazonaws.com",
        "222233334444.dkr.ecr.eu-west-1.amazonaws.com.evil",
        "222233334444.dkr.ecr.eu-west-1.example.com",
        long.as_str(),
    ];
    for url in table {
        let error = check_create(&request(url), &OWN, 0, LIMIT).unwrap_err();
        assert_eq!(error.exception, Exception::UnsupportedUpstreamRegistry, "{url}");
        assert!(
            error.message.contains("is invalid. Specify a valid upstream registry URL") && error.message.len() < 500
        );
    }
}

#[test]
fn a_rule_is_read() {
    let mut full = request("registry-1.docker.io");
    full.ecr_repository_prefix = "docker/hub/".into();
    full.upstream_registry = Some("docker-hub".into());
    full.credential_arn = Some(SECRET.into());
    full.upstream_repository_prefix = Some("library/".into());
    let rule = check_create(&full, &OWN, 49, LIMIT).unwrap();
    let expected = CheckedRule {
        prefix: "docker/hub".into(),
        upstream_registry: UpstreamRegistry::DockerHub,
        upstream_url: "registry-1.docker.io".into(),
        upstream_prefix: "library".into(),
        credential_arn: Some(SECRET.into()),
        custom_role_arn: None,
    };
    assert_eq!(rule, expected);

    let mut plain = request("quay.io");
    plain.ecr_repository_prefix = "ROOT".into();
    let rule = check_create(&plain, &OWN, 0, LIMIT).unwrap();
    assert_eq!((rule.prefix.as_str(), rule.upstream_prefix.as_str()), ("ROOT", "ROOT"));
}

#[test]
fn a_full_registry_takes_no_more() {
    let error = check_create(&request("quay.io"), &OWN, 50, LIMIT).unwrap_err();
    assert_eq!(error.exception, Exception::LimitExceeded);
    assert!(check_create(&request("quay.io"), &OWN, 50, 51).is_ok());
}

#[test]
fn a_name_goes_with_its_url() {
    let mut request = request("quay.io");
    request.upstream_registry = Some("k8s".into());
    let error = check_create(&request, &OWN, 0, LIMIT).unwrap_err();
    assert_eq!(error.exception, Exception::Validation);
    assert!(error.message.contains("the upstream registry of quay.io is quay, not k8s"), "{error}");
}

#[test]
fn credentials_go_with_the_registries_that_need_some() {
    let table = [
        ("public.ecr.aws", false),
        ("quay.io", false),
        ("registry.k8s.io", false),
        ("111122223333.dkr.ecr.eu-west-1.amazonaws.com", false),
        ("registry-1.docker.io", true),
        ("ghcr.io", true),
        ("mine.azurecr.io", true),
        ("registry.gitlab.com", true),
        ("cgr.dev", true),
    ];
    for (url, needed) in table {
        let mut request = request(url);
        let without = check_create(&request, &OWN, 0, LIMIT);
        request.credential_arn = Some(SECRET.into());
        let with = check_create(&request, &OWN, 0, LIMIT);
        assert_eq!((without.is_ok(), with.is_ok()), (!needed, needed), "{url}");
        let error = without.err().or(with.err()).unwrap();
        assert!(error.message.starts_with("Invalid parameter at 'credentialArn'"), "{error}");
        let registry = UpstreamRegistry::of_url(url).unwrap();
        assert_eq!(check_update(registry, url, Some(SECRET), None, &OWN).is_ok(), needed);
        assert_eq!(check_update(registry, url, None, None, &OWN).is_ok(), !needed);
    }
}

#[test]
fn a_role_goes_with_another_account() {
    let other = "444455556666.dkr.ecr.us-east-1.amazonaws.com";
    let same_account = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
    let itself = "111122223333.dkr.ecr.us-east-1.amazonaws.com";
    let table = [
        (other, Some(ROLE), None),
        (other, None, Some("a role is required to ask the registry of another account, 444455556666")),
        (other, Some("arn:aws:iam::444455556666:role/ecr"), Some("must be the ARN of a role of this account")),
        (other, Some("arn:aws:iam::111122223333:user/ecr"), Some("must be the ARN of a role of this account")),
        (same_account, None, None),
        (same_account, Some(ROLE), None),
        (itself, None, Some("a registry cannot be its own upstream registry")),
        ("quay.io", Some(ROLE), Some("a role goes with the upstream registry ecr only, not with quay")),
    ];
    for (url, role, expected) in table {
        let mut request = request(url);
        request.custom_role_arn = role.map(str::to_owned);
        match (check_create(&request, &OWN, 0, LIMIT), expected) {
            (Ok(rule), None) => assert_eq!(rule.custom_role_arn.as_deref(), role),
            (Err(error), Some(text)) => assert!(error.message.contains(text), "{error}"),
            (found, _) => panic!("{url} {role:?}: {found:?}"),
        }
    }
}
